/** @module ONNX models as plain data, of any operator set and any fault, and what ONNX Runtime makes of them. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType as A,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";

env.logLevel = "fatal"; // It would tell the terminal what it refuses.

/** ONNX's element types by name. */
export const ELEMENT = {
  float: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
} as const;
export type Element = keyof typeof ELEMENT;

/** A stored tensor; the values are repeated to fill it. */
export interface Stored {
  readonly dims: readonly number[];
  readonly type?: "float" | "int32" | "int64" | "double" | "float16";
  readonly values: readonly number[];
}

/** bigint is INT, number FLOAT; in lists, too. */
export type Attribute =
  bigint | number | string | readonly bigint[] | readonly number[] | { readonly tensor: Stored };

export interface CaseNode {
  readonly op: string;
  readonly in: readonly string[];
  readonly out: readonly string[];
  readonly attrs?: Readonly<Record<string, Attribute>>;
  readonly name?: string;
  readonly domain?: string;
}

/** A model of named float inputs and stored tensors. */
export interface ModelCase {
  /** Default 17. */
  readonly opset?: number;
  readonly inputs?: Readonly<Record<string, readonly (number | string)[]>>;
  readonly types?: Readonly<Record<string, Element>>;
  readonly stored?: Readonly<Record<string, Stored>>;
  readonly nodes: readonly CaseNode[];
  readonly outputs: readonly string[];
}

export function attributeOf(name: string, value: Attribute): AttributeProto {
  if (typeof value === "bigint") return create(AttributeProtoSchema, { name, type: A.INT, i: value });
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: A.FLOAT, f: value });
  if (typeof value === "string")
    return create(AttributeProtoSchema, { name, type: A.STRING, s: new TextEncoder().encode(value) });
  if ("tensor" in value)
    return create(AttributeProtoSchema, { name, type: A.TENSOR, t: storedOf(name, value.tensor) });
  return value.every((each) => typeof each === "number") && value.length > 0
    ? create(AttributeProtoSchema, { name, type: A.FLOATS, floats: [...value] })
    : create(AttributeProtoSchema, { name, type: A.INTS, ints: value.map(BigInt) });
}

/** `values`, over and over, as a tensor. */
export function storedOf(name: string, { dims, type = "float", values }: Stored): TensorProto {
  const size = dims.reduce((a, b) => a * b, 1);
  const data = Array.from({ length: values.length === 0 ? 0 : size }, (_, i) => values[i % values.length]!);
  const tensor = create(TensorProtoSchema, { name, dataType: ELEMENT[type], dims: dims.map(BigInt) });
  if (type === "float") tensor.floatData = data;
  else if (type === "double") tensor.doubleData = data;
  else if (type === "int64") tensor.int64Data = data.map(BigInt);
  else tensor.int32Data = data;
  return tensor;
}

const portOf = (name: string, dims: readonly (number | string)[] | undefined, type: Element) =>
  create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: ELEMENT[type],
          ...(dims !== undefined && {
            shape: {
              dim: dims.map((each) => ({
                value:
                  typeof each === "string"
                    ? { case: "dimParam" as const, value: each }
                    : { case: "dimValue" as const, value: BigInt(each) },
              })),
            },
          }),
        },
      },
    },
  });

/** The case as a message, to be damaged before it becomes bytes. Outputs are declared by name alone. */
export function modelOf({ opset = 17, inputs = {}, types = {}, stored = {}, nodes, outputs }: ModelCase) {
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: "", version: BigInt(opset) }],
    graph: create(GraphProtoSchema, {
      name: "g",
      input: Object.entries(inputs).map(([name, dims]) =>
        portOf(name, dims, (Object.hasOwn(types, name) ? types[name] : undefined) ?? "float"),
      ),
      output: outputs.map((name) => create(ValueInfoProtoSchema, { name })),
      initializer: Object.entries(stored).map(([name, each]) => storedOf(name, each)),
      node: nodes.map(({ op, in: input, out: output, attrs = {}, name = "", domain = "" }) =>
        create(NodeProtoSchema, {
          opType: op,
          domain,
          name,
          input: [...input],
          output: [...output],
          attribute: Object.entries(attrs).map(([key, value]) => attributeOf(key, value)),
        }),
      ),
    }),
  });
}

export const bytesOf = (model: ReturnType<typeof modelOf>): Uint8Array => toBinary(ModelProtoSchema, model);

/** A tensor as ONNX Runtime gives it. */
export interface OrtResult {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

/** What ONNX Runtime computes, output by output, or says where it refuses. */
export interface OrtAnswer {
  readonly results: Readonly<Record<string, OrtResult>>;
  readonly refusal?: string;
}

/** Loads and runs a model. */
export async function runOrt(
  bytes: Uint8Array,
  feeds: Readonly<
    Record<string, { readonly data: Float32Array | BigInt64Array; readonly dims: readonly number[] }>
  >,
): Promise<OrtAnswer> {
  let session: InferenceSession | undefined;
  try {
    session = await InferenceSession.create(bytes, {
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
    });
    const given = Object.entries(feeds).map(([name, { data, dims }]) => [
      name,
      data instanceof BigInt64Array
        ? new OrtTensor("int64", data, dims)
        : new OrtTensor("float32", data, dims),
    ]);
    const made = await session.run(Object.fromEntries(given) as Record<string, OrtTensor>);
    const results = Object.fromEntries(
      Object.entries(made).map(([name, { type, dims, data }]) => [
        name,
        { type, dims, data: Array.from(data as ArrayLike<number | bigint | boolean>, Number) },
      ]),
    );
    return { results };
  } catch (error) {
    return { results: {}, refusal: String(error instanceof Error ? error.message : error) };
  } finally {
    await session?.release();
  }
}
