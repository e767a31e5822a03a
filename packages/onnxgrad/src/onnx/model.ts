/**
 * @module Lowers a traced graph to an ONNX model: each node writes itself through its operation's lowering, constants
 * become initialisers (equal ones once), and the bytes are made with the published ONNX schema.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
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
import { GraphError, invariant } from "../errors.ts";
import type { LowerContext, OnnxAttribute, Processor } from "../ops/define-op.ts";
import { BatchGuard, type DynamicBatch } from "./dynamic-batch.ts";
import { atOnce } from "../slices.ts";
import { inputName } from "../trace/port-names.ts";
import { executionOrder } from "./execution-order.ts";
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
const ELEMENT: Readonly<Record<DType, number>> = { float32: 1, uint8: 2, int64: 7, bool: 9 };

const OPSET = 20n;

/** Storage buffers that WebGPU promises a shader, which is as many values as a node may read and write there. */
const STORAGE_BUFFERS = 8;

/** Nodes that are encoded in a piece. */
const NODES_AT_ONCE = 256;

/** What a model carries besides its graph. */
export interface ModelOptions {
  /** Key-value pairs kept in the file, e.g. configuration and licence. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly name?: string;
  /**
   * Makes the first dimension of inputs and outputs symbolic, for a graph that was traced with this batch and treats
   * every sample alone. A graph that would depend on the batch is refused.
   */
  readonly dynamicBatch?: DynamicBatch;
  /** Whose kernels operations are written for; default `cpu`. Either runs the model. */
  readonly processor?: Processor;
  /** Threads for which operations are written; default 1. Any number runs the model. */
  readonly threads?: number | undefined;
  /** Whether a node may have more inputs and outputs than the 8 that every WebGPU can bind; default false. */
  readonly manyValues?: boolean;
  /** See `LowerContext`. Such a model runs on processors of this width alone: not for files. */
  readonly block?: number | undefined;
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
  /** The graph node that each ONNX node was lowered from. */
  readonly origins: GraphNode[] = [];
  readonly processor: Processor;
  readonly threads: number;
  readonly block: number | undefined;
  readonly mostValues: number;
  /** Values that are the same in every run. */
  readonly #fixed = new Set<string>();
  /** Shapes that hold a zero. */
  readonly #empty = new Set<string>();
  readonly #batch: BatchGuard | undefined;
  #origin: GraphNode | undefined;
  readonly #constants = new Map<string, string>();
  readonly #taken: ReadonlySet<string>;
  #next = 0;

  /** `taken` are the public names, which no value inside may have. */
  constructor(
    taken: Iterable<string> = [],
    batch?: BatchGuard,
    {
      processor = "cpu",
      threads = 1,
      block,
      manyValues = false,
    }: Pick<ModelOptions, "processor" | "threads" | "block" | "manyValues"> = {},
  ) {
    this.#taken = new Set(taken);
    this.#batch = batch;
    this.processor = processor;
    this.threads = threads;
    this.block = block;
    this.mostValues = manyValues ? Infinity : STORAGE_BUFFERS;
  }

  /** Says which graph node is lowered from now on. */
  enter(node: GraphNode): void {
    this.#origin = node;
    this.#batch?.enter(node);
  }

