import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { resumedConfig } from "./resume-request.ts";
import { readRunFile } from "./run-file.ts";
import type { TrainRequest } from "./train-run.ts";

const recordOf = (preset: string) =>
  readRunFile(fileURLToPath(new URL(`fixtures/format-1/${preset}`, import.meta.url)));

describe("resumedConfig()", () => {
  const byImages = recordOf("wmgm");
  const byTime = recordOf("local-unet");

  test("is the run's own where nothing is asked, or nothing else", () => {
    expect(resumedConfig({ out: "run" }, byImages)).toEqual(byImages.config);
    const same = {
      ...{ out: "run", preset: "wmgm", size: { height: 32, width: 32 }, channels: 3, seed: 3 },
      ...{ options: { levels: 2, batch: 2 }, images: 6 },
    } as const;
    expect(resumedConfig(same as TrainRequest, byImages)).toEqual(byImages.config);
    expect(resumedConfig({ out: "run", minutes: 0.01 }, byTime)).toEqual(byTime.config);
  });

  test("takes a larger budget for every stage, and counts images instead of minutes once they are asked for", () => {
    const more = resumedConfig({ out: "run", images: 10 }, byImages);
    expect(more).toEqual({ ...byImages.config, images: { detail: 10, low: 10 }, minutes: undefined });
    expect(resumedConfig({ out: "run", minutes: 3 }, byTime)).toEqual({ ...byTime.config, minutes: 3 });
    const counted = resumedConfig({ out: "run", images: 50 }, byTime);
    expect(counted).toEqual({ ...byTime.config, images: { unet: 50 }, minutes: undefined });
  });

  test.each([
    [byImages, { images: 5 }, "--images: run .* has up to 6 a stage, more than 5"],
    [byImages, { minutes: 5 }, "--minutes: run .* has a budget of images"],
    [byTime, { minutes: 0.005 }, "--minutes: run .* has 0.01, more than 0.005"],
    [byTime, { images: 19 }, "--images: run .* has up to 20 a stage, more than 19"],
    [byImages, { preset: "local" }, "--preset: run .* has wmgm, not local"],
    [byImages, { size: { height: 32, width: 64 } }, "--size: run .* has 32x32, not 64x32"],
    [byImages, { options: { levels: 1 } }, "--levels: run .* has 2, not 1"],
    [byImages, { options: { wavelet: "db2" } }, "--wavelet: run .* has none, not db2"],
    [byTime, { seed: 4 }, "--seed: run .* has 3, not 4"],
    [byTime, { patches: 2 }, "--patches: run .* has whole pictures, not 2"],
    [byTime, { flip: false }, "--no-flip: run .* has true, not false"],
  ] as const)("refuses what would change the run: $1", (record, asked, message) => {
    expect(() => resumedConfig({ out: "run", ...asked } as never, record)).toThrow(new RegExp(`^${message}`));
  });
});
