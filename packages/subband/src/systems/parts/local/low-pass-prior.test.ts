import { State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { startNoise } from "../../../diffusion/noise.ts";
import { sample } from "../../../diffusion/samplers/samplers.ts";
import { compileDraw } from "../../../drawing/compile-draw.ts";
import type { DrawStep } from "../../draw.ts";
import { lowSchedule } from "../low-diffusion.ts";
import { local } from "../../local/local.ts";
import { resolveLocalConfig } from "../../local/config.ts";
import { drawEdmLow, edmLowStage, multipleOf, resolveEdmLow } from "./low-pass-prior.ts";

const shape = { channels: 1, height: 32, width: 64, levels: 1 } as const;
const scaling = { lowMean: [-0.2], lowStd: [0.5] };
const config = resolveEdmLow(shape, scaling, { baseWidth: 8, batch: 4 });

/** The arrays of a checkpoint before the first step. */
const checkpoint = new Map(
  [...new State(edmLowStage(shape, config).begin({ seed: 1, arrays: new Map() })).tensors()].map(
    ([name, array]) => [`edm-low.${name}`, array] as const,
  ),
);

/** The step that draws bands of these extents, level 1 of images, or the image. */
const stepOf = (gives: readonly number[], level = 1, of = config) =>
  drawEdmLow(of, { sampler: "heun", steps: 3 }, { name: "low", gives, level });

async function drawn(step: DrawStep) {
  const drawing = await compileDraw(node({ threads: 1 }), [step], checkpoint, 2);
  const found = await drawing.run({ seed: 1, count: 2 });
  await drawing.dispose();
  return found;
}

describe("drawEdmLow()", () => {
  test("before training, whose last layer is zero, D(x; sigma) = x / (1 + sigma^2) (Karras et al. 2022, eq. 7)", async () => {
    const { data, calls } = await drawn(stepOf([1, 16, 32]));
    expect(calls).toEqual([5]);
    const images = { seed: 1, count: 2, run: "low" };
    const sigmas = lowSchedule([1, 16, 32]).sigmas(3);
    const end = await sample(
      "heun",
      (x: Float32Array, sigma) => x.map((value) => value / (1 + sigma * sigma)),
      startNoise(images, sigmas[0]!, new Float32Array(2 * 16 * 32)),
      sigmas,
    );
    const unit = end.map((value) => (0.5 * value - 0.2 + 1) / 2);
    expectClose(data, unit, { rtol: 1e-4, atol: 1e-5, what: "bands in [0, 1]" });
    const whole = await drawn(stepOf([1, 16, 32], 0));
    expectClose(
      whole.data,
      unit.map((value) => 2 * value - 1),
      { rtol: 1e-4, atol: 2e-5, what: "images" },
    );
  });

  test("takes bands of other extents, as long as they can be halved as often", async () => {
    expect(multipleOf(config)).toBe(4);
    expect((await drawn(stepOf([1, 12, 20]))).data.length).toBe(2 * 240);
  });

  test("an array of another network is refused", async () => {
    const wider = resolveEdmLow(shape, scaling, { baseWidth: 16 });
    await expect(drawn(stepOf([1, 16, 32], 1, wider))).rejects.toThrow(/edm-low|params|shape/);
  });
});

describe("local() with a diffusion of the low-pass band", () => {
  const details = [0.5];
  const plain = local(resolveLocalConfig(shape, details));
  const system = local(resolveLocalConfig({ ...shape, edmLow: { scaling } }, details));

  test("trains one stage more, from a share of the budget that all others give alike", () => {
    expect(system.stages.map(({ name }) => name)).toEqual(["low", "details-1", "edm-low"]);
    expect(system.stages.reduce((total, { share }) => total + share, 0)).toBeCloseTo(1, 12);
    const [low, details1] = plain.stages;
    expect(system.stages[0]!.share / system.stages[1]!.share).toBeCloseTo(low!.share / details1!.share, 12);
    expect(plain.stages.length).toBe(2);
    expect([plain.local?.prior, system.local?.prior === undefined]).toEqual([undefined, false]);
  });
});
