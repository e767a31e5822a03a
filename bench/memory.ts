/**
 * @module Bench: peak memory of a short training in a process of its own, everything included: data set, both stages with
 * all their programs, checkpoints and one preview grid. The size is the demo's.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { atOnce } from "onnxgrad";
import { createDataset } from "../packages/subband/src/data/dataset.ts";
import { estimatingMemory } from "../packages/subband/src/loop/memory.ts";
import type { AnyPreset } from "../packages/subband/src/systems/preset.ts";
import { presets } from "../packages/subband/src/systems/presets.ts";
import { previewDrawing } from "../packages/subband/src/training/preview.ts";
import { type Bench } from "./harness.ts";

const SIZE = 64;
const GIGABYTE = 1e9;

/** The preset that `npm run demo` trains must stay below this. */
const LIMITS: Readonly<Record<string, number>> = { wmgm: 1.5 * GIGABYTE };

export const memoryBench: Bench = {
  name: "memory",
  summary: `peak memory of training every preset on faces at ${SIZE} x ${SIZE}`,
  async run(report) {
    const child = fileURLToPath(new URL("memory-child.ts", import.meta.url));
    for (const each of presets) {
      const preset = each.name;
      const needed = await estimatedBytes(each);
      if (needed > freemem() / 2) {
        report({
          bench: "memory",
          name: `train ${preset} ${SIZE} x ${SIZE}`,
          notes: [
            `not run: estimated at ${(needed / GIGABYTE).toFixed(1)} GB, ${(freemem() / GIGABYTE).toFixed(1)} GB are free and half of that is allowed`,
          ],
        });
        continue;
      }
      const out = mkdtempSync(join(tmpdir(), "subband-bench-"));
      const started = performance.now();
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [...process.execArgv, child, preset, String(SIZE), out],
        { encoding: "utf8" },
      );
      rmSync(out, { recursive: true });
      if (status !== 0) throw new Error(`training ${preset} failed:\n${stderr}`);
      const { maxRss, steps } = JSON.parse(stdout) as { maxRss: number; steps: Record<string, number> };
      const limit = LIMITS[preset];
      report({
        bench: "memory",
        name: `train ${preset} ${SIZE} x ${SIZE}`,
        ...(limit === undefined
          ? {}
          : { target: `${(limit / GIGABYTE).toFixed(1)} GB`, met: maxRss < limit }),
        notes: [
          `peak resident ${(maxRss / GIGABYTE).toFixed(2)} GB`,
          `steps ${Object.entries(steps)
            .map(([stage, count]) => `${stage} ${count}`)
            .join(", ")}; ${((performance.now() - started) / 1000).toFixed(0)} s in all`,
        ],
      });
    }
    return undefined;
  },
};

/** Estimated before anything is allocated, so that a preset too large for the machine never starts. */
async function estimatedBytes(preset: AnyPreset): Promise<number> {
  const pixels = Uint8Array.from({ length: 4 * 3 * SIZE * SIZE }, (_, i) => (7919 * i) % 256);
  const dataset = createDataset({
    name: "bench",
    channels: 3,
    height: SIZE,
    width: SIZE,
    pixels,
    licence: "",
    credit: "",
    skipped: {},
    fingerprint: "",
  });
  const system = preset.system(atOnce(preset.resolve(preset.choose({}, dataset), dataset, {})));
  const { stages, draw, local } = system;
  const { state, programs } = atOnce(estimatingMemory(stages, local ? undefined : previewDrawing(draw)));
  return state + programs;
}
