/**
 * @module The Node backend in a thread of its own, so that whoever trains stays responsive. Functions cannot cross
 * threads, models can: graphs are traced and lowered here, and the thread gets ONNX bytes. For the thread's memory the
 * state is on a device: it stays there between runs and comes back when asked for.
 */
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { UserError } from "../errors.ts";
import type { Backend, RuntimeData, RuntimeTensor, Session, ShardPlan } from "./backend.ts";
import type { NodeOptions } from "./node.ts";
import type { Answer, Request, WireBuffer, WireOutput, WireTensor } from "./node-worker-thread.ts";
import { shardCount } from "./shards.ts";
import { startThread } from "./start-thread.ts";

/** Values on this side, for the inputs and outputs of a run. */
interface LocalTensor {
  readonly data: RuntimeData;
  readonly shape: readonly number[];
}

/** A buffer of the state: on this side, or in a thread. */
interface StateBuffer {
  readonly shape: readonly number[];
  data: Float32Array | undefined;
  place: { readonly thread: Thread; readonly buffer: number } | undefined;
}

/**
 * What `node(options)` is, in a worker thread: `run` resolves when the thread has answered, and the event loop is free
 * meanwhile. The state lives in the thread: `await state.pull()` before reading it. All else is as with `node()`.
 *
 * The thread starts with the first program and ends with the `dispose` of the last, when it gives the state back; an
 * idle one does not keep the process alive. Where it dies, `run` and `pull` throw `worker/exit`: the next
 * program has a new thread, and a state that was in the old one must be loaded again.
 * @example
 * const step = await compile(nodeWorker({ threads: 2 }), options, build);
 */
export function nodeWorker(options: NodeOptions = {}): Backend {
  let thread: Thread | undefined;
  const traffic = { toDevice: 0, toHost: 0 };
  const shards = shardCount(options);
  const open = (model: Uint8Array | ShardPlan): Promise<Session> => {
    if (thread === undefined || thread.isOver) thread = new Thread(options, traffic);
    return thread.open(model);
  };
  return {
    name: `node-${options.provider ?? "cpu"}-worker`,
    tensor: (data, shape): LocalTensor => ({ data, shape }),
    createSession: open,
    ...(shards > 1 && { planned: { count: shards, open } }),
    device: {
      traffic,
      // It moves with the first run that needs it.
      upload: (data, shape) => Promise.resolve<StateBuffer>({ shape, data: data.slice(), place: undefined }),
      async download(tensor, target) {
        const buffer = tensor as StateBuffer;
        target.set(buffer.data ?? (await buffer.place!.thread.read(buffer)));
      },
      free(tensor) {
        const { place } = tensor as StateBuffer;
        place?.thread.free(place.buffer);
      },
    },
  };
}

/** A worker thread and what it has been asked. Over means: it has ended, or is about to since no session is left. */
class Thread {
  readonly #worker: Worker;
  readonly #traffic: { toDevice: number; toHost: number };
  readonly #waiting = new Map<number, { resolve(answer: Answer): void; reject(error: UserError): void }>();
  readonly #buffers = new Map<number, StateBuffer>();
  readonly #ended: Promise<unknown>;
  #nextId = 0;
  #sessions = 0;
  #failure: UserError | undefined;
  #over = false;

