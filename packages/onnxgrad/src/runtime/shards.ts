/** @module Worker threads that run the shards of a model at the same time, one thread a shard. */
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { UserError } from "../errors.ts";
import { sizeOf } from "../trace/tensor.ts";
import type { ShardModel, ShardSession, Shards } from "./backend.ts";
import type { NodeOptions } from "./node.ts";
import type { MovedOutput, ShardAnswer, ShardRequest, SharedInput } from "./shard-thread.ts";
import { startThread } from "./start-thread.ts";

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
      const shared = new Map<string, Float32Array | BigInt64Array>();
      try {
        await Promise.all(
          own.map((thread, i) => thread.load(session, models[i]!, inputsOf(models[i]!, i, shared))),
        );
      } catch (error) {
        await end();
        throw error;
      }
      let outputs = models.map(outputsOf);
      let released: Promise<void> | undefined;
      return {
        input: (name, shard) => shared.get(`${shard}/${name}`) ?? shared.get(name)!,
        async run() {
          const sent = outputs;
          // They move to the threads: after a failure there are none.
          outputs = models.map(() => []);
          try {
            outputs = await Promise.all(own.map((thread, i) => thread.run(session, sent[i]!)));
          } catch (error) {
            outputs = models.map(outputsOf);
            throw error;
          }
          return outputs.map((list) => new Map(list.map(({ name, data }) => [name, data])));
        },
        release: () => (released ??= Promise.all(own.map((thread) => thread.release(session))).then(end)),
      };
    },
  };
}

const outputsOf = ({ outputs }: ShardModel): readonly MovedOutput[] =>
  outputs.map(({ name, shape }) => ({ name, shape, data: new Float32Array(sizeOf(shape)) }));

/** Settings of one shard: one thread, and a profile of its own where one is asked for. */
const shardOptions = ({ profile, ...options }: NodeOptions, i: number): NodeOptions => ({
  ...options,
  threads: 1,
  shards: 1,
  ...(profile !== undefined && { profile: `${profile}-shard${i}` }),
});

/** Shared memory for the inputs of shard i; what is the same for all is there once. */
function inputsOf(
  { inputs }: ShardModel,
  i: number,
  shared: Map<string, Float32Array | BigInt64Array>,
): SharedInput[] {
  return inputs.map(({ name, shape, dtype, own }) => {
    const key = own ? `${i}/${name}` : name;
    let data = shared.get(key);
    if (data === undefined) {
      const size = sizeOf(shape);
      data =
        dtype === "int64"
          ? new BigInt64Array(new SharedArrayBuffer(size * BigInt64Array.BYTES_PER_ELEMENT))
          : new Float32Array(new SharedArrayBuffer(size * Float32Array.BYTES_PER_ELEMENT));
      shared.set(key, data);
    }
    return { name, shape, data };
  });
}

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

  async load(session: number, { model }: ShardModel, inputs: readonly SharedInput[]): Promise<void> {
    await this.#ask({ do: "load", session, model, inputs });
  }

  async run(session: number, outputs: readonly MovedOutput[]): Promise<readonly MovedOutput[]> {
    const moved = outputs.map(({ data }) => data.buffer as ArrayBuffer);
    return (await this.#ask({ do: "run", session, outputs }, moved)).outputs!;
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
    if (answer.error !== undefined) throw answer.error;
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
