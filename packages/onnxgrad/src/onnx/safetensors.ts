/**
 * @module The safetensors file format (8-byte header length, JSON header, raw little-endian data): float32 arrays by
 * name with string metadata. Reading trusts nothing: every length, offset and shape is checked before use.
 */
import { invariant, quoteName, UserError } from "../errors.ts";
import { atOnce } from "../slices.ts";
import { type Shape, sizeOf } from "../trace/tensor.ts";

/** Contents of a file. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, { readonly shape: Shape; readonly data: Float32Array }>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Headers beyond this are refused: 100 MB, as in the reference implementation. */
const MAX_HEADER = 100_000_000;

const METADATA = "__metadata__";

/** Writes what {@link safetensorsPieces} gives to one buffer. @throws what that throws. */
export function encodeSafetensors(contents: Safetensors): Uint8Array<ArrayBuffer> {
  const pieces = safetensorsPieces(contents);
  const bytes = new Uint8Array(pieces.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/**
 * The bytes of a file of named float32 arrays and metadata, in pieces: the header, then the bytes of each array where they
 * lie, so that a file is written without a copy of all. Equal contents in equal order give equal bytes.
 * @throws UserError `safetensors/name` when an array takes the name reserved for metadata; `safetensors/type` for what
 * {@link decodeSafetensors} would refuse: arrays of another type, shapes that are none, metadata that are no strings.
 */
export function safetensorsPieces({
  tensors,
  metadata,
}: Safetensors): [header: Uint8Array, ...arrays: Uint8Array[]] {
  const strange = Object.entries(metadata).find(([, value]: [string, unknown]) => typeof value !== "string");
  if (strange !== undefined)
    throw unwritable(
      `metadata ${quoteName(strange[0])} is ${typeName(strange[1])}. Write text, e.g. by JSON.stringify().`,
    );
  const header: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [[METADATA, metadata]];
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    if (name === METADATA)
      throw new UserError(
        "safetensors/name",
        `safetensors: "${name}" is reserved. Name the array otherwise.`,
      );
    const given: unknown = data;
    if (!(given instanceof Float32Array))
      throw unwritable(
        `${quoteName(name)} is ${typeName(given)}, only Float32Array is written. Convert it with Float32Array.from().`,
      );
    if (!isCounts(shape))
      throw unwritable(
        `${quoteName(name)} has the shape [${String(shape)}]. Give whole numbers, none negative.`,
      );
    invariant(data.length === sizeOf(shape), `"${name}": ${data.length} values for [${shape.join(",")}]`);
    header.push([name, { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] }]);
    offset += data.byteLength;
  }
  // fromEntries defines own properties, so that even an array named __proto__ is kept.
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(text.length / 8) * 8; // padded with spaces so that the data are aligned
  if (headerLength > MAX_HEADER)
    throw unwritable(
      `the header takes ${headerLength} bytes, at most ${MAX_HEADER} are read. Shorten the metadata.`,
    );
  const start = new Uint8Array(8 + headerLength).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(headerLength), true);
  start.set(text, 8);
  const arrays = [...tensors.values()].map(
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  return [start, ...arrays];
}

/**
 * Reads what {@link encodeSafetensors} wrote, or any safetensors file of float32 arrays.
 * @throws UserError `safetensors/invalid` on anything torn, malformed or of another element type.
 */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  return atOnce(decodingSafetensors(bytes));
}

/** {@link decodeSafetensors} in pieces, an array each. */
export function* decodingSafetensors(bytes: Uint8Array): Generator<void, Safetensors> {
  const fail = (why: string): never => {
    throw new UserError(
      "safetensors/invalid",
      `safetensors: ${why}. The file is damaged or of another kind.`,
    );
  };
  if (bytes.length < 8) return fail(`${bytes.length} bytes are too few`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > MAX_HEADER || 8 + headerLength > bytes.length)
    return fail(`header of ${headerLength} bytes does not fit`);
  if (bytes[8] !== 0x7b) return fail("header does not begin with {");
  let header: unknown;
  try {
    header = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + headerLength)),
    );
  } catch {
    return fail("header is no JSON");
  }
  const start = 8 + headerLength;
  const available = bytes.length - start;
  const tensors = new Map<string, { shape: Shape; data: Float32Array }>();
  const spans: { readonly name: string; readonly from: number; readonly to: number }[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header as Record<string, unknown>)) {
    if (name === METADATA) {
      if (!isStrings(value)) return fail("metadata are no map of strings");
      metadata = value;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
    if (dtype !== "F32") return fail(`"${name}" has element type ${String(dtype)}, only F32 is read`);
    if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2)
      return fail(`"${name}" has no valid shape or offsets`);
    const [from, to] = offsets as [number, number];
    if (to > available || to - from !== 4 * sizeOf(shape)) return fail(`"${name}" lies outside the data`);
    // A copy in a buffer of its own: aligned, and no window into a larger file. (Buffer's slice would not copy.)
    const own = new Uint8Array(bytes.subarray(start + from, start + to));
    tensors.set(name, { shape, data: new Float32Array(own.buffer) });
    spans.push({ name, from, to });
    yield;
  }
  // The format wants every byte of the data described exactly once.
  let covered = 0;
  for (const { name, from, to } of spans.sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== covered) return fail(`"${name}" begins at ${from}, the array before it ends at ${covered}`);
    covered = to;
  }
  if (covered !== available) return fail(`${available} bytes of data, the header describes ${covered}`);
  return { tensors, metadata };
}

function unwritable(why: string): UserError {
  return new UserError("safetensors/type", `safetensors: ${why}`);
}

const typeName = (value: unknown): string =>
  typeof value === "object" && value !== null ? `of type ${value.constructor?.name ?? "null"}` : typeof value;

function isStrings(value: unknown): value is Record<string, string> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === "string")
  );
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
