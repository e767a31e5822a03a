/** @module What the demo's sampler must draw on any provider: the images of Node's CPU, to rounding. */
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { expect } from "vitest";
import { type DemoImages, drawDemo } from "./demo-sampler.ts";

let drawn: Promise<DemoImages> | undefined;

/** The images of Node's CPU, drawn once. */
export const onCpu = (): Promise<DemoImages> => (drawn ??= drawDemo(node({ threads: 1 })));

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
