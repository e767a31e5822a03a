/** @module What `evaluate` and `info` say of runs of sgm and wsgm, which draw pixels, or scale by scale by diffusion alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openTrainingData, resolveRunConfig } from "../training/train-run.ts";
import { writeUntrainedRun } from "../training/untrained-run.testing.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-rivals-"));
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<string> {
  const io = captureIo();
  const code = await main(argv, io);
  expect(code, io.err).toBe(0);
  return io.out;
}

interface Figures {
  readonly cost: { readonly nfeLow: number; readonly nfeDetail: number };
  readonly spread: readonly number[] | null;
  readonly bands: readonly {
    readonly level: number;
    readonly band: string;
    readonly generated: { readonly std: number };
    readonly real: { readonly std: number };
    readonly stdRatio: number;
  }[];
}

const size = { height: 8, width: 8 };
const CASES = [
  { preset: "sgm", options: {}, bands: ["LL0"], calls: [3, 0], stages: ["image"] },
  {
    preset: "sgm",
    options: { formulation: "ou", unet: "score" },
    bands: ["LL0"],
    calls: [3, 0],
    stages: ["image"],
  },
  {
    preset: "wsgm",
    options: { levels: 2 },
    bands: ["LH1", "HL1", "HH1", "LH2", "HL2", "HH2", "LL2"],
    calls: [3, 6],
    stages: ["low", "details-2", "details-1"],
  },
  {
    preset: "wsgm",
    options: { levels: 1, formulation: "ou", unet: "score" },
    bands: ["LH1", "HL1", "HH1", "LL1"],
    calls: [3, 3],
    stages: ["low", "details-1"],
  },
] as const;

describe.each(CASES)("a run of $preset $options", ({ preset, options, bands, calls, stages }) => {
  let out: string;
  beforeAll(async () => {
    out = mkdtempSync(join(dir, "run-"));
    const asked = {
      out,
      preset,
      data: "faces",
      limit: 12,
      size,
      images: 1,
      options: { width: 8, ...options },
    };
    const config = await resolveRunConfig(asked, await openTrainingData(asked));
    writeUntrainedRun(out, config);
  });

  test("evaluate compares its bands with the data's", async () => {
    const csv = join(dir, "bands.csv");
    const argv = ["evaluate", out, "-n", "4", "--steps", "3", "--threads", "1", "--out", csv, "--json"];
    const report = JSON.parse((await run(...argv)).trim().split("\n").at(-1)!) as { subjects: Figures[] };
    const figures = report.subjects[0]!;
    expect(figures.bands.map(({ band, level }) => `${band}${level}`)).toEqual(bands);
    // Three calls a scale: of the coarsest, and of all others together.
    expect([figures.cost.nfeLow, figures.cost.nfeDetail]).toEqual(calls);
    for (const { band, generated, real, stdRatio } of figures.bands) {
      expect(real.std, band).toBeGreaterThan(0);
      expect(stdRatio, band).toBeCloseTo(generated.std / real.std, 10);
      expect(generated.std, `${band} is no constant`).toBeGreaterThan(0.01);
    }
    // Details vary with their noise; pixels have none.
    expect(figures.spread?.map((each) => each > 0)).toEqual(
      calls[1] === 0 ? undefined : stages.slice(1).map(() => true),
    );
  });

  test("info tells its preset and what each stage holds", async () => {
    const text = await run("info", out);
    expect(text).toMatch(new RegExp(`^config\\.preset +"${preset}"$`, "m"));
    const told = JSON.parse((await run("info", out, "--json")).trim().split("\n").at(-1)!) as {
      config: { options: object };
      checkpoint: { elements: Record<string, number> };
    };
    expect(told.config.options).toMatchObject(options);
    const { elements } = told.checkpoint;
    expect(Object.keys(elements).sort()).toEqual(
      stages.flatMap((stage) => [`${stage}.adam`, `${stage}.average`, `${stage}.params`]).sort(),
    );
    for (const stage of stages) {
      const count = elements[`${stage}.params`]!;
      // Adam has two moments of each parameter, and its step.
      expect([elements[`${stage}.average`], elements[`${stage}.adam`]], stage).toEqual([
        count,
        2 * count + 1,
      ]);
      expect(text).toContain(`numbers in ${stage}.params`);
    }
  });
});
