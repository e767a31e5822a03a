/** @module The thread of one shard: an ONNX Runtime of its own, which does what it is told, one request at a time. */
import { parentPort } from "node:worker_threads";
import { invariant } from "../../errors.ts";
import type { RuntimeTensor, Session } from "../backend.ts";
import { node } from "./node-backend.ts";
import type { NodeOptions } from "./node-options.ts";
import {
  buffersOf,
  type MovedArray,
  type ShardAnswer,
  type ShardArrays,
  type ShardRequest,
} from "./shard-messages.ts";
import { ready, threadData, work } from "../threads/thread-work.ts";

invariant(parentPort !== null, "shard-thread.ts is the file of a worker thread");
const port = parentPort;
const backend = node(threadData as NodeOptions);
const sessions = new Map<number, Session>();

let last: Promise<void> = Promise.resolve();
port.on("message", (request: ShardRequest) => {
  last = last.then(() =>
    work(async () => {
      try {
        const arrays = await handle(request);
        const answer: ShardAnswer = { id: request.id, ...(arrays && { arrays }) };
        port.postMessage(answer, arrays ? buffersOf(arrays) : []);
      } catch (error) {
        port.postMessage({ id: request.id, error } satisfies ShardAnswer);
      }
    }),
  );
});
ready();

async function handle(request: ShardRequest): Promise<ShardArrays | undefined> {
  switch (request.do) {
    case "load":
      sessions.set(request.session, await backend.createSession(request.model));
      return undefined;
    case "run": {
      const { inputs, outputs } = request.arrays;
      await sessions.get(request.session)!.run(tensors(inputs), tensors(outputs));
      return request.arrays;
    }
    case "release":
      await sessions.get(request.session)!.release();
      sessions.delete(request.session);
      return undefined;
  }
}

function tensors(arrays: readonly MovedArray[]): Record<string, RuntimeTensor> {
  return Object.fromEntries(arrays.map(({ name, shape, data }) => [name, backend.tensor(data, shape)]));
}
