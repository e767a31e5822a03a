/** @module The process that bench/endurance.ts measures: trains on `backend` and prints its memory along the way as JSON. */
import type { Backend } from "onnxgrad";
import { node } from "onnxgrad/node";
import { nodeWorker } from "onnxgrad/node-worker";
import { convTrainer } from "./conv-trainer.ts";

/** Resident megabytes after so many steps. */
export interface Memory {
  readonly steps: number;
  readonly megabytes: number;
}

const [name = "", last = "", threads = ""] = process.argv.slice(2);
const backends: Readonly<Record<string, (options: { readonly threads: number }) => Backend>> = {
  "node-cpu": node,
  "node-cpu-worker": nodeWorker,
};
const trainer = await convTrainer(backends[name]!({ threads: Number(threads) }), {
  width: 16,
  depth: 4,
  batch: 8,
  size: 16,
});
const measured: Memory[] = [];
const losses: number[] = [];
for (let steps = 1; steps <= Number(last); steps++) {
  losses.push(await trainer.step());
  if (steps % (Number(last) / 10) === 0)
    measured.push({ steps, megabytes: process.memoryUsage().rss / 2 ** 20 });
}
await trainer.dispose();
process.stdout.write(JSON.stringify({ measured, first: losses[0], last: losses.at(-1) }));