  constructor(options: NodeOptions, traffic: { toDevice: number; toHost: number }) {
    this.#traffic = traffic;
    this.#worker = startThread("node-worker-thread", options);
    this.#worker.on("message", (answer: Answer) => {
      const { resolve } = this.#waiting.get(answer.id)!;
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) this.#worker.unref();
      resolve(answer);
    });
    this.#worker.on("error", (cause) => this.#fail(cause.message, cause));
    this.#ended = once(this.#worker, "exit").then(([code]) => this.#fail(`exit code ${String(code)}`));
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Loads a model, or those of a program that is split. */
  async open(model: Uint8Array | ShardPlan): Promise<Session> {
    const session = this.#nextId++;
    this.#sessions++;
    try {
      await this.#ask({ do: "load", session, model });
    } catch (error) {
      await this.#close();
      throw error;
    }
    let released: Promise<void> | undefined;
    const release = async (): Promise<void> => {
      // What has ended is released.
      if (this.#failure === undefined) await this.#ask({ do: "release", session });
      await this.#close();
    };
    return {
      run: async (feeds, fetches) => {
        if (released !== undefined)
          throw new UserError("run/disposed", "this program has been disposed of. Compile it again.");
        await this.#run(session, feeds, fetches);
      },
      release: () => (released ??= release()),
    };
  }

  /** The values of a buffer that is here. */
  async read(buffer: StateBuffer): Promise<Float32Array> {
    // One that is about to end gives them back first.
    if (this.#over) await this.#ended;
    if (buffer.data !== undefined) return buffer.data;
    const { buffer: id } = buffer.place!;
    const { values } = await this.#ask({ do: "read", buffer: id });
    const data = values!.get(id)!;
    this.#traffic.toHost += data.byteLength;
    return data;
  }

  /** Forgets a buffer. */
  free(buffer: number): void {
    this.#buffers.delete(buffer);
    // The thread may have ended: then it is free already.
    this.#ask({ do: "free", buffer }).catch(() => undefined);
  }

  async #run(
    session: number,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, RuntimeTensor>>,
  ): Promise<void> {
    const all = [...Object.values(feeds), ...Object.values(fetches)];
    for (const { place } of all.filter(isStateBuffer))
      if (place !== undefined && place.thread !== this && place.thread.isOver) await place.thread.#ended;
    const moved: ArrayBuffer[] = [];
    const move = <A extends RuntimeData>(data: A): A => {
      this.#traffic.toDevice += data.byteLength;
      moved.push(data.buffer as ArrayBuffer);
      return data;
    };
    const request = {
      do: "run",
      session,
      feeds: mapValues(feeds, (tensor): WireTensor | WireBuffer => {
        if (isStateBuffer(tensor)) return this.#wire(tensor, move);
        const { data, shape } = tensor as LocalTensor;
        return { data: move(data.slice()), shape };
      }),
      fetches: mapValues(fetches, (tensor): WireOutput | WireBuffer => {
        if (isStateBuffer(tensor)) return this.#wire(tensor, move);
        const { data, shape } = tensor as LocalTensor;
        return { kind: kindOf(data), shape };
      }),
    } as const;
    const { outputs } = await this.#ask(request, moved);
    for (const [name, values] of Object.entries(outputs!)) {
      (fetches[name]!.data as Uint8Array).set(values as Uint8Array);
      this.#traffic.toHost += values.byteLength;
    }
  }

  /** A buffer as the thread knows it; the first time it moves there. */
  #wire(buffer: StateBuffer, move: (data: Float32Array) => Float32Array): WireBuffer {
    const { place, data, shape } = buffer;
    if (place !== undefined) {
      if (place.thread !== this) throw place.thread.#failure!;
      return { buffer: place.buffer, shape };
    }
    const id = this.#nextId++;
    buffer.place = { thread: this, buffer: id };
    buffer.data = undefined;
    this.#buffers.set(id, buffer);
    return { buffer: id, shape, data: move(data!) };
  }

  /** @throws what the thread threw, or UserError `worker/exit` when it ends before it has answered. */
  async #ask(request: Unnumbered, moved: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#nextId++;
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#worker.postMessage({ id, ...request } satisfies Request, moved);
      this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
    });
    const { error, code } = answer;
    if (code !== undefined) throw new UserError(code, (error as Error).message, { cause: error });
    if (error !== undefined) throw error as Error;
    return answer;
  }

  /** A session less; with the last one the thread gives the state back and ends. */
  async #close(): Promise<void> {
    if (--this.#sessions > 0 || this.#over) return;
    this.#over = true;
    const { values } = await this.#ask({ do: "empty" });
    for (const [id, data] of values!) {
      const buffer = this.#buffers.get(id);
      if (buffer === undefined) continue;
      buffer.data = data;
      buffer.place = undefined;
    }
    await this.#worker.terminate();
    await this.#ended;
  }

  #fail(reason: string, cause?: unknown): void {
    this.#over = true;
    this.#failure ??= new UserError(
      "worker/exit",
      `the worker thread of ONNX Runtime has ended: ${reason}. Compile again and load the state.`,
      { cause },
    );
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

/** A request without its number. */
type Unnumbered<R = Request> = R extends Request ? Omit<R, "id"> : never;

function isStateBuffer(tensor: RuntimeTensor): tensor is StateBuffer {
  return "place" in tensor;
}

function kindOf(data: RuntimeData): WireOutput["kind"] {
  if (data instanceof Float32Array) return "float32";
  return data instanceof BigInt64Array ? "int64" : "uint8";
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}
