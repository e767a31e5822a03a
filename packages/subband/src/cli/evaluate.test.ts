import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../data/open-dataset.ts";
import { measureBandScaling } from "../systems/band-scaling.ts";
import { resolveWmgmConfig } from "../systems/wmgm-config.ts";
import { writeUntrainedRun } from "../training/untrained-run.ts";
import { captureIo } from "./capture-io.ts";
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
    expect(figures).toMatchObject({ nfeLow: 2, nfeDetail: 1, count: 24, out });
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
  test("refuses what is no run", async () => {
    const io = captureIo();
    expect(await main(["evaluate", join(dir, "nothing")], io)).toBe(1);
    expect(io.err).toMatch(/^error: no such run: /);
  });
});
