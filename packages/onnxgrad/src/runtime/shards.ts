/** @module Worker threads that run the shards of a model at the same time, one thread a shard. */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { UserError } from "../errors.ts";
import { sizeOf } from "../trace/tensor.ts";
import type { ShardModel, ShardSession, Shards } from "./backend.ts";
import type { NodeOptions } from "./node.ts";
import {
  buffersOf,
  type MovedArray,
  type ShardAnswer,
  type ShardArrays,
  type ShardRequest,
} from "./shard-messages.ts";
import { startThread } from "./start-thread.ts";

/** How many shards a backend of these settings has. @throws UserError `node/shards`. */
export function shardCount({ provider = "cpu", profile, threads, shards }: NodeOptions): number {
  // Shards would write a profile each: whoever asks for one wants the whole in one file.
  const byDefault = provider === "cpu" && profile === undefined ? (threads ?? availableParallelism()) : 1;
  const count = shards ?? byDefault;
  if (!Number.isInteger(count) || count < 1 || (count > 1 && provider !== "cpu"))
    throw new UserError(
      "node/shards",
      `node({ shards: ${count} }): give a whole number from 1, and more than 1 only with provider "cpu".`,
    );
  return count;
}

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
  return {
    count,
    async open(models): Promise<ShardSession> {
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
      let released: Promise<void> | undefined;
      return {
        async run(fill) {
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
        },
        release: () => (released ??= Promise.all(own.map((thread) => thread.release(session))).then(end)),
      };
    },
  };
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

type Unnumbered<R = ShardRequest> = R extends ShardRequest ? Omit<R, "id"> : never;

/** One thread and what it has been asked. */
class ShardThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve(answer: ShardAnswer): void; reject(error: UserError): void }
  >();
  #nextId = 0;
  #failure: UserError | undefined;

  constructor(options: NodeOptions) {
    this.#worker = startThread("shard-thread", options);
    this.#worker.on("message", (answer: ShardAnswer) => {
      const { resolve } = this.#waiting.get(answer.id)!;
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) this.#worker.unref();
      resolve(answer);
    });
    this.#worker.on("error", (cause) => this.#fail(cause.message, cause));
    this.#worker.on("exit", (code) => this.#fail(`exit code ${String(code)}`));
  }

  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  async load(session: number, { model }: ShardModel): Promise<void> {
    await this.#ask({ do: "load", session, model });
  }

  async run(session: number, arrays: ShardArrays): Promise<ShardArrays> {
    return (await this.#ask({ do: "run", session, arrays }, buffersOf(arrays))).arrays!;
  }

  async release(session: number): Promise<void> {
    if (!this.isOver) await this.#ask({ do: "release", session });
  }

  async end(): Promise<void> {
    if (this.isOver) return;
    const ended = once(this.#worker, "exit");
    await this.#worker.terminate();
    await ended;
  }

  /** @throws what the thread threw, or UserError `worker/exit` when it ends before it has answered. */
  async #ask(request: Unnumbered, moved: readonly ArrayBuffer[] = []): Promise<ShardAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#nextId++;
    const answer = await new Promise<ShardAnswer>((resolve, reject) => {
      this.#worker.postMessage({ id, ...request } satisfies ShardRequest, moved);
      this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
    });
    if (answer.error !== undefined) throw answer.error as Error;
    return answer;
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= new UserError(
      "worker/exit",
      `a shard's thread of ONNX Runtime has ended: ${reason}. Compile again.`,
      { cause },
    );
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
