import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng } from "onnxgrad";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../data/open-dataset.ts";
import { measureBandScaling } from "../systems/parts/band-scaling.ts";
import { resolveWmgmConfig, type WmgmConfig } from "../systems/wmgm/config.ts";
import { readRunFile } from "../training/run-file.ts";
import { openTrainingData, resolveRunConfig } from "../training/train-run.ts";
import { writeUntrainedRun } from "../training/untrained-run.testing.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-evaluate-"));
const run = join(dir, "run");
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const size = { height: 16, width: 16 };
const limit = 24;

beforeAll(async () => {
  const dataset = await openDataset("faces", { size, limit });
  const image = new Float32Array(3 * 256);
  const shape = { count: limit, channels: 3, ...size, levels: 1 };
  const scaling = measureBandScaling(shape, (i) => {
    dataset.read(i, false, image, 0);
    return image;
  });
  const { name, count, fingerprint, licence, credit } = dataset;
  writeUntrainedRun(run, {
    preset: "wmgm",
    options: { levels: 1, batch: 64, lr: 1e-3, width: 16 },
    data: { source: "faces", name, count, fingerprint, licence, credit, limit, flip: true },
    images: { low: 1, detail: 1 },
    model: resolveWmgmConfig({ channels: 3, ...size, levels: 1, baseWidth: 16 }, scaling),
  });
});

interface Report {
  readonly against: object;
  readonly subjects: readonly (Record<string, unknown> & {
    readonly bands: readonly {
      readonly level: number;
      readonly band: string;
      readonly real: { readonly std: number };
      readonly generated: { readonly std: number };
      readonly stdRatio: number;
    }[];
  })[];
}

