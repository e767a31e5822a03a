/**
 * @module Bench: what a worker thread costs and gives: milliseconds of a training step, and how late the timers of the
 * main thread come meanwhile, with the sessions in the main thread and in a worker, in turns.
 */
import { node } from "onnxgrad/node";
import { nodeWorker } from "onnxgrad/node-worker";
import { type ConvTrainer, convTrainer, type ConvTrainerOptions } from "./conv-trainer.ts";
import { type Bench, timeRuns, timingOf } from "./harness.ts";

/** Milliseconds by which a timer of a server may be late, in 99 of 100 cases. */
const LATEST = 20;
/** Milliseconds of training in a turn. */
const TURN_MS = 1500;

const SIZES: Readonly<Record<string, ConvTrainerOptions>> = {
  small: { width: 8, depth: 2, batch: 2, size: 16 },
  "conv net": { width: 64, depth: 6, batch: 16, size: 32 },
  "wide state": { width: 512, depth: 4, batch: 1, size: 8 },
};

interface Side {
  readonly trainer: ConvTrainer;
  readonly ms: number[];
  readonly delays: number[];
}

export const eventLoopBench: Bench = {
  name: "event-loop",
  summary:
    "a training step in the main thread and in a worker thread: its time, and how late timers are meanwhile",
  parts: Object.keys(SIZES),
  async run(report, { turns, threads, only }) {
    for (const [name, size] of Object.entries(SIZES)) {
      if (only.length > 0 && !only.includes(name)) continue;
      const side = async (backend = node({ threads })): Promise<Side> => ({
        trainer: await convTrainer(backend, size),
        ms: [],
        delays: [],
      });
      const sides = { main: await side(), worker: await side(nodeWorker({ threads })) };
      const [once = 1] = await timeRuns(sides.main.trainer.step, 2).then((times) => times.slice(1));
      await timeRuns(sides.worker.trainer.step, 2);
      const repeats = Math.ceil(TURN_MS / once);
      for (let turn = 0; turn < turns; turn++)
        for (const { trainer, ms, delays } of Object.values(sides)) {
          const stop = watchTimers();
          ms.push(...(await timeRuns(trainer.step, repeats)));
          delays.push(...stop());
        }
      const [main, worker] = [timingOf(sides.main.ms), timingOf(sides.worker.ms)];
      const late = { main: percentile99(sides.main.delays), worker: percentile99(sides.worker.delays) };
      report({
        bench: "event-loop",
        name: `${name}, ${sides.main.trainer.stateSize.toLocaleString("en")} numbers of state`,
        target: `timers at most ${LATEST} ms late beside the worker`,
        met: late.worker < LATEST,
        notes: [
          `step in the main thread: median ${main.median.toFixed(2)} ms, best ${main.best.toFixed(2)}`,
          `step in a worker: median ${worker.median.toFixed(2)} ms, best ${worker.best.toFixed(2)}; difference ${(worker.median - main.median).toFixed(2)} ms`,
          `timers late by (99th percentile): main thread ${late.main.toFixed(1)} ms, beside the worker ${late.worker.toFixed(1)} ms`,
        ],
      });
      for (const { trainer } of Object.values(sides)) await trainer.dispose();
    }
    return undefined;
  },
};

/** Sets a timer of a millisecond again and again; the function that it gives stops that and tells how late they came. */
function watchTimers(): () => number[] {
  const late: number[] = [];
  let due = performance.now() + 1;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + 1;
  }, 1);
  return () => {
    clearInterval(timer);
    return late;
  };
}

function percentile99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(0.99 * values.length)] ?? 0;
}
