/**
 * @module Loads a graph into a backend: as one model, or, where the backend has shards and the graph's work can be split
 * over the batch, as one model a shard and one for the rest. Whoever runs it sees no difference.
 */
import { toOnnx, type ModelOptions, type ModelPort } from "../onnx/model.ts";
import { partition, type Partition } from "../parallel/partition.ts";
import { localShape, type Sharded } from "../parallel/placement.ts";
import { optimize } from "../passes/optimize.ts";
import { reachable, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import type {
  Backend,
  RuntimeData,
  RuntimeTensor,
  Session,
  ShardModel,
  Shards,
  ShardSession,
} from "./backend.ts";

/** Below this many multiply-accumulates (some two milliseconds of a core) a step is not worth the messages. */
const WORTHWHILE = 5e7;
/** The part of the work that may remain for the rest. */
const REST = 0.05;

/** A graph that is ready to run. */
export interface OpenedSession {
  readonly session: Session;
  /** What must be fed. */
  readonly inputs: readonly ModelPort[];
  /** ONNX nodes and bytes, of all models together. */
  readonly nodes: number;
  readonly bytes: number;
  readonly shards: number;
}

/** Loads the graph that computes `outputs`. Inputs named `in.*` may have the batch as their first dimension. */
export async function openSession(
  backend: Backend,
  outputs: Readonly<Record<string, Tensor>>,
  options: ModelOptions = {},
): Promise<OpenedSession> {
  const { shards } = backend;
  // The most shards that divide the batch.
  for (let k = shards?.count ?? 1; k > 1; k--) {
    const found = partition(Object.values(outputs), k, (name) => name.startsWith("in."));
    if (found !== undefined && isWorthwhile(found)) return openSharded(backend, shards!, outputs, found);
  }
  const model = toOnnx(outputs, options);
  const session = await backend.createSession(model.bytes);
  return { session, inputs: model.inputs, nodes: model.nodes, bytes: model.bytes.length, shards: 1 };
}

const isWorthwhile = ({ cost: { shards, rest } }: Partition) =>
  shards >= WORTHWHILE && rest <= REST * (shards + rest);

async function openSharded(
  backend: Backend,
  shards: Shards,
  outputs: Readonly<Record<string, Tensor>>,
  found: Partition,
): Promise<OpenedSession> {
  const inputs = inputsOf(Object.values(outputs));
  const lowered = found.shards.map((shard) => toOnnx(optimized(shard)));
  const models = lowered.map((model): ShardModel => ({
    model: model.bytes,
    inputs: model.inputs.map(({ name, spec }) => ({
      name,
      shape: spec.shape,
      dtype: spec.dtype === "int64" ? "int64" : "float32",
    })),
    outputs: model.outputs.map(({ name, spec }) => ({ name, shape: spec.shape })),
  }));
  const rest = toOnnx(
    optimized(Object.fromEntries(Object.keys(outputs).map((name, i) => [name, found.rest[i]!]))),
  );
  const parts = await shards.open(models);
  let session: Session;
  try {
    session = await backend.createSession(rest.bytes);
  } catch (error) {
    await parts.release();
    throw error;
  }
  const shapes = new Map(inputs.map(({ name, spec }) => [name, spec.shape]));
  return {
    session: shardedSession(
      backend,
      parts,
      models.length,
      { session, inputs: rest.inputs },
      found.inputs,
      shapes,
    ),
    inputs,
    nodes: [...lowered, rest].reduce((sum, { nodes }) => sum + nodes, 0),
    bytes: [...lowered, rest].reduce((sum, { bytes }) => sum + bytes.length, 0),
    shards: models.length,
  };
}

/** Runs the shards, then the rest on what they found. */
function shardedSession(
  backend: Backend,
  parts: ShardSession,
  k: number,
  rest: { readonly session: Session; readonly inputs: readonly ModelPort[] },
  cuts: ReadonlyMap<string, Sharded>,
  shapes: ReadonlyMap<string, Shape>,
): Session {
  return {
    async run(feeds, fetches) {
      const results = await parts.run((i, name, target) => {
        const data = feeds[name]!.data as RuntimeData;
        const cut = cuts.get(name);
        if (cut === undefined) target.set(data as never);
        else copyShard(data, target, shapes.get(name)!, cut, k, i);
      });
      const fed: Record<string, RuntimeTensor> = {};
      for (const { name, spec } of rest.inputs) {
        const [, shard, crossed] = /^shard(\d+)\.(.+)$/.exec(name) ?? [];
        fed[name] =
          crossed === undefined
            ? feeds[name]!
            : backend.tensor(results[Number(shard)]!.get(crossed)!, spec.shape);
      }
      await rest.session.run(fed, fetches);
    },
    async release() {
      await Promise.all([parts.release(), rest.session.release()]);
    },
  };
}

/** Copies shard i's rows: the i-th k-th of every stretch. */
function copyShard(
  data: RuntimeData,
  target: Float32Array | BigInt64Array,
  shape: Shape,
  cut: Sharded,
  k: number,
  i: number,
): void {
  const length = sizeOf(localShape(shape, cut, k)) / cut.blocks;
  for (let block = 0; block < cut.blocks; block++) {
    const start = (block * k + i) * length;
    target.set(data.subarray(start, start + length) as never, block * length);
  }
}

function optimized(outputs: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> {
  const names = Object.keys(outputs);
  const tensors = optimize(Object.values(outputs));
  return Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
}

/** The inputs that a graph reads, each name once. */
function inputsOf(outputs: readonly Tensor[]): ModelPort[] {
  const ports = new Map<string, ModelPort>();
  for (const { op, attrs, outputs: made } of reachable(outputs)) {
    if (op.name !== "input") continue;
    const { name } = attrs as { readonly name: string };
    ports.set(name, { name, spec: made[0]! });
  }
  return [...ports.values()];
}