  readonly isFixed = (value: string): boolean => this.#fixed.has(value);

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
    invariant(
      inputs.length + outputs <= this.mostValues,
      `${opType} of ${inputs.length} inputs and ${outputs} outputs: a shader binds ${this.mostValues} buffers`,
    );
    const names = Array.from({ length: outputs }, () => this.#name("v"));
    if (inputs.every((value) => value === "" || this.#fixed.has(value)))
      for (const name of names) this.#fixed.add(name);
    this.origins.push(this.#origin!);
    this.nodes.push(
      create(NodeProtoSchema, {
        opType,
        domain,
        name: `${opType}_${this.nodes.length}`,
        input: [...inputs],
        output: names,
        attribute: Object.entries(
          // Without it, a zero in the target of a Reshape stands for the extent that was there.
          opType === "Reshape" && this.#empty.has(inputs[1]!) ? { ...attrs, allowzero: 1n } : attrs,
        ).map(([name, value]) => attribute(name, value)),
      }),
    );
    return names;
  }

  floats(shape: Shape, values: ArrayLike<number>): string {
    this.#batch?.refuse("extent", shape);
    const data = Float32Array.from(values);
    return this.#constant(ELEMENT.float32, shape, new Uint8Array(data.buffer));
  }

  ints(values: readonly number[] | number): string {
    const list = typeof values === "number" ? [values] : values;
    this.#batch?.refuse("index", list);
    return this.#ints(list, typeof values === "number" ? [] : [list.length]);
  }

  sums(groups: readonly (readonly number[])[]): string {
    // A sum may happen to be a multiple of the batch.
    this.#batch?.refuse("index", groups.flat());
    return this.#ints(
      groups.map((group) => group.reduce((a, b) => a + b, 0)),
      [groups.length],
    );
  }

  shape(dims: Shape): string {
    const name = this.#ints(this.#batch?.shape(dims) ?? dims, [dims.length]);
    if (dims.includes(0)) this.#empty.add(name);
    return name;
  }

  /** A constant of no elements. */
  nothing({ shape, dtype }: Spec): string {
    return this.#constant(ELEMENT[dtype], shape, new Uint8Array(0));
  }

  expansion(from: Shape, to: Shape): string {
    return this.#ints(this.#batch?.expansion(from, to) ?? to, [to.length]);
  }

  #ints(values: readonly number[], shape: Shape): string {
    return this.#constant(
      ELEMENT.int64,
      shape,
      new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer),
    );
  }

  #constant(dataType: number, shape: Shape, bytes: Uint8Array<ArrayBuffer>): string {
    const key =
      bytes.length <= 4096 ? `${dataType}|${shape.join(",")}|${String.fromCharCode(...bytes)}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#name("c");
    this.#fixed.add(name);
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

function port({ name, spec }: ModelPort, batch: DynamicBatch | undefined) {
  const dim = (n: number, axis: number) =>
    batch !== undefined && axis === 0 && n === batch.traced
      ? { value: { case: "dimParam" as const, value: batch.name } }
      : { value: { case: "dimValue" as const, value: BigInt(n) } };
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: ELEMENT[spec.dtype],
          shape: { dim: spec.shape.map(dim) },
        },
      },
    },
  });
}

/** The inputs among `nodes`, each name once. @throws GraphError when two of one name differ. */
export function inputPorts(nodes: readonly GraphNode[]): ModelPort[] {
  const ports = new Map<string, ModelPort>();
  for (const node of nodes) {
    const name = inputName(node);
    if (name === undefined) continue;
    const spec = node.outputs[0]!;
    const before = ports.get(name);
    if (before && formatSpec(before.spec) !== formatSpec(spec))
      throw new GraphError(
        `toOnnx: two inputs are named "${name}", ${formatSpec(before.spec)} and ${formatSpec(spec)}. Rename one of them.`,
      );
    ports.set(name, before ?? { name, spec });
  }
  return [...ports.values()];
}

/** @throws GraphError unless the batch, where a port has it, is the first dimension as it is. */
function requireBatchFirst(ports: readonly ModelPort[], guard: BatchGuard, { traced }: DynamicBatch): void {
  const wrong = ports.find(({ spec }) =>
    spec.shape.some((n, axis) => guard.holds(n) && !(axis === 0 && n === traced)),
  );
  if (wrong)
    throw new GraphError(
      `toOnnx: "${wrong.name}" ${formatSpec(wrong.spec)} has the batch ${traced} elsewhere than as its first dimension. Transpose or reshape it.`,
    );
}

/** A graph as ONNX nodes, before it becomes bytes. */
export interface LoweredGraph {
  readonly builder: ModelBuilder;
  readonly inputs: readonly ModelPort[];
  readonly outputs: readonly ModelPort[];
}

/**
 * Lowers the graph that computes `outputs` (by name) to one ONNX model. Inputs of the model are the `input` nodes
 * that are reached, under their own names.
 * @throws GraphError when two inputs of one name differ, an output has the name of an input, or `dynamicBatch` is set
 * and the graph depends on the batch.
 */
export function toOnnx(outputs: Readonly<Record<string, Tensor>>, options: ModelOptions = {}): LoweredModel {
  return atOnce(writingModel(outputs, options));
}

/** {@link toOnnx} in pieces. */
export function* writingModel(
  outputs: Readonly<Record<string, Tensor>>,
  options: ModelOptions = {},
): Generator<void, LoweredModel> {
  return yield* encodingModel(yield* lowering(outputs, options), options);
}

/** The first half of {@link toOnnx}. */
export function lowerGraph(
  outputs: Readonly<Record<string, Tensor>>,
  options: ModelOptions = {},
): LoweredGraph {
  return atOnce(lowering(outputs, options));
}

/** {@link lowerGraph} in pieces, a node each. */
export function* lowering(
  outputs: Readonly<Record<string, Tensor>>,
  { dynamicBatch, ...kernels }: ModelOptions = {},
): Generator<void, LoweredGraph> {
  const nodes = reachable(Object.values(outputs));
  const inputs = inputPorts(nodes);
  const shared = inputs.find((each) => Object.hasOwn(outputs, each.name));
  if (shared)
    throw new GraphError(`toOnnx: "${shared.name}" names an input and an output. Rename one of them.`);
  const guard = dynamicBatch && new BatchGuard(dynamicBatch);
  const taken = [...Object.keys(outputs), ...inputs.map((each) => each.name)];
  const builder = new ModelBuilder(taken, guard, kernels);
  const names = new Map<Tensor, string>();
  for (const node of executionOrder(nodes)) {
    builder.enter(node);
    const from = node.inputs.map((input) => names.get(input)!);
    // What makes nothing need not run: ONNX Runtime's kernels differ in what they do then.
    const isEmpty = node.op.name !== "input" && node.outputs.every(({ size }) => size === 0);
    const made = isEmpty
      ? node.outputs.map((tensor) => builder.nothing(tensor))
      : node.op.lower(builder, from, { attrs: node.attrs, inputs: node.inputs, outputs: node.outputs });
    node.outputs.forEach((tensor, i) => names.set(tensor, made[i]!));
    yield;
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
  if (guard) requireBatchFirst([...inputs, ...ports], guard, dynamicBatch);
  return { builder, inputs, outputs: ports };
}

/** The second half of {@link toOnnx}. */
export function encodeModel(graph: LoweredGraph, options: ModelOptions = {}): LoweredModel {
  return atOnce(encodingModel(graph, options));
}

/** {@link encodeModel} in pieces: the bytes of one message, whose fields stand in the order of their numbers. */
export function* encodingModel(
  { builder, inputs, outputs }: LoweredGraph,
  { metadata = {}, name = "onnxgrad", dynamicBatch }: ModelOptions = {},
): Generator<void, LoweredModel> {
  const graph: Uint8Array[] = [];
  for (let at = 0; at < builder.nodes.length; at += NODES_AT_ONCE) {
    const some = create(GraphProtoSchema, { node: builder.nodes.slice(at, at + NODES_AT_ONCE) });
    graph.push(toBinary(GraphProtoSchema, some));
    yield;
  }
  graph.push(toBinary(GraphProtoSchema, create(GraphProtoSchema, { name })));
  for (const each of builder.initializers) {
    const bytes = toBinary(TensorProtoSchema, each);
    graph.push(fieldStart(GraphProtoSchema.field.initializer.number, bytes.length), bytes);
    yield;
  }
  const ports = {
    input: inputs.map((each) => port(each, dynamicBatch)),
    output: outputs.map((each) => port(each, dynamicBatch)),
  };
  graph.push(toBinary(GraphProtoSchema, create(GraphProtoSchema, ports)));
  const domains = new Set(builder.nodes.map((node) => node.domain));
  const model = create(ModelProtoSchema, { irVersion: 9n, producerName: "onnxgrad" });
  const rest = create(ModelProtoSchema, {
    opsetImport: [
      { domain: "", version: OPSET },
      ...[...domains].filter((d) => d !== "").map((domain) => ({ domain, version: 1n })),
    ],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });
  const bytes = yield* joining([
    toBinary(ModelProtoSchema, model),
    fieldStart(ModelProtoSchema.field.graph.number, lengthOf(graph)),
    ...graph,
    toBinary(ModelProtoSchema, rest),
  ]);
  return { bytes, inputs, outputs, nodes: builder.nodes.length };
}

/** What stands before the bytes of a message within another. */
function fieldStart(number: number, length: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish();
}

const lengthOf = (pieces: readonly Uint8Array[]): number =>
  pieces.reduce((total, { length }) => total + length, 0);

function* joining(pieces: readonly Uint8Array[]): Generator<void, Uint8Array> {
  const whole = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
    yield;
  }
  return whole;
}
