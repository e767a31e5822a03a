/** @module What commands compute on: opened here alone, in a thread of its own, so that Ctrl-C and progress are never kept waiting. */
import type { Backend } from "onnxgrad";

/** Choices of the user. */
export interface BackendFlags {
  /** Threads inside one operation; default all cores. */
  readonly threads?: number | undefined;
}

/** Opens it. Nothing is loaded before the first program is compiled. */
export async function openBackend({ threads }: BackendFlags = {}): Promise<Backend> {
  const { nodeWorker } = await import("onnxgrad/node-worker");
  return nodeWorker(threads === undefined ? {} : { threads });
}
