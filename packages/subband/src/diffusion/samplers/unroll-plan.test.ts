import { add, atOnce, div, input, interpret, mul, rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { edmSchedule } from "../schedules/edm.ts";
import { runPlan } from "./plan.ts";
import { linearPlan, samplers } from "./samplers.ts";
import { noisySteps, unrollPlan } from "./unroll-plan.ts";

const sigmas = edmSchedule({ sigmaMin: 0.05, sigmaMax: 20 }).sigmas(5);
const normal = (name: string) => rng(2, name).fillNormal(new Float64Array(4));

describe("unrollPlan()", () => {
  // A denoiser that is not linear, so that the order of calls and updates shows.
  const shrink = (sigma: number) => 1 / (1 + sigma * sigma);

  test.each(Object.keys(samplers))("%s: the graph ends where the host loop ends", async (name) => {
    const plan = linearPlan(name, sigmas);
    const start = normal("start").map((value) => sigmas[0]! * value);
    const want = await runPlan(
      plan,
      (x, { sigma }) => x.map((value) => (shrink(sigma) * value) / (1 + value * value)),
      start,
      { noise: (step, out) => out.set(normal(`step-${step}`)) },
    );
    const steps = noisySteps(plan);
    const end = atOnce(
      unrollPlan(
        plan,
        (x, { sigma }) => div(mul(x, shrink(sigma)), add(mul(x, x), 1)),
        input("start", [4]),
        (step) => input(`step-${step}`, [4]),
      ),
    );
    const feeds = Object.fromEntries(steps.map((step) => [`step-${step}`, normal(`step-${step}`)]));
    const [got] = interpret([end], { ...feeds, start });
    expectClose(got!.data, want, { rtol: 1e-12, atol: 1e-12, what: `${name}: graph against host loop` });
  });
});

describe("noisySteps()", () => {
  test("names each step that draws noise once, whenever in the step it does", () => {
    const steps = (name: string) => noisySteps(linearPlan(name, sigmas));
    expect(steps("heun")).toEqual([]);
    expect(steps("ddpm"), "the step to 0 is free of noise").toEqual([0, 1, 2, 3]);
    const edm = linearPlan("edm", [60, 10, 1, 0.01, 0]);
    expect(noisySteps(edm), "drawn once for both calls, at levels of 0.05 to 50").toEqual([1, 2]);
  });
});
