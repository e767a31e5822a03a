import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng } from "onnxgrad";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../data/open-dataset.ts";
import { measureBandScaling } from "../systems/parts/band-scaling.ts";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
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

describe("subband evaluate", () => {
  test("measures bands, spectrum and spread, and keeps the bands as CSV", async () => {
    const io = captureIo();
    const out = join(dir, "bands.csv");
    const code = await main(["evaluate", run, "-n", "24", "--steps", "2", "--out", out, "--json"], io);
    expect({ code, err: io.err }).toEqual({ code: 0, err: expect.any(String) as string });
    const figures = JSON.parse(io.out.trim().split("\n").at(-1)!) as Record<string, unknown> & {
      bands: {
        level: number;
        band: string;
        real: { std: number };
        generated: { std: number };
        stdRatio: number;
      }[];
      spread: number[];
    };
    expect(figures).toMatchObject({ nfeLow: 2, nfeDetail: 1, count: 24, generated: 24, on: "all", out });
    expect(figures.bands.map(({ level, band }) => `${band}${level}`)).toEqual(["LH1", "HL1", "HH1", "LL1"]);
    for (const { real, generated, stdRatio } of figures.bands)
      expect(stdRatio).toBeCloseTo(generated.std / real.std, 10);
    // An untrained generator with jittered weights heeds its noise a little: more than nothing.
    expect(figures.spread).toHaveLength(1);
    expect(figures.spread[0]).toBeGreaterThan(0);
    expect(figures["radialSpectrumError"]).toBeGreaterThan(figures["radialSpectrumFloor"] as number);
    expect(readFileSync(out, "utf8").split("\n")[0]).toBe(
      "level,band,std generated,std real,ratio,kurtosis generated,kurtosis real",
    );
    expect(readFileSync(out, "utf8").trim().split("\n")).toHaveLength(5);
  });
  test("says how many it compared, of which; another seed chooses others", async () => {
    const measure = async (...options: string[]) => {
      const io = captureIo();
      const code = await main(["evaluate", run, "--steps", "1", "--out", join(dir, "b.csv"), ...options], io);
      expect({ code, err: io.err }).toEqual({ code: 0, err: expect.any(String) as string });
      return io.out;
    };
    // 30 asked for, 24 there are.
    expect(await measure("-n", "30")).toMatch(
      /images +30, .*\ncompared with +24 of 24 images, 0 held-out images among them\n/,
    );
    const real = async (seed: string): Promise<unknown> =>
      (
        JSON.parse((await measure("-n", "8", "--seed", seed, "--json")).trim().split("\n").at(-1)!) as {
          bands: { real: unknown }[];
        }
      ).bands.map((band) => band.real);
    expect(await real("1")).not.toEqual(await real("2"));
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
    const config = resolveRunConfig(request, await openTrainingData(request));
    expect(config.data).toMatchObject({ count: 60, heldOut: 20 });
    writeUntrainedRun(patched, { ...config, images: { low: 1, detail: 1 } });
    const evaluate = async (...options: string[]) => {
      const io = captureIo();
      const code = await main(["evaluate", patched, "-n", "100", "--steps", "1", ...options], io);
      return { code, ...io };
    };
    expect((await evaluate("--on", "training")).out).toContain("40 of 40 training images");
    const held = await evaluate("--on", "held-out", "--json");
    expect(JSON.parse(held.out.trim().split("\n").at(-1)!)).toMatchObject({
      ...{ count: 20, generated: 100, of: 20, on: "held-out" },
    });
    const none = captureIo();
    expect(await main(["evaluate", run, "--on", "held-out"], none)).toBe(1);
    expect(none.err).toMatch(/^error: run .* holds no images out/m);
    rmSync(join(pictures, "0.png"));
    const other = await evaluate();
    expect(other.code).toBe(1);
    expect(other.err).toMatch(/error: run .* was trained on other images/);
  });

  test("refuses what is no run", async () => {
    const io = captureIo();
    expect(await main(["evaluate", join(dir, "nothing")], io)).toBe(1);
    expect(io.err).toMatch(/^error: no such run: /);
  });
});
