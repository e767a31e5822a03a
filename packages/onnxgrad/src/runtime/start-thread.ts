/** @module Starts a file of this folder as a worker thread, from the build or from the TypeScript sources. */
import { Worker } from "node:worker_threads";

/** Starts `name` (without extension, beside this file) with `workerData`. It does not keep the process alive. */
export function startThread(name: string, workerData: unknown): Worker {
  const fromSource = import.meta.url.endsWith(".ts");
  const file = new URL(`./${name}.${fromSource ? "ts" : "js"}`, import.meta.url);
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
  return worker;
}
