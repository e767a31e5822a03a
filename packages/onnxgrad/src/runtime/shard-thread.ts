/**
 * @module The thread of one shard: its own ONNX Runtime sessions of one thread each. Inputs lie in shared memory, which
 * is copied before a run since ONNX Runtime takes none; outputs move to and fro with the messages.
 */
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../errors.ts";
import { node, type NodeOptions } from "./node.ts";
import type { RuntimeData, RuntimeTensor, Session } from "./backend.ts";

/** An input in shared memory. */
export interface SharedInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** Where an output is to be written. */
export interface MovedOutput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What the thread is asked; each request has one answer. */
export type ShardRequest = { readonly id: number; readonly session: number } & (
  | { readonly do: "load"; readonly model: Uint8Array; readonly inputs: readonly SharedInput[] }
  | { readonly do: "run"; readonly outputs: readonly MovedOutput[] }
  | { readonly do: "release" }
);

/** What comes back: the outputs of a run, or what was thrown. */
export interface ShardAnswer {
  readonly id: number;
  readonly outputs?: readonly MovedOutput[];
  readonly error?: unknown;
}

interface Loaded {
  readonly session: Session;
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
  /** Shared memory and this thread's copy of it. */
  readonly copies: readonly { readonly from: RuntimeData; readonly to: RuntimeData }[];
}

invariant(parentPort !== null, "shard-thread.ts is the file of a worker thread");
const port = parentPort;
const backend = node(workerData as NodeOptions);
const sessions = new Map<number, Loaded>();

let last: Promise<void> = Promise.resolve();
port.on("message", (request: ShardRequest) => {
  last = last.then(async () => {
    try {
      const outputs = await handle(request);
      const moved = outputs.map(({ data }) => data.buffer as ArrayBuffer);
      port.postMessage({ id: request.id, outputs } satisfies ShardAnswer, moved);
    } catch (error) {
      port.postMessage({ id: request.id, error } satisfies ShardAnswer);
    }
  });
});

async function handle(request: ShardRequest): Promise<readonly MovedOutput[]> {
  switch (request.do) {
    case "load":
      sessions.set(request.session, await load(request.model, request.inputs));
      return [];
    case "run": {
      const { session, feeds, copies } = sessions.get(request.session)!;
      for (const { from, to } of copies) (to as Float32Array).set(from as Float32Array);
      const { outputs } = request;
      await session.run(
        feeds,
        Object.fromEntries(outputs.map(({ name, shape, data }) => [name, backend.tensor(data, shape)])),
      );
      return outputs;
    }
    case "release":
      await sessions.get(request.session)!.session.release();
      sessions.delete(request.session);
      return [];
  }
}

async function load(model: Uint8Array, inputs: readonly SharedInput[]): Promise<Loaded> {
  const session = await backend.createSession(model);
  const local = inputs.map(({ data }) => data.slice());
  return {
    session,
    feeds: Object.fromEntries(inputs.map(({ name, shape }, i) => [name, backend.tensor(local[i]!, shape)])),
    copies: inputs.map(({ data }, i) => ({ from: data, to: local[i]! })),
  };
}
