/** @module The conformance table on the provider `node-webgpu`: the machine's GPU, or SwiftShader. */
import { describe, expect, test, vi } from "vitest";
import { webgpu, whyNoWebgpu } from "../support/webgpu.ts";
import { CHECKS, runCheck } from "./checks.ts";
import { drawDemo } from "./demo-sampler.ts";
import { disagreements } from "./gaps.ts";
import { drawnOnCpu, expectSameImages, expectSameSteps, trainedOnCpu } from "./preset-reference.ts";
import { stepWmgm } from "./wmgm-step.ts";

// Shaders are compiled and run by the processor here, which other tests want too.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const missing = await whyNoWebgpu();

describe.skipIf(missing !== undefined)(`node-webgpu${missing === undefined ? "" : `: ${missing}`}`, () => {
  const [backend, strict] = [webgpu(), webgpu({ cpuFallback: false })];
  test.each(CHECKS.map((check) => [check.id, check] as const))("%s", async (_, check) => {
    expect(disagreements("node-webgpu", await runCheck(check, backend, strict))).toEqual([]);
  });

  test("the demo's sampler, compiled and exported, draws the images of the CPU", async () => {
    expectSameImages(await drawDemo(backend), await drawnOnCpu());
  });

  test("the default preset trains as on the CPU", async () => {
    expectSameSteps(await stepWmgm(backend), await trainedOnCpu());
  });
});
