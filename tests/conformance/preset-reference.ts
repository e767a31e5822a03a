/** @module What the default preset must draw and learn on any provider: what Node's CPU does, to rounding. */
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { expect } from "vitest";
import { type DemoImages, drawDemo } from "./demo-sampler.ts";
import { type StepReport, stepWmgm } from "./wmgm-step.ts";

let drawn: Promise<DemoImages> | undefined;

/** The images of Node's CPU, drawn once. */
export const drawnOnCpu = (): Promise<DemoImages> => (drawn ??= drawDemo(node({ threads: 1 })));

/** Requires two drawings to be the same to rounding. */
export function expectSameImages(got: DemoImages, want: DemoImages): void {
  expect(new Set(want.exported).size, "a picture worth comparing").toBeGreaterThan(50);
  expectClose(got.compiled, want.compiled, { rtol: 1e-3, atol: 1e-3, what: "compiled" });
  const differences = want.exported.map((value, i) => Math.abs(value - got.exported[i]!));
  expect(Math.max(...differences), "greatest difference in levels of 255").toBeLessThanOrEqual(1);
  expect(differences.filter((d) => d > 0).length / differences.length, "share that differs").toBeLessThan(
    0.01,
  );
}

let trained: Promise<StepReport> | undefined;

/** The steps of Node's CPU, made once. */
export const trainedOnCpu = (): Promise<StepReport> => (trained ??= stepWmgm(node({ threads: 1 })));

/** Requires two trainings to be the same to rounding. */
export function expectSameSteps(got: StepReport, want: StepReport): void {
  expect(want.arrays).toBeGreaterThan(40);
  expect(got.arrays).toBe(want.arrays);
  expectClose(got.metrics, want.metrics, { rtol: 1e-3, atol: 1e-5, what: "metrics" });
  const scale = Math.max(...want.moments.map(Math.abs));
  expect(scale, "a gradient worth comparing").toBeGreaterThan(1e-4);
  expectClose(got.moments, want.moments, { rtol: 1e-3, atol: 1e-3 * scale, what: "moments" });
}
