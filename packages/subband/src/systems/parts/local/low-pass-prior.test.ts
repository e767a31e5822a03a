import { rng, State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { local } from "../../local/local.ts";
import { resolveLocalConfig } from "../../local/config.ts";
import { compilePrior, edmLowOf, edmLowStage, multipleOf, resolveEdmLow } from "./low-pass-prior.ts";

const shape = { channels: 1, height: 32, width: 64, levels: 1 } as const;
const scaling = { lowMean: [-0.2], lowStd: [0.5] };
const config = resolveEdmLow(shape, scaling, { baseWidth: 8, batch: 4 });

/** The arrays of a checkpoint before the first step. */
const checkpoint = new Map(
  [...new State(edmLowStage(shape, config).begin({ seed: 1, arrays: new Map() })).tensors()].map(
    ([name, array]) => [`edm-low.${name}`, array] as const,
  ),
);

describe("compilePrior()", () => {
  test("before training, whose last layer is zero, D(x; sigma) = x / (1 + sigma^2) (Karras et al. 2022, eq. 7)", async () => {
    const prior = await compilePrior(node({ threads: 1 }), edmLowOf(1, config, checkpoint), [2, 1, 16, 32]);
    const x = rng(1, "prior-test").fillNormal(new Float32Array(2 * 16 * 32));
    for (const sigma of [0.03, 1, 20])
      expectClose(
        await prior.denoise(x, sigma),
        x.map((value) => value / (1 + sigma * sigma)),
        { rtol: 1e-5, atol: 1e-6 },
      );
    const unit = x.map((value) => (0.5 * value - 0.2 + 1) / 2);
    expectClose(await prior.restore(x), unit, { rtol: 1e-5, atol: 1e-6 });
    await prior.dispose();
  });

  test("takes bands of other extents, as long as they can be halved as often", async () => {
    expect(multipleOf(edmLowOf(1, config, checkpoint))).toBe(4);
    const prior = await compilePrior(node({ threads: 1 }), edmLowOf(1, config, checkpoint), [1, 1, 12, 20]);
    expect((await prior.denoise(new Float32Array(240).fill(1), 1)).length).toBe(240);
    await prior.dispose();
  });

  test("an array of another network is refused", () => {
    const wider = resolveEdmLow(shape, scaling, { baseWidth: 16 });
    expect(() => edmLowOf(1, wider, checkpoint)).toThrow(/edm-low|params|shape/);
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
    expect(plain.prior).toBeUndefined();
  });

  test("asks nothing of it for denoising: it runs at the steps of sampling", () => {
    expect(system.networks().map(({ name, runs }) => [name, runs])).toEqual([
      ["low", "once"],
      ["details-1", "once"],
      ["edm-low", "each-step"],
    ]);
  });
});
