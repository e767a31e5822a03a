/** @module Fuzzed ONNX models that are imported: what they compute must be what ONNX Runtime computes of the same bytes. */
import { readFile } from "node:fs/promises";
import { type DType, importModel, input, interpret, rng, type Session, sizeOf, type Tensor } from "onnxgrad";
import { node } from "onnxgrad/node";
import { target as models } from "./models.ts";
import type { Target } from "./target.ts";

const backend = node({ threads: 1 });
/** Larger arrays take too long in float64. */
const MOST = 1e5;
/** What an output holds until it is written. */
const UNWRITTEN = -123456.75;

interface Fed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Target of `npm run fuzz -- --only agreement`. */
export const target: Target = {
  ...models,
  name: "agreement",
  about: "ONNX models of every operation, computed as imported and by ONNX Runtime",
  async read(path) {
    const bytes = await readFile(path);
    const model = importModel(bytes);
    const feeds = model.inputs.map(({ name, shape, dtype }): Fed => ({
      name,
      dtype,
      shape: shape.map((n) => n ?? 2),
    }));
    if (feeds.some(({ shape, dtype }) => sizeOf(shape) > MOST || !/^(float32|int64)$/.test(dtype)))
      return "not compared";
    const traced = feeds.map(({ name, shape, dtype }) => [name, input(name, shape, dtype)] as const);
    const outputs = Object.entries(model.apply(Object.fromEntries(traced)));
    // An input that is handed through is not written by ONNX Runtime into a buffer that is given.
    const isInput = (name: string): boolean => feeds.some((each) => each.name === name);
    if (outputs.some(([name, y]) => isInput(name) || y.dtype !== "float32" || y.size > MOST))
      return "not compared";
    const values = Object.fromEntries(feeds.map((each) => [each.name, valuesOf(each)]));
    const session = await backend.createSession(bytes).catch(() => undefined);
    if (session === undefined) return "ONNX Runtime refuses it";
    const theirs = await runSession(session, feeds, values, outputs);
    if (typeof theirs === "string") return theirs;
    const ours = interpret(
      outputs.map(([, y]) => y),
      values,
    );
    outputs.forEach(([name], i) => requireClose(name, ours[i]!.data, theirs[i]!));
    return "agrees";
  },
};

/** Standard normal numbers, or zeros and ones for indices. */
function valuesOf({ name, shape, dtype }: Fed): Float64Array {
  const random = rng(1, `agreement-${name}`);
  const values = Float64Array.from(random.fillNormal(new Float32Array(sizeOf(shape))));
  return dtype === "int64" ? values.map((v) => (v > 0 ? 1 : 0)) : values;
}

async function runSession(
  session: Session,
  feeds: readonly Fed[],
  values: Readonly<Record<string, Float64Array>>,
  outputs: readonly (readonly [string, Tensor])[],
): Promise<Float32Array[] | string> {
  const data = outputs.map(([, y]) => new Float32Array(y.size).fill(UNWRITTEN));
  try {
    await session.run(
      Object.fromEntries(
        feeds.map(({ name, shape, dtype }) => {
          const array = values[name]!;
          return [
            name,
            backend.tensor(
              dtype === "int64" ? BigInt64Array.from(array, BigInt) : Float32Array.from(array),
              shape,
            ),
          ];
        }),
      ),
      Object.fromEntries(outputs.map(([name, y], i) => [name, backend.tensor(data[i]!, y.shape)])),
    );
  } catch (error) {
    // The file states other extents than the nodes make, which matters to buffers that are given, and to nothing else.
    if (/invalid dimensions for (?:in|out)put/i.test(String(error)))
      return "states other extents than it makes";
    throw new Error(`ONNX Runtime cannot run what was imported: ${String(error)}`, { cause: error });
  } finally {
    await session.release();
  }
  return data.some((each) => each.length > 0 && each.every((v) => v === UNWRITTEN))
    ? "ONNX Runtime writes nothing"
    : data;
}

/** @throws Error at the first value that differs by more than rounding. */
function requireClose(name: string, ours: ArrayLike<number>, theirs: Float32Array): void {
  for (let k = 0; k < theirs.length; k++) {
    const [x, y] = [ours[k]!, theirs[k]!];
    const same = x === y || (Number.isNaN(x) && Number.isNaN(y)) || Math.fround(x) === y;
    if (!same && !(Math.abs(x - y) <= 1e-3 + 1e-3 * Math.abs(x)))
      throw new Error(`${name}[${k}] is ${x} as imported, ${y} by ONNX Runtime`);
  }
}
