import { atOnce } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import { flagName } from "./options.ts";
import {
  DEFAULT_PRESET,
  presetNamed,
  presetOptions,
  presets,
  readOptions,
  requireOptions,
} from "./presets.ts";

const shape = { channels: 3, height: 64, width: 64 } as const;

describe("presets", () => {
  test("are named once, each with a summary, and the first is the default", () => {
    expect(new Set(presets.map(({ name }) => name)).size).toBe(presets.length);
    for (const { name, summary } of presets) expect(summary, name).toMatch(/^[A-Za-z].{10,90}$/);
    expect(DEFAULT_PRESET).toBe(presets[0]);
  });

  test.each(["training", "drawing"] as const)(
    "%s: a flag means one thing, and so does a name of an option, whichever presets have it",
    (kind) => {
      const all = presetOptions(kind);
      const flags = all.map(({ option }) => flagName(option));
      expect(new Set(flags).size).toBe(flags.length);
      for (const { key, option, presets: owners } of all)
        for (const owner of owners) expect(owner[kind][key], `${owner.name} ${key}`).toBe(option);
    },
  );

  test("every preset is drawn from by a sampler and its steps", () => {
    for (const { name, drawing } of presets)
      expect(Object.keys(drawing), name).toEqual(expect.arrayContaining(["sampler", "steps"]));
  });

  test.each(presets)("$name: every option has a default, which it takes", (preset) => {
    const chosen = preset.choose({}, shape);
    expect(Object.keys(chosen).sort()).toEqual(Object.keys(preset.training).sort());
    expect(readOptions(preset, chosen)).toEqual(chosen);
  });

  test.each(presets.filter(({ training }) => "levels" in training))(
    "$name: levels that do not fit the size are refused before anything is read",
    (preset) => {
      expect(() => preset.choose({ levels: 5 }, { channels: 3, height: 48, width: 64 })).toThrow(
        /^size: 48x64 does not fit .*Use --size /,
      );
    },
  );

  test("wmgm: bands are measured on images from all over a sorted set", () => {
    // 20,000 images, of which 10,000 are measured; the first half is black, the second white.
    const sorted = createDataset({
      ...{ name: "sorted", channels: 1, height: 4, width: 4, licence: "CC0", credit: "none" },
      pixels: new Uint8Array(20_000 * 16).fill(255, 10_000 * 16),
      ...{ skipped: {}, fingerprint: "sorted" },
    });
    const wmgm = presetNamed("wmgm");
    const { scaling } = atOnce(wmgm.resolve(wmgm.choose({ levels: 1 }, sorted), sorted, {})) as unknown as {
      readonly scaling: { readonly lowMean: readonly number[]; readonly lowStd: readonly number[] };
    };
    expect(scaling.lowMean[0]).toBeCloseTo(0, 5);
    expect(scaling.lowStd[0]).toBeCloseTo(1, 3);
    const pieces = [...wmgm.resolve(wmgm.choose({ levels: 1 }, sorted), sorted, {})];
    expect(pieces, "an image each").toHaveLength(10_000);
  });
});

describe("presetNamed()", () => {
  test("refuses an unknown name with a suggestion", () => {
    expect(() => presetNamed("wmgm-faithfull")).toThrow(/did you mean "wmgm-faithful"/i);
  });
});

describe("requireOptions()", () => {
  test("an option of drawing that other presets have is refused with their names", () => {
    const { drawing } = presetNamed("wmgm");
    const refusal = (asked: Readonly<Record<string, unknown>>) => () =>
      requireOptions("drawing", "preset wmgm", drawing, asked);
    expect(refusal({ steps: 4, sampler: "heun" })).not.toThrow();
    expect(refusal({ steps: 4, beta: 0.5 })).toThrow(
      "--beta: preset wmgm has no such option. It belongs to --preset local and local-unet.",
    );
    expect(refusal({ sampelr: "heun" })).toThrow(/Did you mean "sampler"/);
  });
});

describe("readOptions()", () => {
  test("reads what was typed, and leaves out what was not", () => {
    expect(readOptions(presetNamed("wmgm"), { levels: "2", lr: "1e-3", batch: undefined })).toEqual({
      levels: 2,
      lr: 1e-3,
    });
  });

  test("an option of another preset is refused with that preset's name", () => {
    expect(() => readOptions(presetNamed("wmgm"), { edmLow: true })).toThrow(
      "--edm-low: preset wmgm has no such option. It belongs to --preset local.",
    );
    expect(() => readOptions(presetNamed("wmgm"), { wavelet: "haar" })).toThrow(
      "It belongs to --preset local and local-unet.",
    );
    expect(() => readOptions(presetNamed("wmgm"), { widht: 3 })).toThrow(/Did you mean "width"/);
  });

  test("values that an option does not take are refused in its words", () => {
    const refusal = (asked: Readonly<Record<string, unknown>>): string => {
      try {
        readOptions(presetNamed("local"), asked);
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    for (const value of ["0x10", "1.5", "-1", "", "1e3", 1.5, -1, true, null, Number.NaN])
      expect(refusal({ batch: value }), String(value)).toMatch(
        /^--batch: .*; give a whole number of at least 2\.$/,
      );
    expect(refusal({ width: "12" })).toBe('--width: "12"; give a multiple of 8.');
    expect(refusal({ levels: "9" })).toBe('--levels: "9"; give a whole number of at least 0 and at most 8.');
    for (const value of ["0", "-1e-3", "Infinity", "1e999", "0x1"])
      expect(refusal({ lr: value }), value).toMatch(/^--lr: .*; give a number above 0, such as 1e-3\.$/);
    expect(refusal({ edmLow: "yes" })).toBe('--edm-low: "yes"; give true or false.');
    expect(refusal({ wavelet: "harr" })).toMatch(/unknown wavelet: "harr"\. Did you mean "haar"/);
  });
});
