/**
 * @module One self-contained model file out of a traced function: parameters are constants in it, and the batch is free.
 * The function is traced with two batches; that both give the same nodes proves that neither is written into the model.
 */
import { GraphError } from "../errors.ts";
import { input, type InputSpec, specOf } from "../ops/source.ts";
import { optimizing } from "../passes/optimize.ts";
import { atOnce, inOnePiece } from "../slices.ts";
import type { GraphNode, Tensor } from "../trace/tensor.ts";
import { encodingModel, type LoweredGraph, type LoweredModel, lowering, type ModelOptions } from "./model.ts";

/** Two primes that no extent of an image or a network is likely to be a multiple of. */
const TRACED = [977, 983] as const;

/** What {@link exportModel} needs besides the function. */
export interface ExportOptions<I extends Readonly<Record<string, InputSpec>>> extends Omit<
  ModelOptions,
  "dynamicBatch"
> {
  /**
   * The extents of one sample, to which the batch is added in front; and the type of the elements where it is not float32,
   * e.g. `{ shape: [], dtype: "int64" }` for labels.
   */
  readonly inputs: I;
  /** Name of the symbolic first dimension; default `batch`. */
  readonly batch?: string;
}

/**
 * Traces `build` on tensors `[batch, ...extents]` and lowers it to a model of any batch, whose inputs and outputs have
 * the names that they have here. Parameters enter as constants: see `inlineState`.
 * @throws GraphError when the function does not treat every sample alone.
 * @example
 * const { bytes } = exportModel({ inputs: { x: [3, 8, 8] } }, ({ x }) => ({ y: network(inlineState(state), x) }));
 */
export function exportModel<I extends Readonly<Record<string, InputSpec>>>(
  options: ExportOptions<I>,
  build: (inputs: { readonly [K in keyof I]: Tensor }) => Readonly<Record<string, Tensor>>,
): LoweredModel {
  return atOnce(exportingModel(options, (inputs) => inOnePiece(() => build(inputs))));
}

/** {@link exportModel} in pieces, those of `build` among them. */
export function* exportingModel<I extends Readonly<Record<string, InputSpec>>>(
  options: ExportOptions<I>,
  build: (inputs: { readonly [K in keyof I]: Tensor }) => Generator<void, Readonly<Record<string, Tensor>>>,
): Generator<void, LoweredModel> {
  const { inputs, batch: name = "batch", ...rest } = options;
  const lowerAt = function* (traced: number): Generator<void, LoweredGraph> {
    const outputs = yield* build(
      Object.fromEntries(
        Object.entries(inputs).map(([each, spec]) => {
          const { shape, dtype } = specOf(spec);
          return [each, input(each, [traced, ...shape], dtype)];
        }),
      ) as { readonly [K in keyof I]: Tensor },
    );
    const optimized = yield* optimizing(Object.values(outputs));
    return yield* lowering(Object.fromEntries(Object.keys(outputs).map((each, i) => [each, optimized[i]!])), {
      dynamicBatch: { traced, name },
    });
  };
  const graph = yield* lowerAt(TRACED[0]);
  const culprit = yield* firstDifference(graph, yield* lowerAt(TRACED[1]));
  if (culprit !== undefined)
    throw new GraphError(
      `exportModel: ${culprit.op.name}${culprit.path === "" ? "" : ` at ${culprit.path}`} depends on the batch. Treat every sample alone.`,
    );
  return yield* encodingModel(graph, { ...rest, dynamicBatch: { traced: TRACED[0], name } });
}

/** The graph node behind the first ONNX node that the two models do not share. */
function* firstDifference(a: LoweredGraph, b: LoweredGraph): Generator<void, GraphNode | undefined> {
  const [left, right] = [yield* nodeKeys(a), yield* nodeKeys(b)];
  const at = Array.from({ length: Math.max(left.length, right.length) }, (_, i) => i).find(
    (i) => left[i] !== right[i],
  );
  return at === undefined ? undefined : (a.builder.origins[at] ?? a.builder.origins.at(-1));
}

/** Each ONNX node as text, constants by their values (large ones by their checksum), other values by their position. */
function* nodeKeys({ builder: { nodes, initializers } }: LoweredGraph): Generator<void, string[]> {
  const names = new Map<string, string>();
  for (const { name, dataType, dims, rawData } of initializers) {
    names.set(name, `${dataType}[${dims.join(",")}]${checksum(rawData)}`);
    yield;
  }
  return nodes.map(({ opType, domain, input: inputs, output, attribute }, i) => {
    output.forEach((each, k) => names.set(each, `${i}.${k}`));
    const attributes = attribute.map(({ name, i: int, f, s, ints, floats }) =>
      [name, int, f, s, ints, floats].join(":"),
    );
    return [domain, opType, inputs.map((each) => names.get(each) ?? each), attributes, output.length].join(
      "|",
    );
  });
}

/** FNV-1a, 32 bits: constants that differ because of the batch differ in much. */
function checksum(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}
