/** @module A worker thread's side of `start-thread.ts`: what it starts with, and the marks around its work. */
import { workerData } from "node:worker_threads";
import type { ThreadData } from "./start-thread.ts";

const { data, flags } = workerData as ThreadData;

/** What the thread was started with. */
export const threadData: unknown = data;

/** Says that all is loaded: an exiting process no longer waits for that. */
export function ready(): void {
  Atomics.store(flags, 0, 0);
  Atomics.notify(flags, 0);
}

/** Does `task`, which the process waits for should it exit meanwhile; nothing when it is exiting already. */
export async function work(task: () => Promise<void>): Promise<void> {
  Atomics.store(flags, 0, 1);
  try {
    if (Atomics.load(flags, 1) === 0) await task();
  } finally {
    ready();
  }
}
