/**
 * @module Loaded before a command (`node --import`): watches how long the event loop of the main thread does not turn, and
 * writes the longest waits, in milliseconds with the second at which each ended, to the file WAITS_FILE when the process ends.
 * What passes before the first turn, the loading of the program, is not counted.
 */
import { writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setInterval } from "node:timers";
import { isMainThread } from "node:worker_threads";

const file = process.env["WAITS_FILE"];
if (isMainThread && file !== undefined) {
  /** @type {{ ms: number, at: number }[]} */
  const waits = [];
  /** @type {number | undefined} */
  let last;
  const watch = setInterval(() => {
    const now = performance.now();
    if (last !== undefined && now - last > 20) waits.push({ ms: now - last, at: now / 1000 });
    last = now;
  }, 2);
  watch.unref();
  process.on("exit", () =>
    writeFileSync(file, JSON.stringify(waits.sort((a, b) => b.ms - a.ms).slice(0, 10))),
  );
}
