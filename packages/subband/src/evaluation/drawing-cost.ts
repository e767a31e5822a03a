/** @module What drawing an image costs: parameters, network calls, multiply-accumulates, milliseconds. */
import type { Backend } from "onnxgrad";
import { compileDraw } from "../drawing/compile-draw.ts";
import { drawCost, networkCosts } from "../drawing/draw-cost.ts";
import type { DrawnStream } from "./image-stream.ts";
import type { DrawnSubject } from "./subject.ts";

/** Costs of one image. */
export interface DrawingCost {
  /** Learned numbers of the networks that draw. */
  readonly parameters: number;
  /** Network calls: on the low band, and for the details. */
  readonly nfeLow: number;
  readonly nfeDetail: number;
  /** Billions of multiply-accumulates; null where a loop that stops by itself cannot be counted. */
  readonly gmac: number | null;
  /** Milliseconds of drawing one image alone, the median of a few, and in batches of 64. */
  readonly msAlone: number;
  readonly msPerImage: number;
}

/** Images drawn one by one to be timed; the one before them warms up. */
const TIMED = 7;

/** Counts what a run draws with, and times it alone; `stream` has drawn its images. */
export async function drawingCost(
  { system, chosen, arrays, seed }: DrawnSubject,
  stream: DrawnStream,
  backend: Backend,
): Promise<DrawingCost> {
  const steps = system.draw.steps(chosen);
  const used = networkCosts(system.stages, steps).filter((network) => network.steps.length > 0);
  const isCounted = steps.every(({ kind }) => kind !== "host");
  const alone = await compileDraw(backend, steps, arrays, 1);
  const times: number[] = [];
  try {
    for (let first = 0; first <= TIMED; first++) {
      const began = performance.now();
      await alone.run({ seed, first, count: 1 });
      times.push(performance.now() - began);
    }
  } finally {
    await alone.dispose();
  }
  return {
    parameters: used.reduce((total, { parameters }) => total + parameters, 0),
    ...stream.spent(),
    gmac: isCounted ? drawCost(steps).reduce((total, { calls, gmac }) => total + calls * gmac, 0) : null,
    msAlone: times.slice(1).sort((a, b) => a - b)[Math.floor(TIMED / 2)]!,
  };
}
