/** @module A program over the shards of the batch, run as one: the shards at the same time, then the rest, if any. */
import { localShape, type Sharded } from "../ops/placement.ts";
import { portNamed } from "../trace/port-names.ts";
import { type Shape, sizeOf } from "../trace/tensor.ts";
import type { Backend, RuntimeData, RuntimeTensor, Session, ShardPlan } from "./backend.ts";
import { Lifetime, SESSION } from "../turns.ts";

type Tensors = Readonly<Record<string, RuntimeTensor>>;

/** Loads the models of `plan` into the shards of `backend` and into itself. */
export async function openPlan(backend: Backend, plan: ShardPlan): Promise<Session> {
  const { models, joined, rest, cuts, shapes } = plan;
  const parts = await backend.shards!.open(models);
  let last: Session | undefined;
  try {
    last = rest && (await backend.createSession(rest.model));
  } catch (error) {
    await parts.release();
    throw error;
  }
  const lifetime = new Lifetime({
    ...SESSION,
    async free() {
      await Promise.all([parts.release(), last?.release()]);
    },
  });
  return {
    run: (feeds, fetches) => lifetime.run(() => run(feeds, fetches)),
    release: () => lifetime.dispose(),
  };

  async function run(feeds: Tensors, fetches: Tensors): Promise<void> {
    const results = await parts.run((i, name, target) => {
      const data = feeds[name]!.data as RuntimeData;
      const cut = cuts.get(name);
      if (cut === undefined) target.set(data as never);
      else copyShard(data, target, shapes.get(name)!, cut, models.length, i);
    });
    for (const [name, crossed] of joined) {
      const target = fetches[name]?.data as Float32Array | undefined;
      let start = 0;
      for (const result of results) {
        const part = result.get(crossed)!;
        target?.set(part, start);
        start += part.length;
      }
    }
    if (last === undefined) return;
    const fed: Record<string, RuntimeTensor> = {};
    for (const { name, shape } of rest!.inputs) {
      const port = portNamed(name);
      fed[name] =
        port?.is === "shard" ? backend.tensor(results[port.shard]!.get(port.name)!, shape) : feeds[name]!;
    }
    const computed = Object.entries(fetches).filter(([name]) => !joined.has(name));
    await last.run(fed, Object.fromEntries(computed));
  }
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
