/**
 * @module Bench: how long a signal or a progress bar has to wait while a command works: the longest times for which the
 * event loop of its main thread does not turn, by command, the loading of the program left out.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bench } from "./harness.ts";

/** Milliseconds within which a command should answer. */
const LONGEST = 100;
const BIN = fileURLToPath(new URL("../packages/subband/bin/subband.js", import.meta.url));
const PRELOAD = new URL("waits-preload.mjs", import.meta.url).href;

/** Commands, of which the first makes what the others need; `$` is the folder of the bench, `#` the threads. */
const COMMANDS: Readonly<Record<string, string>> = {
  train: "train --data faces --limit 2048 --images 512 --out $/run --threads #",
  resume: "train --out $/run --images 640 --threads #",
  sample: "sample $/run -n 64 --out $/grid.png --threads #",
  export: "export $/run --out $/sampler.onnx",
  evaluate: "evaluate $/run --n 500 --threads #",
  denoise: "denoise $/run/samples/100.png --out $/clean.png --threads #",
  info: "info $/run",
};

export const waitsBench: Bench = {
  name: "waits",
  summary: "the longest time that a command leaves a signal or its progress bar unanswered",
  parts: Object.keys(COMMANDS),
  run(report, { threads, only }) {
    const folder = mkdtempSync(join(tmpdir(), "subband-waits-"));
    try {
      for (const [name, command] of Object.entries(COMMANDS)) {
        const isAsked = only.length === 0 || only.includes(name);
        if (!isAsked && name !== "train") continue;
        const file = join(folder, "waits.json");
        const args = command.replaceAll("$", folder).replaceAll("#", String(threads)).split(" ");
        const { status, stderr } = spawnSync(process.execPath, ["--import", PRELOAD, BIN, ...args], {
          encoding: "utf8",
          env: { ...process.env, WAITS_FILE: file, SUBBAND_CACHE: join(folder, "cache") },
        });
        if (status !== 0) throw new Error(`subband ${args.join(" ")} failed:\n${stderr}`);
        if (!isAsked) continue;
        const waits = JSON.parse(readFileSync(file, "utf8")) as {
          readonly ms: number;
          readonly at: number;
        }[];
        const longest = waits[0]?.ms ?? 0;
        report({
          bench: "waits",
          name,
          target: `no wait longer than ${LONGEST} ms`,
          met: longest <= LONGEST,
          figures: { longestMs: longest },
          notes: [
            `longest: ${waits.map(({ ms, at }) => `${ms.toFixed(0)} ms (ended at ${at.toFixed(1)} s)`).join(", ")}`,
          ],
        });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    return Promise.resolve(undefined);
  },
};
