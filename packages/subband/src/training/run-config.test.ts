import { describe, expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import {
  chosenOptions,
  type PresetName,
  presetNamed,
  presets,
  resolveModel,
  RunConfig,
  samplingOf,
  systemOf,
  trainedSystemOf,
} from "./run-config.ts";

const dataset = createDataset({
  name: "ramp",
  channels: 3,
  height: 32,
  width: 64,
  pixels: Uint8Array.from({ length: 3 * 3 * 32 * 64 }, (_, i) => i % 251),
  licence: "CC0",
  credit: "none",
  skipped: {},
  fingerprint: "ramp",
});
/** What run.json tells of its data, where that makes no difference. */
const data = {
  source: "r",
  name: "r",
  count: 3,
  fingerprint: "r",
  licence: "CC0",
  credit: "none",
  flip: true,
};
const options = { batch: 6, lr: 2e-4, baseWidth: 16 };

describe("presets", () => {
  test("bands are measured on images from all over a sorted set", () => {
    // 20,000 images, of which 10,000 are measured; the first half is black, the second white.
    const pixels = new Uint8Array(20_000 * 16).fill(255, 10_000 * 16);
    const sorted = createDataset({ ...dataset, channels: 1, height: 4, width: 4, pixels });
    const { scaling } = presets.wmgm.resolve({ ...options, levels: 1 }, sorted);
    expect(scaling.lowMean[0]).toBeCloseTo(0, 5);
    expect(scaling.lowStd[0]).toBeCloseTo(1, 3);
  });

  test.each(Object.keys(presets) as PresetName[])("%s: what resolve() gives survives run.json", (preset) => {
    const config = RunConfig.parse({
      preset,
      data: {
        source: "ramp.zip",
        name: dataset.name,
        count: dataset.count,
        fingerprint: dataset.fingerprint,
        licence: dataset.licence,
        credit: dataset.credit,
        flip: true,
      },
      images: { low: 12, detail: 12 },
      model: presets[preset].resolve(options, dataset),
    });
    expect(RunConfig.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
    expect(chosenOptions(config)).toMatchObject(options);
    expect(trainedSystemOf(config).image).toEqual({ channels: 3, height: 32, width: 64 });
    if (preset === "local" || preset === "local-unet") return;
    const system = systemOf(config);
    expect(system.stages.map(({ name }) => name)).toEqual(["detail", "low"]);
    expect(system.schedule.sigmas(samplingOf(config).steps).length).toBe(samplingOf(config).steps + 1);
  });

  test("local: a diffusion of the low-pass band is off unless asked for, and survives run.json", () => {
    const parse = (model: unknown) =>
      RunConfig.parse({
        preset: "local",
        data,
        images: {},
        model: JSON.parse(JSON.stringify(model)) as unknown,
      });
    const plain = parse(presets.local.resolve(options, dataset));
    expect("edmLow" in plain.model).toBe(false); // as in runs of before
    expect(chosenOptions(plain).edmLow).toBe(false);
    const model = presets.local.resolve({ ...options, edmLow: true }, dataset);
    expect(parse(model).model).toEqual(model);
    expect(chosenOptions(parse(model)).edmLow).toBe(true);
    expect(model.edmLow?.diffusion).toMatchObject({ width: 16, batch: 6, lr: 2e-4 });
    expect(() => resolveModel("wmgm", { edmLow: true }, dataset)).toThrow(
      "--edm-low: preset wmgm has no such option. It belongs to --preset local.",
    );
  });

  test.each(["local", "local-unet"] as const)(
    "%s: runs of before are of Haar; unknown wavelets are refused",
    (preset) => {
      const model = presets[preset].resolve({ ...options, levels: 1, wavelet: "sym4" }, dataset);
      const parse = (changed: object) =>
        RunConfig.safeParse({
          preset,
          data,
          images: {},
          model: { ...model, ...changed },
        });
      expect(parse({}).data?.model).toEqual(model);
      const { wavelet, ...before } = model;
      expect(wavelet).toBe("sym4");
      const old = parse({ wavelet: undefined });
      expect(old.data?.model).toEqual({ ...before, wavelet: "haar" });
      expect(chosenOptions(old.data!).wavelet).toBe("haar");
      for (const name of ["bior2.2", "db99", "constructor"])
        expect(parse({ wavelet: name }).error?.issues[0], name).toMatchObject({
          path: ["model", "wavelet"],
          message: "not an orthogonal wavelet that is known here: update subband",
        });
    },
  );

  test("wmgm-faithful has its own levels, measured range and sampling", () => {
    const model = presets["wmgm-faithful"].resolve({}, dataset);
    expect(model.levels).toBe(1);
    expect(model.detail.passImages).toBe(3);
    expect(model.range.least).toBeGreaterThanOrEqual(0);
    expect(model.range.greatest).toBeLessThanOrEqual(2);
    expect(presets["wmgm-faithful"].sampling).toEqual({ sampler: "ddpm", steps: 16 });
  });

  test("a model of one preset is no configuration of another", () => {
    const model = presets.wmgm.resolve(options, dataset);
    expect(RunConfig.safeParse({ preset: "wmgm-faithful", model }).success).toBe(false);
    expect(RunConfig.safeParse({ preset: "wgmg", model }).success).toBe(false);
  });

  test("an unknown name is refused with a suggestion", () => {
    expect(() => presetNamed("wmgm-faithfull")).toThrow(/did you mean "wmgm-faithful"/i);
  });
});
