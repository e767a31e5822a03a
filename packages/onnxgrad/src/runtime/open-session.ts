/**
 * @module Loads a graph into a backend: as one model, or, where the backend has shards and the graph's work can be split
 * over the batch, as one model a shard and one for the rest. Whoever runs it sees no difference.
 */
import {
  inputPorts,
  type LoweredModel,
  type ModelOptions,
  type ModelPort,
  writingModel,
} from "../onnx/model.ts";
import { type Partition, partitioning } from "../parallel/partition.ts";
import { optimizing } from "../passes/optimize.ts";
import { inSlices, slices } from "../slices.ts";
import { inputName, portNamed } from "../trace/port-names.ts";
import { reachable, type Shape, type Tensor } from "../trace/tensor.ts";
import { fitting, named, type Outputs } from "./backend-passes.ts";
import { convolutionBlock } from "./convolution-block.ts";
import type { Backend, Session, ShardModel, ShardPlan } from "./backend.ts";
import { overwritable } from "./in-place.ts";
import { wholeInputs } from "./input-views.ts";
import { openPlan } from "./sharded-session.ts";

/** Below this many multiply-accumulates (some two milliseconds of a core) a step is not worth the messages. */
const WORTHWHILE = 5e7;
/** The part of the work that may remain for the rest. */
const REST = 0.05;

/** A graph that is ready to run. */
export interface OpenedSession {
  readonly session: Session;
  /** What must be fed. */
  readonly inputs: readonly ModelPort[];
  /** Outputs that may be written over the inputs that they replace. */
  readonly overwritten: ReadonlySet<string>;
  /** ONNX nodes and bytes, of all models together. */
  readonly nodes: number;
  readonly bytes: number;
  readonly shards: number;
}

/** Awaited between the pieces of the work. */
type Pause = () => Promise<void>;

/** Loads the graph that computes `outputs`. What is fed may have the batch as its first dimension. */
export async function openSession(
  backend: Backend,
  outputs: Outputs,
  options: ModelOptions = {},
  pause: Pause = slices(),
): Promise<OpenedSession> {
  const kernels: ModelOptions = {
    processor: backend.processor,
    threads: backend.threads,
    block: await convolutionBlock(backend),
    // Of one node, parts are copied once.
    manyValues: backend.processor === "cpu",
  };
  const count = backend.planned?.count ?? backend.shards?.count ?? 1;
  // The most shards that divide the batch.
  for (let k = count; k > 1; k--) {
    const isBatched = (name: string) => portNamed(name)?.is === "in";
    const found = await inSlices(partitioning(Object.values(outputs), k, isBatched), pause);
    if (found !== undefined && isWorthwhile(found))
      return openSharded(backend, outputs, found, kernels, pause);
  }
  const prepared = await prepare(backend, kernels, outputs, pause);
  const model = await inSlices(writingModel(prepared, { ...kernels, ...options }), pause);
  const session = await backend.createSession(model.bytes);
  const inputs = wholeInputs(model.inputs, shapesOf(outputs));
  return {
    session,
    inputs,
    overwritten: overwritten(backend, prepared),
    nodes: model.nodes,
    bytes: model.bytes.length,
    shards: 1,
  };
}

/** The graph as the backend is to run it. */
const prepare = ({ inPlace = false }: Backend, { block }: ModelOptions, outputs: Outputs, pause: Pause) =>
  inSlices(fitting({ inPlace, block }, outputs), pause);

const overwritten = ({ inPlace = false }: Backend, prepared: Outputs) =>
  inPlace ? overwritable(prepared) : new Set<string>();

/** Shapes of the inputs of a graph. */
function shapesOf(outputs: Outputs): (name: string) => Shape {
  const ports = inputPorts(reachable(Object.values(outputs)));
  const shapes = new Map(ports.map(({ name, spec }) => [name, spec.shape]));
  return (name) => shapes.get(name)!;
}

const isWorthwhile = ({ cost: { shards, rest } }: Partition) =>
  shards >= WORTHWHILE && rest <= REST * (shards + rest);

async function openSharded(
  backend: Backend,
  outputs: Outputs,
  found: Partition,
  kernels: ModelOptions,
  pause: Pause,
): Promise<OpenedSession> {
  const inputs = inputPorts(reachable(Object.values(outputs)));
  const lowered: LoweredModel[] = [];
  for (const shard of found.shards) {
    const ready = await optimized(backend, kernels, shard, pause);
    lowered.push(await inSlices(writingModel(ready, { ...kernels, threads: 1 }), pause));
  }
  const models = lowered.map((model, i): ShardModel => ({
    model: model.bytes,
    inputs: wholeInputs(model.inputs, shapesOf(found.shards[i]!)).map(({ name, spec }) => ({
      name,
      shape: spec.shape,
      dtype: spec.dtype === "int64" ? "int64" : "float32",
    })),
    outputs: model.outputs.map(({ name, spec }) => ({ name, shape: spec.shape })),
  }));
  const afterwards = Object.keys(outputs).map((name, i) => [name, found.rest[i]!] as const);
  const joined = new Map(
    afterwards.flatMap(([name, tensor]) => {
      const crossed = joinedFrom(tensor);
      return crossed === undefined ? [] : [[name, crossed] as const];
    }),
  );
  const restOutputs = Object.fromEntries(afterwards.filter(([name]) => !joined.has(name)));
  const prepared = await optimized(backend, kernels, restOutputs, pause);
  const rest =
    joined.size === afterwards.length ? undefined : await inSlices(writingModel(prepared, kernels), pause);
  const restInputs = wholeInputs(rest?.inputs ?? [], shapesOf(restOutputs));
  const plan: ShardPlan = {
    models,
    joined,
    ...(rest && {
      rest: { model: rest.bytes, inputs: restInputs.map(({ name, spec }) => ({ name, shape: spec.shape })) },
    }),
    cuts: found.inputs,
    shapes: new Map(inputs.map(({ name, spec }) => [name, spec.shape])),
  };
  const all = rest === undefined ? lowered : [...lowered, rest];
  return {
    session: await (backend.planned ?? { open: (each: ShardPlan) => openPlan(backend, each) }).open(plan),
    inputs,
    overwritten: overwritten(backend, prepared),
    nodes: all.reduce((sum, { nodes }) => sum + nodes, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes.length, 0),
    shards: models.length,
  };
}

/** The name of the shards' outputs that a tensor of the rest is, one after the other, if it is. */
function joinedFrom({ node: { op, inputs, attrs } }: Tensor): string | undefined {
  if (op.name !== "concat" || (attrs as { readonly axis: number }).axis !== 0) return undefined;
  const names = inputs.map(({ node, dtype }, i) => {
    const port = dtype === "float32" ? portNamed(inputName(node) ?? "") : undefined;
    return port?.is === "shard" && port.shard === i ? port.name : undefined;
  });
  return new Set(names).size === 1 ? names[0] : undefined;
}

/** The graph of a shard or of the rest, ready to be written. */
async function optimized(
  backend: Backend,
  kernels: ModelOptions,
  outputs: Outputs,
  pause: Pause,
): Promise<Outputs> {
  const tensors = await inSlices(optimizing(Object.values(outputs)), pause);
  return prepare(backend, kernels, named(outputs, tensors), pause);
}
