/** @module Bench: resident memory of a long training, each backend in a process of its own: does anything pile up? */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Memory } from "./endurance-child.ts";
import type { Bench } from "./harness.ts";

const STEPS = 10_000;
/** Allocators and collectors are settled after a tenth of the steps. What they may yet add, megabytes. */
const ALLOWED = 16;
const BACKENDS = ["node-cpu", "node-cpu-worker"];

export const enduranceBench: Bench = {
  name: "endurance",
  summary: `resident memory over ${STEPS.toLocaleString("en")} training steps of a small network`,
  parts: BACKENDS,
  run(report, { threads, only }) {
    for (const backend of BACKENDS) {
      if (only.length > 0 && !only.includes(backend)) continue;
      const started = performance.now();
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [
          ...process.execArgv,
          fileURLToPath(new URL("endurance-child.ts", import.meta.url)),
          backend,
          String(STEPS),
          String(threads),
        ],
        { encoding: "utf8" },
      );
      if (status !== 0) throw new Error(`training on ${backend} failed:\n${stderr}`);
      const { measured, first, last } = JSON.parse(stdout) as {
        readonly measured: readonly Memory[];
        readonly first: number;
        readonly last: number;
      };
      const growth = measured.at(-1)!.megabytes - measured[0]!.megabytes;
      report({
        bench: "endurance",
        name: `${STEPS.toLocaleString("en")} steps on ${backend}`,
        target: `${ALLOWED} MB`,
        met: growth <= ALLOWED,
        notes: [
          `resident after ${measured.map(({ steps, megabytes }) => `${steps}: ${megabytes.toFixed(0)}`).join(", ")} MB`,
          `growth between the first and the last: ${growth.toFixed(1)} MB`,
          `loss ${first.toFixed(3)} -> ${last.toFixed(4)}; ${((performance.now() - started) / STEPS).toFixed(2)} ms a step, all included`,
        ],
      });
    }
    return Promise.resolve(undefined);
  },
};
