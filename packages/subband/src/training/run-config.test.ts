import { atOnce } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import type { AnyPreset } from "../systems/preset.ts";
import { presetNamed, presets } from "../systems/presets.ts";
import { RunConfig1 } from "./format-1.ts";
import { RunConfig, systemOf } from "./run-config.ts";

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
const asked = { batch: 6, lr: 2e-4, width: 16 };

/** The configuration of a run on the ramp, as JSON. */
function configOf(preset: AnyPreset, more: object = {}, images = dataset): Record<string, unknown> {
  const options = preset.choose({ ...asked, ...more }, images);
  const model = atOnce(preset.resolve(options, images, { ...asked, ...more }));
  return JSON.parse(
    JSON.stringify({ preset: preset.name, options, data, images: { low: 12, detail: 12 }, model }),
  ) as Record<string, unknown>;
}

/** The same as format 1 kept it. */
function ofFormat1({ options: _, ...config }: Record<string, unknown>): Record<string, unknown> {
  return config;
}

/** The field and the words of the first thing that does not fit. */
function refusal(config: unknown, schema = RunConfig): string {
  const { path, message } = schema.safeParse(config).error!.issues[0]!;
  return `${path.join(".")}: ${message}`;
}

describe("RunConfig", () => {
  test.each(presets)("$name: options and what they came to survive run.json", (preset) => {
    const config = RunConfig.parse(configOf(preset));
    expect(RunConfig.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
    expect(config.options).toMatchObject(asked);
    expect(Object.keys(config.options).sort()).toEqual(Object.keys(preset.training).sort());
    expect(systemOf(config).image).toEqual({ channels: 3, height: 32, width: 64 });
  });

  test.each(presets.filter(({ format1 }) => format1))(
    "$name: a run of format 1 has the options that its model was made with",
    (preset) => {
      for (const more of [{}, { levels: 1 }]) {
        const config = configOf(preset, more);
        expect(RunConfig1.parse(ofFormat1(config))).toEqual(RunConfig.parse(config));
      }
    },
  );

  test("wmgm: a run of before there was a choice has a discriminator of the bands, and noise at the input", () => {
    const earlier = { judged: "bands", noiseAt: "input" };
    const { options, model, ...rest } = configOf(presetNamed("wmgm"), earlier);
    const { judged: _, noiseAt: _0, ...others } = options as Record<string, unknown>;
    const { detail, ...network } = model as Record<string, Record<string, unknown>>;
    const { judged: __, noiseAt: ___, samplingTemperature: ____, ...plain } = detail!;
    const before = { ...rest, options: others, model: { ...network, detail: plain } };
    expect(RunConfig.parse(before)).toEqual(RunConfig.parse(configOf(presetNamed("wmgm"), earlier)));
    expect(RunConfig.parse(configOf(presetNamed("wmgm"))).options).toMatchObject({
      judged: "image",
      noiseAt: "middle",
    });
  });

  test("local: a diffusion of the low-pass band is off unless asked for", () => {
    const local = presetNamed("local");
    const plain = RunConfig.parse(configOf(local));
    expect(plain.model).not.toHaveProperty("edmLow"); // as in runs of before
    expect(plain.options["edmLow"]).toBe(false);
    const config = RunConfig.parse(configOf(local, { edmLow: true }));
    expect(config.options["edmLow"]).toBe(true);
    expect(config.model).toMatchObject({ edmLow: { diffusion: { width: 16, batch: 6, lr: 2e-4 } } });
    expect(RunConfig1.parse(ofFormat1(configOf(local, { edmLow: true }))).options["edmLow"]).toBe(true);
  });

  test.each(["local", "local-unet"])(
    "%s: runs of before are of Haar; unknown wavelets are refused",
    (name) => {
      const { options, model, ...rest } = configOf(presetNamed(name), { levels: 1, wavelet: "sym4" });
      expect(RunConfig.parse({ options, model, ...rest }).options["wavelet"]).toBe("sym4");
      const { wavelet, ...before } = model as { wavelet: string };
      expect(wavelet).toBe("sym4");
      const old = RunConfig1.parse({ ...rest, model: before });
      expect(old.model).toEqual({ ...before, wavelet: "haar" });
      expect(old.options["wavelet"]).toBe("haar");
      for (const unknown of ["bior2.2", "db99", "constructor"]) {
        const wrong = { ...rest, options, model: { ...before, wavelet: unknown } };
        expect(refusal(wrong)).toBe(
          "model.wavelet: not an orthogonal wavelet that is known here: update subband",
        );
      }
    },
  );

  test("what was edited by hand is refused with its field", () => {
    const config = configOf(presetNamed("wmgm"));
    const options = config["options"] as object;
    expect(refusal({ ...config, preset: "wgmg" })).toMatch(/^preset: none that this version knows \(wmgm, /);
    expect(refusal({ ...config, preset: "wmgm-faithful" })).toMatch(
      /^options.judged: .* belongs to --preset wmgm/,
    );
    const {
      judged: _1,
      noiseAt: _2,
      ...shared
    } = options as {
      readonly judged: string;
      readonly noiseAt: string;
    };
    expect(refusal({ ...config, options: shared, preset: "wmgm-faithful" })).toMatch(/^model\./);
    expect(refusal({ ...config, options: { ...options, rf: 5 } })).toMatch(
      /^options\.rf: unknown option of /,
    );
    expect(refusal({ ...config, options: { ...options, receptiveField: 5 } })).toBe(
      "options.receptiveField: --rf: preset wmgm has no such option. It belongs to --preset local.",
    );
    expect(refusal({ ...config, options: { ...options, batch: "many" } })).toBe(
      'options.batch: --batch: "many"; give a whole number of at least 2.',
    );
    const narrow = RunConfig.parse({ ...config, options: { ...options, width: 12 } });
    expect(narrow.options["width"], "not offered, but what the run was begun with").toBe(12);
    const { batch: _, ...incomplete } = options as { readonly batch: number };
    expect(refusal({ ...config, options: incomplete })).toBe("options.batch: missing");
    expect(refusal({ ...config, model: { ...(config["model"] as object), depth: 3 } })).toMatch(
      /^model: .*depth/,
    );
    expect(refusal({ ...config, depth: 3 })).toMatch(/^: .*depth/);
    const old = ofFormat1(config);
    expect(refusal({ ...old, depth: 3 }, RunConfig1)).toMatch(/^: .*depth/);
    expect(refusal({ ...old, preset: "none" }, RunConfig1)).toMatch(/^preset: none of format 1 \(wmgm, /);
    expect(refusal({ ...old, model: { ...(old["model"] as object), levels: -1 } }, RunConfig1)).toMatch(
      /^model\.levels: /,
    );
  });
});
