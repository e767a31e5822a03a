/** @module What a program is fed: checked by name, type and length before it runs, so that no mistake is ignored. */
import { quoteName, unknownName, UserError } from "../errors.ts";
import { indexError } from "../ops/gather.ts";
import { inputName } from "../trace/port-names.ts";
import { reachable, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";
import type { RuntimeData } from "./backend.ts";

/** Numbers in an array of their own kind; for float32 they are rounded. */
type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** Values that can be fed: floats, or integers for int64 inputs, or one number for a scalar. */
export type Feed = Numbers | BigInt64Array | readonly number[] | number;

/**
 * Refuses feeds of names that a program has no input for.
 * @throws UserError `unknown/input` with a suggestion.
 */
export function requireKnownFeeds(feeds: object, known: readonly string[]): void {
  const stranger = Object.keys(feeds).find((name) => !known.includes(name));
  if (stranger === undefined) return;
  if (known.length > 0) throw unknownName("input", stranger, known);
  throw new UserError(
    "unknown/input",
    `unknown input: ${quoteName(stranger)}. This program has none: feed {}.`,
  );
}

/**
 * The values of an input as the runtime takes them: the array that was given where it is of the right kind.
 * @throws UserError `run/feed` when they are missing, of another type or length, or what the input cannot hold.
 */
export function feedData(name: string, { shape, dtype }: Spec, feed: unknown): RuntimeData {
  const fail = (why: string): never => {
    throw new UserError("run/feed", `input "${name}": ${why}`);
  };
  const size = sizeOf(shape);
  const wanted = `needs ${size} values for [${shape.join(",")}]`;
  const values = typeof feed === "number" || typeof feed === "bigint" ? [feed] : feed;
  if (values === undefined || values === null) return fail(`${wanted}, got none.`);
  if (!isNumbers(values) && !(values instanceof BigInt64Array))
    return fail(
      `takes numbers, got ${described(values)}. Feed a ${dtype === "float32" ? "Float32Array" : "BigInt64Array"}, or a list of numbers.`,
    );
  if (values.length !== size) return fail(`${wanted}, got ${values.length}.`);
  if (dtype === "float32") {
    if (values instanceof BigInt64Array) return fail("takes float32, got int64. Feed a Float32Array.");
    if (values instanceof Float32Array) return values;
    const strange = Array.isArray(values) ? values.find((value) => typeof value !== "number") : undefined;
    const isStrange = Array.isArray(values) && (strange !== undefined || values.includes(undefined as never));
    return isStrange
      ? fail(`takes numbers, got ${described(strange)} among them.`)
      : Float32Array.from(values);
  }
  if (values instanceof BigInt64Array) return values;
  return BigInt64Array.from(values as readonly number[], (value: unknown) =>
    typeof value === "number" && Number.isSafeInteger(value)
      ? BigInt(value)
      : fail(`takes whole numbers, got ${typeof value === "number" ? value : described(value)}.`),
  );
}

/** Rows of the smallest table that each input of a graph is the index of, by the input's name. */
export function tablesOf(outputs: readonly Tensor[]): ReadonlyMap<string, number> {
  const tables = new Map<string, number>();
  for (const { op, inputs, attrs } of reachable(outputs)) {
    if (op.name !== "gather" && op.name !== "scatterAdd") continue;
    let index = inputs[1]!.node;
    while (index.op.name === "reshape") index = index.inputs[0]!.node;
    const name = inputName(index);
    if (name === undefined) continue;
    const rows = op.name === "gather" ? inputs[0]!.shape[0]! : (attrs as { readonly rows: number }).rows;
    tables.set(name, Math.min(rows, tables.get(name) ?? rows));
  }
  return tables;
}

/** @throws UserError `gather/index` when a fed index is beyond its table, before the run could write anything. */
export function requireIndices(data: RuntimeData, rows: number): void {
  if (!(data instanceof BigInt64Array)) return;
  const [first, end] = [BigInt(-rows), BigInt(rows)];
  for (const index of data) if (index < first || index >= end) throw indexError(Number(index), rows);
}

/** What ONNX Runtime says of an index beyond a table. */
const OUTSIDE =
  /indices element out of data bounds, idx=(-?\d+) must be within the inclusive range \[-?\d+,(-?\d+)\]/;

/** The error of a run as one of its feeds, where it is. */
export function mistakeOfFeeds(error: unknown): UserError | undefined {
  const [, index, last] = OUTSIDE.exec(error instanceof Error ? error.message : "") ?? [];
  return index === undefined ? undefined : indexError(Number(index), Number(last) + 1);
}

/** Whether a value is a list, or a typed array of numbers. */
function isNumbers(value: unknown): value is Exclude<Feed, number | BigInt64Array> {
  if (Array.isArray(value)) return true;
  return (
    ArrayBuffer.isView(value) &&
    !(value instanceof DataView || value instanceof BigInt64Array || value instanceof BigUint64Array)
  );
}

/** What a value is, in two words. */
function described(value: unknown): string {
  if (typeof value === "object" && value !== null)
    return `an object of type ${value.constructor?.name ?? "null"}`;
  return typeof value === "string" ? `the text ${quoteName(value)}` : `${typeof value} ${String(value)}`;
}
