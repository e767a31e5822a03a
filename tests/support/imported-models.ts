/** @module Hand-written ONNX models for the tests of the importer, and both ways to run one: ONNX Runtime and our graph. */
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, type NodeProto } from "onnx-buf";
import { type Backend, input, interpret, rng, type Shape, sizeOf, type Tensor } from "onnxgrad";
import { node } from "onnxgrad/node";
import { importModel } from "../../packages/onnxgrad/src/onnx/import-model.ts";
import { encodeModel, ModelBuilder } from "../../packages/onnxgrad/src/onnx/model.ts";

export const backend: Backend = node({ threads: 1 });
export const normal = (purpose: string, shape: Shape): Float32Array =>
  rng(1, purpose).fillNormal(new Float32Array(sizeOf(shape)));

export type Shapes = Readonly<Record<string, Shape>>;

/** Writes a model of float inputs with `build`, which returns the name of its output. */
export function write(inputs: Shapes, build: (b: ModelBuilder) => string, shape: Shape = []): Uint8Array {
  const builder = new ModelBuilder(Object.keys(inputs));
  const output = build(builder);
  const port = (name: string, each: Shape) => ({ name, spec: { shape: each, dtype: "float32" as const } });
  return encodeModel({
    builder,
    inputs: Object.entries(inputs).map(([name, each]) => port(name, each)),
    outputs: [port(output, shape)],
  }).bytes;
}

export const nodesOf = (bytes: Uint8Array): readonly NodeProto[] =>
  fromBinary(ModelProtoSchema, bytes).graph!.node;

/** The model's one output on these values by ONNX Runtime, and by the imported graph in float64. */
export async function bothWays(
  inputs: Shapes,
  build: (b: ModelBuilder) => string,
  values: Readonly<Record<string, Float32Array>>,
): Promise<{ readonly onnx: Float32Array; readonly ours: Float64Array }> {
  const traced = Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [name, input(name, shape)]),
  );
  const [[name, y]] = Object.entries(importModel(write(inputs, build)).apply(traced)) as [[string, Tensor]];
  const session = await backend.createSession(write(inputs, build, y.shape));
  const onnx = new Float32Array(y.size);
  await session.run(
    Object.fromEntries(
      Object.entries(inputs).map(([each, shape]) => [each, backend.tensor(values[each]!, shape)]),
    ),
    { [name]: backend.tensor(onnx, y.shape) },
  );
  await session.release();
  return { onnx, ours: interpret([y], values)[0]!.data };
}
