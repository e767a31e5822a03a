/**
 * @module Starts a file as a worker thread, from the build or from the TypeScript sources, and lets it finish what it does
 * before the process exits.
 */
import { Worker } from "node:worker_threads";

/** What a thread starts with; `thread-work.ts` reads it there. */
export interface ThreadData {
  readonly data: unknown;
  /** Shared by both sides: whether the thread loads or is at work (0), and whether it may not begin any more (1). */
  readonly flags: Int32Array;
}

/** Flags of the threads that live. */
const living = new Set<Int32Array>();

/** A thread that died at work never finishes it. */
const LONGEST_WORK_MS = 60_000;

/**
 * An exiting process stops its threads, and ONNX Runtime aborts the process when it is stopped at work. Two rounds: all
 * threads hear of it before the first is waited for.
 */
function finishWork(): void {
  for (const flags of living) Atomics.store(flags, 1, 1);
  for (const flags of living) Atomics.wait(flags, 0, 1, LONGEST_WORK_MS);
}

/**
 * Starts the file at `url`, which has no extension, with `data`; it calls `ready()` when it has loaded. It does not keep the
 * process alive.
 */
export function startThread(url: URL, data: unknown): Worker {
  const fromSource = import.meta.url.endsWith(".ts");
  const file = new URL(`${url.href}.${fromSource ? "ts" : "js"}`);
  const flags = new Int32Array(new SharedArrayBuffer(8));
  Atomics.store(flags, 0, 1);
  const workerData: ThreadData = { data, flags };
  const worker = fromSource
    ? // As by tests: a thread inherits no loader that reads TypeScript.
      new Worker(
        `const load = (file) => import(file);
         load(${JSON.stringify(import.meta.resolve("tsx/esm/api"))})
           .then(({ register }) => (register(), load(${JSON.stringify(file.href)})));`,
        { eval: true, workerData },
      )
    : new Worker(file, { workerData });
  worker.unref();
  if (living.size === 0) process.on("exit", finishWork);
  living.add(flags);
  worker.once("exit", () => {
    living.delete(flags);
    if (living.size === 0) process.off("exit", finishWork);
  });
  return worker;
}
