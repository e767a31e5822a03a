import { atOnce } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import { resolveLocalConfig } from "../systems/local/config.ts";
import { local } from "../systems/local/local.ts";
import { presets } from "../systems/presets.ts";
import type { System } from "../systems/system.ts";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
import { wmgm } from "../systems/wmgm/wmgm.ts";
import { resolveWmgmFaithfulConfig } from "../systems/wmgm-faithful/config.ts";
import { wmgmFaithful } from "../systems/wmgm-faithful/wmgm-faithful.ts";
import { drawCost, networkCosts } from "./draw-cost.ts";

const stepsOf = ({ draw }: System) => draw.steps(draw.choose({}));
const costsOf = (system: System) => networkCosts(system.stages, stepsOf(system));

describe("networkCosts()", () => {
  test("counts the released networks as they are made: 1.01 GMAC for the generator on 32 x 32, four times that on 64 x 64", () => {
    const shape = { channels: 3, height: 128, width: 128 } as const;
    const config = resolveWmgmFaithfulConfig(shape, { range: { least: 0, greatest: 4 }, images: 1 });
    const [generator, discriminator, denoiser] = costsOf(wmgmFaithful(config));
    expect(generator).toMatchObject({ name: "generator", parameters: 36_471_600 });
    expect(generator!.steps.map(({ name, calls }) => [name, calls])).toEqual([
      ["details-2", 1],
      ["details-1", 1],
    ]);
    // By its definition 1.98 and 7.94: see gmac.test.ts.
    const gmac = generator!.steps.map((step) => step.gmac);
    expectClose(gmac, [1.01, 4.03], { rtol: 5e-3 });
    expect(discriminator).toEqual({ name: "discriminator", parameters: 42_632_257, steps: [] });
    expect(denoiser).toMatchObject({ name: "denoiser", steps: [{ name: "low", calls: 16 }] });
  });

  test("counts the published parameters, and no steps of networks in loops that stop by themselves", () => {
    const square = (side: number) => ({ channels: 1, height: side, width: side }) as const;
    expect(costsOf(local(resolveLocalConfig(square(160), [0.5, 0.5])))).toEqual([
      { name: "low", parameters: 665_856, steps: [] },
      { name: "details-2", parameters: 214_144, steps: [] },
      { name: "details-1", parameters: 214_144, steps: [] },
    ]);
    const flat = resolveLocalConfig({ ...square(64), levels: 0, receptiveField: 43 }, []);
    expect(costsOf(local(flat)).map(({ parameters }) => parameters)).toEqual([702_784]);
  });

  test("a diffusion of the low-pass band is called at every step of sampling", () => {
    const shape = { channels: 1, height: 32, width: 32, levels: 1 } as const;
    const edmLow = { scaling: { lowMean: [0], lowStd: [1] } };
    const costs = costsOf(local(resolveLocalConfig({ ...shape, edmLow }, [0.5])));
    expect(costs.map(({ name, steps }) => [name, steps.map(({ calls }) => calls)])).toEqual([
      ["low", []],
      ["details-1", []],
      ["edm-low", [20]],
    ]);
  });
});

describe.each(presets)("preset $name", (preset) => {
  test("is counted whole: every step that can be counted runs a network that a stage trains", () => {
    const shape = { channels: 3, height: 64, width: 64 } as const;
    const images = createDataset({
      ...{ name: "noise", ...shape, licence: "CC0", credit: "none", skipped: {}, fingerprint: "noise" },
      pixels: Uint8Array.from({ length: 2 * 3 * 64 * 64 }, (_, i) => (i * i) % 251),
    });
    const system = preset.system(atOnce(preset.resolve(preset.choose({}, shape), images, {})));
    const steps = costsOf(system).flatMap((network) => network.steps);
    expect(steps.map(({ name }) => name).sort()).toEqual(
      stepsOf(system)
        .filter(({ kind }) => kind !== "host")
        .map(({ name }) => name)
        .sort(),
    );
    for (const { name, gmac } of steps) expect(gmac, name).toBeGreaterThan(0);
  });
});

describe("drawCost()", () => {
  const config = resolveWmgmConfig(
    { channels: 1, height: 32, width: 32, levels: 2, baseWidth: 8, batch: 4 },
    { lowMean: [0], lowStd: [1], detailRms: Array<number[]>(2).fill([1, 1, 1]) },
  );
  const { draw } = wmgm(config);

  test.each([
    ["euler", 5, 5],
    ["heun", 5, 9],
    ["dpmpp2m", 5, 5],
  ])("%s in %i steps calls the denoiser %i times", (sampler, steps, calls) => {
    const [low, ...details] = drawCost(draw.steps(draw.choose({ sampler, steps })));
    expect(low).toMatchObject({ network: "denoiser", calls });
    expect(details.map((step) => [step.network, step.calls])).toEqual([
      ["generator", 1],
      ["generator", 1],
    ]);
  });

  test("one generator costs four times as much on bands of twice the extents", () => {
    const [, coarse, fine] = drawCost(draw.steps(draw.choose({})));
    // What the level alone decides is made once at either.
    expect(fine!.gmac / coarse!.gmac).toBeGreaterThan(3.9);
    expect(fine!.gmac / coarse!.gmac).toBeLessThan(4);
  });
});
