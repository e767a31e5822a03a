/** @module Worker threads that run the shards of a model at the same time, one thread a shard. */
import { sizeOf } from "../../trace/tensor.ts";
import type { ShardModel, ShardSession, Shards } from "../backend.ts";
import type { NodeOptions } from "./node-options.ts";
import {
  buffersOf,
  type MovedArray,
  type ShardAnswer,
  type ShardArrays,
  type ShardRequest,
} from "./shard-messages.ts";
import { ThreadCalls } from "../threads/thread-calls.ts";
import { Lifetime, SESSION, Turns } from "../../turns.ts";

/** Writes an input of a shard. */
type Fill = Parameters<ShardSession["run"]>[0];

/**
 * Threads for up to `count` shards. They start with the first session and end with the last; idle ones do not keep the
 * process alive.
 */
export function nodeShards(count: number, options: NodeOptions): Shards {
  let threads: readonly ShardThread[] = [];
  let sessions = 0;
  let next = 0;
  const end = async () => {
    if (--sessions > 0) return;
    const ended = threads;
    threads = [];
    await Promise.all(ended.map((thread) => thread.end()));
  };
  const openings = new Turns();
  return { count, open: (models) => openings.take(() => open(models)) };

  async function open(models: readonly ShardModel[]): Promise<ShardSession> {
    sessions++;
    if (threads.some((thread) => thread.isOver)) {
      // Sessions of the others are of no use without the one that died.
      await Promise.all(threads.map((thread) => thread.end()));
      threads = [];
    }
    for (let i = threads.length; i < models.length; i++)
      threads = [...threads, new ShardThread(shardOptions(options, i))];
    const own = threads.slice(0, models.length);
    const session = next++;
    try {
      await Promise.all(own.map((thread, i) => thread.load(session, models[i]!)));
    } catch (error) {
      await end();
      throw error;
    }
    let arrays = models.map(arraysOf);
    const lifetime = new Lifetime({
      ...SESSION,
      async free() {
        try {
          await Promise.all(own.map((thread) => thread.release(session)));
        } finally {
          await end();
        }
      },
    });
    return { run: (fill) => lifetime.run(() => run(fill)), release: () => lifetime.dispose() };

    async function run(fill: Fill): ReturnType<ShardSession["run"]> {
      const sent = arrays;
      // They move to the threads: after a failure there are none.
      arrays = [];
      try {
        arrays = await Promise.all(
          own.map((thread, i) => {
            for (const { name, data } of sent[i]!.inputs) fill(i, name, data);
            return thread.run(session, sent[i]!);
          }),
        );
      } catch (error) {
        arrays = models.map(arraysOf);
        throw error;
      }
      return arrays.map(
        ({ outputs }) => new Map(outputs.map(({ name, data }) => [name, data as Float32Array])),
      );
    }
  }
}

/** Arrays for a shard's inputs and outputs, which move to its thread and back with every run. */
const arraysOf = ({ inputs, outputs }: ShardModel): ShardArrays => ({
  inputs: inputs.map(({ name, shape, dtype }): MovedArray => ({
    name,
    shape,
    data: dtype === "int64" ? new BigInt64Array(sizeOf(shape)) : new Float32Array(sizeOf(shape)),
  })),
  outputs: outputs.map(({ name, shape }): MovedArray => ({
    name,
    shape,
    data: new Float32Array(sizeOf(shape)),
  })),
});

/** Settings of one shard: one thread, and a profile of its own where one is asked for. */
const shardOptions = ({ profile, ...options }: NodeOptions, i: number): NodeOptions => ({
  ...options,
  threads: 1,
  shards: 1,
  ...(profile !== undefined && { profile: `${profile}-shard${i}` }),
});

/** One thread and what it has been asked. */
class ShardThread {
  readonly #calls: ThreadCalls<ShardRequest, ShardAnswer>;

  constructor(options: NodeOptions) {
    this.#calls = new ThreadCalls(
      new URL("./shard-thread", import.meta.url),
      options,
      (reason) => `a shard's thread of ONNX Runtime has ended: ${reason}. Compile again.`,
    );
  }

  get isOver(): boolean {
    return this.#calls.failure !== undefined;
  }

  async load(session: number, { model }: ShardModel): Promise<void> {
    await this.#calls.ask({ do: "load", session, model });
  }

  async run(session: number, arrays: ShardArrays): Promise<ShardArrays> {
    return (await this.#calls.ask({ do: "run", session, arrays }, buffersOf(arrays))).arrays!;
  }

  async release(session: number): Promise<void> {
    if (!this.isOver) await this.#calls.ask({ do: "release", session });
  }

  async end(): Promise<void> {
    if (!this.isOver) await this.#calls.end();
  }
}