async function subband(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

/** Evaluates with a few steps, without fail. */
async function evaluated(...argv: string[]): Promise<string> {
  const { code, out, err } = await subband("evaluate", ...argv, "--steps", "1", "--threads", "1");
  expect(code, err).toBe(0);
  return out;
}

const json = (out: string): Report => JSON.parse(out.trim().split("\n").at(-1)!) as Report;

describe("subband evaluate", () => {
  test("measures bands, spectrum, spread and cost, and keeps them as CSV, JSON and a strip of pictures", async () => {
    const out = join(dir, "bands.csv");
    const { code, ...io } = await subband(
      "evaluate",
      run,
      "-n",
      "24",
      "--steps",
      "2",
      "--out",
      out,
      "--json",
    );
    expect(code, io.err).toBe(0);
    const report = json(io.out);
    const [figures] = report.subjects;
    expect(report.subjects).toHaveLength(1);
    expect(report).toMatchObject({ format: 1, seed: 0, against: { name: "real", of: 24, on: "all" } });
    expect(figures).toMatchObject({
      ...{ name: run, kind: "run", preset: "wmgm", steps: 2, weights: "last", trainedSeconds: null },
      ...{ count: 24, generated: 24, pictures: 24, cost: { nfeLow: 2, nfeDetail: 1 } },
    });
    const cost = figures!["cost"] as Record<string, number>;
    // Low band: 8 x 8 from 2 calls; details: one.
    for (const what of ["parameters", "gmac", "msAlone", "msPerImage"])
      expect(cost[what], what).toBeGreaterThan(0);
    expect(figures!.bands.map(({ level, band }) => `${band}${level}`)).toEqual(["LH1", "HL1", "HH1", "LL1"]);
    for (const { real, generated, stdRatio } of figures!.bands)
      expect(stdRatio).toBeCloseTo(generated.std / real.std, 10);
    // An untrained generator with jittered weights heeds its noise a little: more than nothing.
    expect(figures!["spread"]).toHaveLength(1);
    expect((figures!["spread"] as number[])[0]).toBeGreaterThan(0);
    expect(figures!["radialSpectrumError"]).toBeGreaterThan(figures!["radialSpectrumFloor"] as number);
    expect(readFileSync(out, "utf8").split("\n")[0]).toBe(
      "level,band,std generated,std real,ratio,kurtosis generated,kurtosis real",
    );
    expect(readFileSync(out, "utf8").trim().split("\n")).toHaveLength(5);
    const { strip, figures: kept, bands, ...said } = report as unknown as Record<string, unknown>;
    expect({ strip, kept, bands }).toEqual({
      strip: join(dir, "bands.png"),
      kept: join(dir, "bands.json"),
      bands: out,
    });
    expect(JSON.parse(readFileSync(join(dir, "bands.json"), "utf8"))).toEqual(said);
    // Two rows, of the run and of the data, of 8 images of 16 x 16, enlarged 8 times.
    expect(await sharp(join(dir, "bands.png")).metadata()).toMatchObject({
      width: 8 * (128 + 2) + 2,
      height: 2 * (128 + 2) + 2,
    });
  });

  test("figures are those of the images that sample draws: a folder of them is as far from the data as the run", async () => {
    const each = join(dir, "each");
    const drawn = await subband("sample", run, "-n", "24", "--steps", "1", "--each", each);
    expect(drawn.code, drawn.err).toBe(0);
    const out = join(dir, "both.csv");
    const text = await evaluated(run, each, "-n", "24", "--out", out);
    expect(text).toMatch(/^ +\S*run +\S*each$/m);
    const { subjects } = JSON.parse(readFileSync(join(dir, "both.json"), "utf8")) as Report;
    const [own, pictures] = subjects;
    expect(pictures).toMatchObject({ kind: "images", generated: 24, count: 24, spread: null, cost: null });
    // PNGs are rounded to 1/255 of the range and clipped.
    for (const [i, { band, generated }] of pictures!.bands.entries())
      expect(generated.std / own!.bands[i]!.generated.std, band).toBeCloseTo(1, 1);
    expect(readFileSync(out, "utf8").trim().split("\n")).toHaveLength(9);
  });

  test("says how many it compared, of which; another seed chooses others", async () => {
    const out = join(dir, "b.csv");
    // 30 asked for, 24 there are.
    expect(await evaluated(run, "-n", "30", "--out", out)).toMatch(
      /^compared with +24 of 24 images, 0 held-out images among them\n(?:.*\n)*images +30\n/,
    );
    const real = async (seed: string): Promise<unknown> =>
      json(await evaluated(run, "-n", "8", "--seed", seed, "--out", out, "--json")).subjects[0]!.bands.map(
        (band) => band.real,
      );
    expect(await real("1")).not.toEqual(await real("2"));
  });

  test("real pictures beside real ones share none of them and are as far apart as chance alone has it", async () => {
    const { subjects } = json(
      await evaluated(run, "real", "-n", "24", "--out", join(dir, "real.csv"), "--json"),
    );
    const [, others] = subjects;
    expect(subjects.map(({ count }) => count)).toEqual([12, 12]);
    expect(others).toMatchObject({ kind: "real", generated: 12 });
    const { radialSpectrumError: error, radialSpectrumFloor: floor } = others as Record<string, number>;
    expect(error! / floor!).toBeGreaterThan(1 / 3);
    expect(error! / floor!).toBeLessThan(3);
  });

  test("in every run lie its own bands and figures, in the first the strip", async () => {
    const other = join(dir, "other");
    cpSync(run, other, { recursive: true });
    await evaluated(run, other, "-n", "8");
    const names = (folder: string) => readdirSync(folder).filter((name) => /\.csv$|^eval|^strip/.test(name));
    expect(names(run)).toEqual(["bands.csv", "evaluation.json", "strip.png"]);
    expect(names(other)).toEqual(["bands.csv", "evaluation.json"]);
    const kept = (folder: string) =>
      JSON.parse(readFileSync(join(folder, "evaluation.json"), "utf8")) as Report;
    expect(kept(other).subjects.map(({ name }) => name)).toEqual([other]);
    const { cost: _, name: __, ...figures } = kept(run).subjects[0]!;
    expect(kept(other).subjects[0]).toMatchObject(figures);
    // Against the images that the same run draws from other numbers.
    const own = json(await evaluated(run, "--against", other, "-n", "8", "--json"));
    expect(own.against).toEqual({ name: other, of: null });
    expect(own.subjects[0]).toMatchObject({ count: 8, spread: null });
    expect(own.subjects[0]!["radialSpectrumError"]).toBeGreaterThan(0);
  });

  test("compares with held-out patches when asked, and only with the data of the run", async () => {
    const pictures = join(dir, "pictures");
    mkdirSync(pictures);
    for (const i of [0, 1, 2]) {
      const random = rng(i, "picture");
      const pixels = Uint8Array.from({ length: 3 * 96 * 96 }, () => (random.uint32() >>> 25) + 60 * i);
      await sharp(pixels, { raw: { width: 96, height: 96, channels: 3 } }).toFile(join(pictures, `${i}.png`));
    }
    const patched = join(dir, "patched");
    const request = {
      out: patched,
      data: pictures,
      size,
      patches: 20,
      images: 1,
      options: { levels: 1, width: 16 },
    };
    const config = await resolveRunConfig(request, await openTrainingData(request));
    expect(config.data).toMatchObject({ count: 60, heldOut: 20 });
    writeUntrainedRun(patched, { ...config, images: { low: 1, detail: 1 } });
    expect(await evaluated(patched, "-n", "40", "--on", "training")).toContain("40 of 40 training images");
    const out = join(dir, "held-out.csv");
    const few = ["-n", "24", "--steps", "1", "--threads", "1", "--on", "held-out", "--out", out, "--json"];
    const both = await subband("evaluate", patched, run, ...few);
    expect(both.code, both.err).toBe(0);
    expect(json(both.out)).toMatchObject({
      against: { of: 20, on: "held-out" },
      subjects: [
        { count: 20, generated: 24 },
        { count: 20, generated: 24 },
      ],
    });
    expect(both.err).toContain("was trained on other images than");
    expect(await subband("evaluate", run, "--on", "held-out")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: run .* holds no images out/m) as string,
    });
    rmSync(join(pictures, "0.png"));
    expect(await subband("evaluate", patched)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/error: run .* was trained on other images/) as string,
    });
  });

  test("distances are on features of the shipped classifier, of 500 images or more, and it says from what they are scaled", async () => {
    const out = join(dir, "distances.csv");
    const text = await evaluated(run, "--against", run, "-n", "500", "--out", out);
    expect(text).toMatch(/^fd-cifar +\d/m);
    expect(text).toMatch(/^features +cifar, 192 a picture, images scaled from 16 x 16 to 32 x 32$/m);
    expect(text).toContain("fd-cifar of 500 images is too large by about");
    const report = JSON.parse(readFileSync(join(dir, "distances.json"), "utf8")) as Report & {
      readonly features: object;
    };
    expect(report.features).toMatchObject({ name: "cifar", scaledFrom: { height: 16, width: 16 } });
    const { frechet, interval, extrapolated, recall } = report.subjects[0]!["distances"] as Record<
      string,
      number
    > & { readonly interval: Readonly<Record<"bias" | "low", number>> };
    // Other images of the same run: all of the distance is for want of images.
    expect(interval.low).toBeLessThan(frechet! / 4);
    expect(extrapolated).toBeLessThan(frechet! / 2);
    expect(recall).toBeGreaterThan(0.5);
  });

  test("refuses in one line what cannot be compared", async () => {
    const each = join(dir, "some");
    mkdirSync(each);
    writeFileSync(join(each, "00001.png"), "");
    const large = join(dir, "large");
    const { config } = readRunFile(run);
    const model = resolveWmgmConfig(
      { channels: 3, height: 32, width: 32, levels: 1, baseWidth: 16 },
      { ...(config.model as WmgmConfig).scaling },
    );
    writeUntrainedRun(large, { ...config, model });
    const cases: readonly (readonly [readonly string[], string])[] = [
      [[join(dir, "nothing")], "no such run: "],
      [[run, large], "images of 16 x 16 in colour,"],
      [[run, "--against", large], "of 32 x 32 in colour: they cannot"],
      [[run, run], "is named twice"],
      [[run, "--features", "cifar", "-n", "24", "--out", join(dir, "x.csv")], "distances need 500 images"],
      [[run, "--features", join(dir, "no.onnx")], "there is no file"],
      [[run, "--features", join(run, "run.json")], "features "],
      [[run, "--layer", "pool"], "have a fixed layer"],
      [[each], "is no run, whose data would be known"],
      [["real"], "is no run, whose data would be known"],
      [[run, "real", "--against", run], "are drawn by a run"],
      [[run, "--against", each, "--on", "training"], "is of the data of a run"],
      [[run, "--against", join(dir, "nothing")], "no such run: "],
      [[run, each, "--strip", join(each, "00001.png")], "which is only read"],
      [[run, "--strip", join(dir, "strip.txt")], 'unknown extension ".txt"'],
      [[run, "--out", join(dir, "x.csv"), "--strip", join(dir, "x.csv")], "unknown extension"],
    ];
    for (const [argv, message] of cases) {
      const { code, err, out } = await subband("evaluate", ...argv);
      expect({ code, out }, argv.join(" ")).toEqual({ code: 1, out: "" });
      expect(err, argv.join(" ")).toMatch(/^error: [^\n]+\n$/);
      expect(err, argv.join(" ")).toContain(message);
    }
  });
});
