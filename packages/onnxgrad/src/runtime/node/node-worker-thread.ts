/**
 * @module The thread behind `node-worker.ts`: owns the sessions of one Node backend and the buffers of the state, and
 * does what it is told, one request at a time.
 */
import { parentPort } from "node:worker_threads";
import { invariant, UserError } from "../../errors.ts";
import { sizeOf } from "../../trace/tensor.ts";
import type { Backend, RuntimeData, RuntimeTensor, Session, ShardPlan } from "../backend.ts";
import { smallestModel } from "../../onnx/empty-sequence.ts";
import { node } from "./node-backend.ts";
import type { NodeOptions } from "./node-options.ts";
import { createSession, sessionOptions } from "./ort-session.ts";
import { openPlan } from "../sharded-session.ts";
import { ready, threadData, work } from "../threads/thread-work.ts";

/** Values that come with a run. */
export interface WireTensor {
  readonly data: RuntimeData;
  readonly shape: readonly number[];
}

/** A buffer of the state, by its number; with its values when it moves to this thread. */
export interface WireBuffer {
  readonly buffer: number;
  readonly data?: Float32Array;
  readonly shape: readonly number[];
}

/** An output, whose values go back with the answer. */
export interface WireOutput {
  readonly kind: "float32" | "int64" | "uint8";
  readonly shape: readonly number[];
}

/** What the thread is asked; every request has one answer of the same `id`. */
export type Request = { readonly id: number } & (
  | { readonly do: "load"; readonly session: number; readonly model: Uint8Array | ShardPlan }
  | {
      readonly do: "run";
      readonly session: number;
      readonly feeds: Readonly<Record<string, WireTensor | WireBuffer>>;
      readonly fetches: Readonly<Record<string, WireOutput | WireBuffer>>;
    }
  | { readonly do: "release"; readonly session: number }
  /** Asks for the values of a buffer in `target`, which moves here and back. */
  | { readonly do: "read"; readonly buffer: number; readonly target: Float32Array }
  | { readonly do: "free"; readonly buffer: number }
  /** Asks for all buffers, which move back: the thread is about to end. */
  | { readonly do: "empty" }
);

/** What comes back. */
export interface Answer {
  readonly id: number;
  /** Outputs of a run by name. */
  readonly outputs?: Readonly<Record<string, RuntimeData>>;
  /** Values of buffers by their numbers. */
  readonly values?: ReadonlyMap<number, Float32Array>;
  /** What was thrown instead, and its code where it is a UserError: a thread receives every error as a plain one. */
  readonly error?: unknown;
  readonly code?: string;
}

const KINDS = { float32: Float32Array, int64: BigInt64Array, uint8: Uint8Array } as const;

invariant(parentPort !== null, "node-worker-thread.ts is the file of a worker thread");
const port = parentPort;
const settings = threadData as NodeOptions;
let made: Backend | undefined;
/** Made by the first request, which is answered with what it throws. */
const backend = (): Backend => (made ??= node(settings));
const sessions = new Map<number, Session>();
/** Arrays of outputs by session, name and shape, written anew by each run. */
const outputs = new Map<string, RuntimeTensor>();
/** Buffers of the state by their numbers. */
const buffers = new Map<number, { readonly tensor: RuntimeTensor; readonly size: number }>();

/** Requests take turns: nothing is released while it is used. */
let last: Promise<void> = Promise.resolve();
port.on("message", (request: Request) => {
  last = last.then(() =>
    work(async () => {
      const answer = await handle(request).catch((error: unknown) =>
        error instanceof UserError ? { error, code: error.code } : { error },
      );
      const moved = "values" in answer ? [...answer.values!.values()] : [];
      port.postMessage(
        { id: request.id, ...answer } satisfies Answer,
        moved.map(({ buffer }) => buffer as ArrayBuffer),
      );
    }),
  );
});
// The first session takes long, for ONNX Runtime starts with it; the caller still traces meanwhile. Whether denormals count
// as zero in this thread is decided by it, too, so it has the settings of the others. What is wrong shows again.
if ((settings.provider ?? "cpu") === "cpu")
  await createSession(smallestModel(), {
    ...sessionOptions({ ...settings, threads: 1 }),
    logSeverityLevel: 4,
  }).then(
    (session) => session.release(),
    () => {},
  );
ready();

async function handle(request: Request): Promise<Omit<Answer, "id">> {
  switch (request.do) {
    case "load":
      sessions.set(request.session, await open(request.model));
      return {};
    case "run":
      return run(request);
    case "release":
      await sessions.get(request.session)!.release();
      sessions.delete(request.session);
      for (const key of outputs.keys()) if (key.startsWith(`${request.session}/`)) outputs.delete(key);
      return {};
    case "read":
      return { values: new Map([[request.buffer, await copyOf(request.buffer, request.target)]]) };
    case "free":
      backend().device?.free(buffers.get(request.buffer)!.tensor);
      buffers.delete(request.buffer);
      return {};
    case "empty": {
      const values = new Map<number, Float32Array>();
      for (const each of buffers.keys()) values.set(each, await valuesOf(each));
      return { values };
    }
  }
}

function open(model: Uint8Array | ShardPlan): Promise<Session> {
  return model instanceof Uint8Array ? backend().createSession(model) : openPlan(backend(), model);
}

async function run({ session, feeds, fetches }: Request & { do: "run" }): Promise<Omit<Answer, "id">> {
  const fed: Record<string, RuntimeTensor> = {};
  for (const [name, value] of Object.entries(feeds))
    fed[name] = "buffer" in value ? await bufferOf(value) : backend().tensor(value.data, value.shape);
  const fetched: Record<string, RuntimeTensor> = {};
  const wanted: Record<string, RuntimeData> = {};
  for (const [name, value] of Object.entries(fetches)) {
    if ("buffer" in value) {
      fetched[name] = await bufferOf(value);
      continue;
    }
    const key = `${session}/${name}/${value.shape.join()}`;
    let output = outputs.get(key);
    if (output === undefined) {
      output = backend().tensor(new KINDS[value.kind](sizeOf(value.shape)), value.shape);
      outputs.set(key, output);
    }
    fetched[name] = output;
    wanted[name] = output.data as RuntimeData;
  }
  await sessions.get(session)!.run(fed, fetched);
  return { outputs: wanted };
}

async function bufferOf({ buffer, data, shape }: WireBuffer): Promise<RuntimeTensor> {
  if (data !== undefined) {
    const tensor = (await backend().device?.upload(data, shape)) ?? backend().tensor(data, shape);
    buffers.set(buffer, { tensor, size: data.length });
  }
  return buffers.get(buffer)!.tensor;
}

async function valuesOf(buffer: number): Promise<Float32Array> {
  const { tensor, size } = buffers.get(buffer)!;
  const { device } = backend();
  return device?.download(tensor, new Float32Array(size)) ?? (tensor.data as Float32Array);
}

async function copyOf(buffer: number, target: Float32Array): Promise<Float32Array> {
  const { tensor } = buffers.get(buffer)!;
  const { device } = backend();
  if (device !== undefined) return device.download(tensor, target);
  target.set(tensor.data as Float32Array);
  return target;
}
