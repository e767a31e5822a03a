/**
 * @module The Node backend in a thread of its own, so that whoever trains stays responsive. Functions cannot cross
 * threads, models can: graphs are traced and lowered here, and the thread gets ONNX bytes. For the thread's memory the
 * state is on a device: it stays there between runs and comes back when asked for.
 */
import type { Backend, RuntimeData, RuntimeTensor, Session, ShardPlan } from "../backend.ts";
import { holdGpu } from "./gpu-holders.ts";
import { type NodeOptions, propertiesOf, shardCount } from "./node-options.ts";
import type { Answer, Request, WireBuffer, WireOutput, WireTensor } from "./node-worker-thread.ts";
import { ThreadCalls } from "../threads/thread-calls.ts";
import { turnOfEventLoop } from "../../slices.ts";
import { Lifetime, SESSION } from "../../turns.ts";

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
 * The thread starts at once, so that it is ready when the first program is traced, and ends with the `dispose` of the last,
 * when it gives the state back, or a second later without one; an idle one does not keep the process alive. Where it dies, `run` and `pull` throw `worker/exit`: the next
 * program has a new thread, and a state that was in the old one must be loaded again.
 * @example
 * const step = await compile(nodeWorker({ threads: 2 }), options, build);
 */
export function nodeWorker(options: NodeOptions = {}): Backend {
  const traffic = { toDevice: 0, toHost: 0 };
  const shards = shardCount(options);
  let thread = new Thread(options, traffic);
  const open = (model: Uint8Array | ShardPlan): Promise<Session> => {
    if (thread.isOver) thread = new Thread(options, traffic);
    return thread.open(model);
  };
  return {
    name: `node-${options.provider ?? "cpu"}-worker`,
    ...propertiesOf(options),
    tensor: (data, shape): LocalTensor => ({ data, shape }),
    createSession: open,
    ...(shards > 1 && { planned: { count: shards, open } }),
    device: {
      traffic,
      // It moves with the first run that needs it.
      async upload(data, shape): Promise<StateBuffer> {
        await turnOfEventLoop(); // a state is copied array by array
        return { shape, data: data.slice(), place: undefined };
      },
      download(tensor, target) {
        const { data, place } = tensor as StateBuffer;
        if (data === undefined) return place!.thread.read(tensor as StateBuffer, target);
        target.set(data);
        return Promise.resolve(target);
      },
      free(tensor) {
        const { place } = tensor as StateBuffer;
        place?.thread.free(place.buffer);
      },
    },
  };
}

/** For how long a thread without sessions and state waits for others. */
const IDLE_MS = 1000;

/** A worker thread and what it has been asked. Over means: it has ended, or is about to since no session is left. */
class Thread {
  readonly #calls: ThreadCalls<Request, Answer>;
  readonly #traffic: { toDevice: number; toHost: number };
  readonly #buffers = new Map<number, StateBuffer>();
  readonly #onGpu: boolean;
  #nextId = 0;
  #sessions = 0;
  #over = false;

  constructor(options: NodeOptions, traffic: { toDevice: number; toHost: number }) {
    this.#traffic = traffic;
    this.#onGpu = options.provider === "webgpu";
    this.#calls = new ThreadCalls(
      new URL("./node-worker-thread", import.meta.url),
      options,
      (reason) => `the worker thread of ONNX Runtime has ended: ${reason}. Compile again and load the state.`,
    );
  }

  get isOver(): boolean {
    return this.#over || this.#calls.failure !== undefined;
  }

  /** Loads a model, or those of a program that is split. */
  async open(model: Uint8Array | ShardPlan): Promise<Session> {
    const session = this.#nextId++;
    this.#sessions++;
    let release: (() => void) | undefined;
    try {
      release = this.#onGpu ? holdGpu(this) : undefined;
      await this.#calls.ask({ do: "load", session, model });
    } catch (error) {
      await this.#close();
      release?.();
      throw error;
    }
    const lifetime = new Lifetime({
      ...SESSION,
      free: async () => {
        // What has ended is released.
        if (this.#calls.failure === undefined) await this.#calls.ask({ do: "release", session });
        await this.#close();
        release?.();
      },
    });
    return {
      run: (feeds, fetches) => lifetime.run(() => this.#run(session, feeds, fetches)),
      release: () => lifetime.dispose(),
    };
  }

  /** The values of a buffer that is here, in the memory of `target`, which goes to the thread and comes back. */
  async read(buffer: StateBuffer, target: Float32Array): Promise<Float32Array> {
    // One that is about to end gives them back first.
    if (this.isOver) await this.#calls.ended;
    if (buffer.data !== undefined) {
      target.set(buffer.data);
      return target;
    }
    const { buffer: id } = buffer.place!;
    const request = { do: "read", buffer: id, target } as const;
    const { values } = await this.#calls.ask(request, [target.buffer as ArrayBuffer]);
    const data = values!.get(id)!;
    this.#traffic.toHost += data.byteLength;
    return data;
  }

  /** Forgets a buffer. */
  free(buffer: number): void {
    this.#buffers.delete(buffer);
    // The thread may have ended: then it is free already.
    this.#calls.ask({ do: "free", buffer }).catch(() => undefined);
  }

  async #run(
    session: number,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, RuntimeTensor>>,
  ): Promise<void> {
    const all = [...Object.values(feeds), ...Object.values(fetches)];
    for (const { place } of all.filter(isStateBuffer))
      if (place !== undefined && place.thread !== this && place.thread.isOver)
        await place.thread.#calls.ended;
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
    const { outputs } = await this.#calls.ask(request, moved);
    for (const [name, values] of Object.entries(outputs!)) {
      (fetches[name]!.data as Uint8Array).set(values as Uint8Array);
      this.#traffic.toHost += values.byteLength;
    }
  }

  /** A buffer as the thread knows it; the first time it moves there. */
  #wire(buffer: StateBuffer, move: (data: Float32Array) => Float32Array): WireBuffer {
    const { place, data, shape } = buffer;
    if (place !== undefined) {
      if (place.thread !== this) throw place.thread.#calls.failure!;
      return { buffer: place.buffer, shape };
    }
    const id = this.#nextId++;
    buffer.place = { thread: this, buffer: id };
    buffer.data = undefined;
    this.#buffers.set(id, buffer);
    return { buffer: id, shape, data: move(data!) };
  }

  /** A session less; with the last one the thread gives the state back and ends. */
  async #close(): Promise<void> {
    if (--this.#sessions > 0) return;
    // With nothing to give back it may wait: the first program comes right after one that measures the processor.
    if (this.#buffers.size === 0 && !this.#onGpu) setTimeout(() => void this.#end(), IDLE_MS).unref();
    else await this.#end();
  }

  /** Ends the thread, unless it has sessions again; buffers come back to this side. */
  async #end(): Promise<void> {
    if (this.#sessions > 0 || this.isOver) return;
    this.#over = true;
    const { values } = await this.#calls.ask({ do: "empty" });
    for (const [id, data] of values!) {
      const buffer = this.#buffers.get(id);
      if (buffer === undefined) continue;
      buffer.data = data;
      buffer.place = undefined;
    }
    await this.#calls.end();
  }
}

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
