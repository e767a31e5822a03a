/**
 * @module Lowers a traced graph to an ONNX model: each node writes itself through its operation's lowering, constants
 * become initialisers (equal ones once), and the bytes are made with the published ONNX schema.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { GraphError } from "../errors.ts";
import type { LowerContext, OnnxAttribute } from "../ops/define-op.ts";
import {
  type DType,
  formatSpec,
  type GraphNode,
  reachable,
  type Shape,
  type Spec,
  type Tensor,
} from "../trace/tensor.ts";

/** ONNX element types. */
const ELEMENT: Readonly<Record<DType | "uint8", number>> = { float32: 1, uint8: 2, int64: 7, bool: 9 };

const OPSET = 20n;

/** What a model carries besides its graph. */
export interface ModelOptions {
  /** Key-value pairs kept in the file, e.g. configuration and licence. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly name?: string;
}

/** A value of the model's interface. */
export interface ModelPort {
  readonly name: string;
  readonly spec: Spec;
}

/** A lowered model: the bytes and what must be fed and comes back. */
export interface LoweredModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly ModelPort[];
  readonly outputs: readonly ModelPort[];
  /** Number of ONNX nodes. */
  readonly nodes: number;
}

/** Accumulates nodes and initialisers; the context that lowerings write to. */
export class ModelBuilder implements LowerContext {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #constants = new Map<string, string>();
  readonly #taken: ReadonlySet<string>;
  #next = 0;

  /** `taken` are the public names, which no value inside may have. */
  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  #name(prefix: string): string {
    let name = `${prefix}${this.#next++}`;
    while (this.#taken.has(name)) name = `${prefix}${this.#next++}`;
    return name;
  }

  emit(
    opType: string,
    inputs: readonly string[],
    {
      outputs = 1,
      attrs = {},
      domain = "",
    }: { outputs?: number; attrs?: Readonly<Record<string, OnnxAttribute>>; domain?: string } = {},
  ): string[] {
    const names = Array.from({ length: outputs }, () => this.#name("v"));
    this.nodes.push(
      create(NodeProtoSchema, {
        opType,
        domain,
        name: `${opType}_${this.nodes.length}`,
        input: [...inputs],
        output: names,
        attribute: Object.entries(attrs).map(([name, value]) => attribute(name, value)),
      }),
    );
    return names;
  }

  floats(shape: Shape, values: ArrayLike<number>): string {
    const data = Float32Array.from(values);
    return this.#constant(ELEMENT.float32, shape, new Uint8Array(data.buffer));
  }

  ints(values: readonly number[] | number): string {
    const list = typeof values === "number" ? [values] : values;
    const data = BigInt64Array.from(list.map(BigInt));
    return this.#constant(
      ELEMENT.int64,
      typeof values === "number" ? [] : [list.length],
      new Uint8Array(data.buffer),
    );
  }

  #constant(dataType: number, shape: Shape, bytes: Uint8Array<ArrayBuffer>): string {
    const key =
      bytes.length <= 4096 ? `${dataType}|${shape.join(",")}|${String.fromCharCode(...bytes)}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#name("c");
    this.initializers.push(
      create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData: bytes }),
    );
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }
}

function attribute(name: string, value: OnnxAttribute) {
  const T = AttributeProto_AttributeType;
  if (typeof value === "bigint") return create(AttributeProtoSchema, { name, type: T.INT, i: value });
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: T.FLOAT, f: value });
  if (typeof value === "string")
    return create(AttributeProtoSchema, { name, type: T.STRING, s: new TextEncoder().encode(value) });
  return value.every((item) => typeof item === "bigint")
    ? create(AttributeProtoSchema, { name, type: T.INTS, ints: [...value] })
    : create(AttributeProtoSchema, { name, type: T.FLOATS, floats: value.map(Number) });
}

function port({ name, spec }: ModelPort) {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: ELEMENT[spec.dtype],
          shape: { dim: spec.shape.map((n) => ({ value: { case: "dimValue" as const, value: BigInt(n) } })) },
        },
      },
    },
  });
}

/** The inputs among `nodes`, each name once. */
function inputPorts(nodes: readonly GraphNode[]): ModelPort[] {
  const ports = new Map<string, ModelPort>();
  for (const { op, attrs, outputs } of nodes) {
    if (op.name !== "input") continue;
    const { name } = attrs as { name: string };
    const spec = outputs[0]!;
    const before = ports.get(name);
    if (before && formatSpec(before.spec) !== formatSpec(spec))
      throw new GraphError(
        `toOnnx: two inputs are named "${name}", ${formatSpec(before.spec)} and ${formatSpec(spec)}. Rename one of them.`,
      );
    ports.set(name, before ?? { name, spec });
  }
  return [...ports.values()];
}

/**
 * Lowers the graph that computes `outputs` (by name) to one ONNX model. Inputs of the model are the `input` nodes
 * that are reached, under their own names.
 * @throws GraphError when two inputs of one name differ, or an output has the name of an input.
 */
export function toOnnx(
  outputs: Readonly<Record<string, Tensor>>,
  { metadata = {}, name = "onnxgrad" }: ModelOptions = {},
): LoweredModel {
  const nodes = reachable(Object.values(outputs));
  const inputs = inputPorts(nodes);
  const shared = inputs.find((each) => Object.hasOwn(outputs, each.name));
  if (shared)
    throw new GraphError(`toOnnx: "${shared.name}" names an input and an output. Rename one of them.`);
  const builder = new ModelBuilder([...Object.keys(outputs), ...inputs.map((each) => each.name)]);
  const names = new Map<Tensor, string>();
  for (const node of nodes) {
    const from = node.inputs.map((input) => names.get(input)!);
    const made = node.op.lower(builder, from, {
      attrs: node.attrs,
      inputs: node.inputs,
      outputs: node.outputs,
    });
    node.outputs.forEach((tensor, i) => names.set(tensor, made[i]!));
  }

  // Give produced values their public names; what is an input, a constant or already named is copied.
  const producer = new Set(builder.nodes.flatMap((node) => node.output));
  const renamed = new Map<string, string>();
  const ports = Object.entries(outputs).map(([publicName, tensor]): ModelPort => {
    const value = names.get(tensor)!;
    if (producer.has(value) && !renamed.has(value)) renamed.set(value, publicName);
    else
      builder.nodes.push(
        create(NodeProtoSchema, {
          opType: "Identity",
          input: [value],
          output: [publicName],
          name: `out_${publicName}`,
        }),
      );
    return { name: publicName, spec: tensor };
  });
  for (const node of builder.nodes) {
    node.input = node.input.map((value) => renamed.get(value) ?? value);
    node.output = node.output.map((value) => renamed.get(value) ?? value);
  }

  const domains = new Set(builder.nodes.map((node) => node.domain));
  const model = create(ModelProtoSchema, {
    irVersion: 9n,
    producerName: "onnxgrad",
    opsetImport: [
      { domain: "", version: OPSET },
      ...[...domains].filter((d) => d !== "").map((domain) => ({ domain, version: 1n })),
    ],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: create(GraphProtoSchema, {
      name,
      node: builder.nodes,
      initializer: builder.initializers,
      input: inputs.map(port),
      output: ports.map(port),
    }),
  });
  return { bytes: toBinary(ModelProtoSchema, model), inputs, outputs: ports, nodes: builder.nodes.length };
}
