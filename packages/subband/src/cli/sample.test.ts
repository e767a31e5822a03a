import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomNetwork } from "../restoration/pictures.testing.ts";
import { localModel } from "../systems/parts/local/model.ts";
import { saveModel } from "../training/model-file.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

let root: string;
const at = (name: string): string => join(root, name);

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main([...argv, ...(argv[0] === "info" ? [] : ["--threads", "1"])], io);
  return { code, out: io.out, err: io.err };
}

async function sampled(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await run("sample", ...argv, "--json");
  expect(code, err).toBe(0);
  return JSON.parse(out) as Record<string, unknown>;
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "subband-sample-local-"));
  process.env["SUBBAND_CACHE"] = at("cache");
  mkdirSync(at("pictures"));
  for (const name of ["a", "b", "c"])
    await sharp(
      Uint8Array.from({ length: 32 * 32 }, (_, i) => ((i % 32) * 7) % 256),
      {
        raw: { width: 32, height: 32, channels: 1 },
      },
    )
      .png()
      .toFile(at(`pictures/${name}.png`));
  // Noise is what a mean of 3 x 3 takes away.
  const network = randomNetwork(1, { kernels: [3, 1], width: 1 });
  network.params.weights[0]!.data.fill(-1 / 9)[4] = 8 / 9;
  network.params.weights[1]!.data.fill(1);
  saveModel(at("flat"), localModel(network, []));
  const data = ["--data", at("pictures"), "--channels", "1", "--size", "16", "--levels", "1", "--rf", "5"];
  const size = ["--width", "8", "--batch", "2", "--images", "2", "--edm-low"];
  const trained = await run("train", "--preset", "local", ...data, ...size, "--out", at("run"));
  expect(trained.code, trained.err).toBe(0);
}, 60_000);
afterAll(() => {
  delete process.env["SUBBAND_CACHE"];
  rmSync(root, { recursive: true, force: true });
});

describe("subband sample of a local model", () => {
  test("takes the diffusion of the low-pass band where the run has one, at the size of training", async () => {
    const outcome = await sampled(at("run"), "-n", "3", "--steps", "4", "--sampler", "heun");
    expect(outcome).toMatchObject({
      n: 3,
      size: { width: 16, height: 16 },
      sampler: "heun",
      lowPass: "edm-low",
      nfeLow: 7,
      levels: 1,
      detailsBeta: 0.1,
      grid: join(at("run"), "grid.png"),
    });
    // Two images a row, each 16 x 16, 8 times as large, with 2 pixels around.
    expect(await sharp(join(at("run"), "grid.png")).metadata()).toMatchObject({ width: 262, height: 262 });
    const { out } = await run("sample", at("run"), "-n", "1", "--out", at("one.png"));
    expect(out).toMatch(/^low-pass band +dpmpp2m, 20 steps, on its own diffusion \(edm-low\)$/m);
    expect(out).toMatch(/^network calls +20 \+ \d+ an image/m);
    const info = await run("info", at("run"));
    expect(info.out).toMatch(/^config\.model\.edmLow\.share +0\.4$/m);
    expect(info.out).toMatch(/^numbers in edm-low\.average +[\d,]+$/m);
  });

  test("takes the blind network when asked to, other extents, and each image by itself", async () => {
    const common = ["--blind", "--size", "24x12", "--details-beta", "1", "--steps", "3"];
    const draw = (batch: number, into: string) =>
      sampled(
        at("run"),
        "-n",
        "3",
        "--batch",
        String(batch),
        ...common,
        "--each",
        at(into),
        "--out",
        at("g.png"),
      );
    const outcome = await draw(3, "together");
    expect(outcome).toMatchObject({ lowPass: "blind", nfeLow: 3, detailsBeta: 1, each: at("together") });
    await draw(2, "apart");
    for (const name of ["00000.png", "00001.png", "00002.png"]) {
      const [a, b] = await Promise.all(
        ["together", "apart"].map((folder) =>
          sharp(at(`${folder}/${name}`))
            .extractChannel(0)
            .raw()
            .toBuffer(),
        ),
      );
      expect(a!.length, name).toBe(24 * 12);
      for (const [i, value] of a!.entries())
        expect(Math.abs(value - b![i]!), `${name}, value ${i}`).toBeLessThanOrEqual(1);
    }
  });

  test("a model that was imported is sampled at the size given, beside its folder", async () => {
    const outcome = await sampled(at("flat"), "-n", "1", "--size", "10x12");
    expect(outcome).toMatchObject({
      levels: 0,
      lowPass: "blind",
      nfeLow: 20,
      nfeDetail: 0,
      detailsBeta: null,
    });
    expect(outcome["grid"]).toBe(at("flat-grid.png"));
    expect(readFileSync(at("flat-grid.png")).length).toBeGreaterThan(50);
    const ascent = await sampled(
      at("flat"),
      "-n",
      "1",
      "--size",
      "10x12",
      "--sampler",
      "ascent",
      "--beta",
      "1",
    );
    expect(ascent).toMatchObject({ steps: null, beta: 1, sampler: "ascent" });
    expect(ascent["nfeLow"]).toBeGreaterThan(50);
  });
});

test("wrong requests are refused in one line, and nothing is written", async () => {
  const before = readdirSync(root, { recursive: true }).map(String).toSorted();
  const flat = [at("flat"), "--size", "16"];
  for (const [exit, argv, message] of [
    [
      1,
      [at("flat")],
      "does not tell the size of the images that it was trained on. Give --size, such as 40.",
    ],
    [1, [at("run"), "--size", "17"], "multiples of 4. Use --size 16x16"],
    [1, [at("run"), "--weights", "worst"], 'unknown weights: "worst"'],
    [1, [...flat, "--weights", "best"], "--weights: "],
    [1, [...flat, "--sampler", "ascend"], 'Did you mean "ascent"'],
    [1, [...flat, "--sampler", "ascent", "--steps", "5"], "--steps: ascent takes as many as it needs"],
    [1, [...flat, "--beta", "0.5"], "--beta: sampler dpmpp2m has no such option"],
    [1, [...flat, "--details-beta", "0.5"], "this model draws whole images"],
    [2, [...flat, "--beta", "0"], "Give a number above 0 and up to 1."],
    [1, [at("gone")], "gone"],
  ] as const) {
    const { code, out, err } = await run("sample", ...argv);
    const what = argv.join(" ");
    expect([code, out], `${what}: ${err}`).toEqual([exit, ""]);
    expect(err, what).toMatch(/^error: [^\n]+\n$/);
    expect(err.toLowerCase(), what).toContain(message.toLowerCase());
  }
  expect(readdirSync(root, { recursive: true }).map(String).toSorted()).toEqual(before);
});
