import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { node } from "onnxgrad/node";
import sharp from "sharp";
import { rng } from "onnxgrad";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ImageSource } from "../images/image-source.ts";
import { openRunData } from "./run-data.ts";
import { runPaths } from "./run-directory.ts";
import { readRunFile } from "./run-file.ts";
import { openTrainingData, planRun, resolveRunConfig, trainRun } from "./train-run.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-run-data-"));
const pictures = join(dir, "pictures");
beforeAll(() => {
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
  mkdirSync(pictures);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

/** Noise: no two places of it are alike. */
async function paint(path: string, seed: number, side = 16): Promise<void> {
  const random = rng(seed, "picture");
  const pixels = Uint8Array.from({ length: 3 * side * side }, () => random.uint32() >>> 24);
  await sharp(pixels, { raw: { width: side, height: side, channels: 3 } }).toFile(path);
}

const TINY = {
  size: { height: 8, width: 8 },
  options: { levels: 0, width: 16, batch: 2 },
  images: 2,
} as const;

describe("the data of a run", () => {
  test("are without its own pictures and those of other runs: it resumes inside its data folder", async () => {
    for (const i of [0, 1, 2]) await paint(join(pictures, `${i}.png`), i);
    const backend = node({ threads: 1 });
    const request = { ...TINY, data: pictures, out: join(pictures, "runs", "first") };
    await trainRun(request, backend, {}, undefined, { previews: [1] });
    expect(readdirSync(runPaths(request.out).samples)).toHaveLength(1);
    await trainRun({ ...request, images: 4 }, backend, {}, undefined, { previews: [] });
    const warnings: string[] = [];
    const again = await planRun(
      { ...request, out: join(dir, "second") },
      { onWarning: (message) => warnings.push(message) },
    );
    expect(again.config.data.count).toBe(3);
    expect(warnings).toEqual([`left out of "${pictures}": 1 folder of a run: "runs/first".`]);
    const { config } = readRunFile(request.out);
    expect((await openRunData(request.out, config)).dataset.count).toBe(3);
  });

  test("share no pixel between training and held-out patches, at any scale", async () => {
    const large = join(dir, "large");
    mkdirSync(large);
    for (const i of [0, 1, 2, 3]) await paint(join(large, `${i}.png`), i, 64);
    const request = { ...TINY, data: large, patches: 40, out: join(dir, "patched") };
    const dataset = await openTrainingData(request);
    const config = await resolveRunConfig(request, dataset);
    expect(config.data).toMatchObject({ count: 160, heldOut: 40, heldOutBy: "pictures" });
    const { training, heldOut, heldOutCount } = await openRunData(request.out, config);
    expect([training.count, heldOut.count, heldOutCount]).toEqual([120, 40, 40]);
    // Which picture a patch is from, by its pixels alone: noise is found in one picture only.
    const rows = await Promise.all(
      [0, 1, 2, 3].map(async (i) => {
        const whole = sharp(join(large, `${i}.png`));
        const half = whole.clone().resize(32, 32);
        const buffers = await Promise.all([whole, half].map((image) => image.raw().toBuffer()));
        return buffers.map((buffer) => buffer.toString("latin1"));
      }),
    );
    const sourcesOf = (source: ImageSource): Set<number> => {
      const image = new Float32Array(3 * 64);
      const found = Array.from({ length: source.count }, (_, n) => {
        source.read(n, false, image, 0);
        const firstRow = Array.from({ length: 24 }, (_, k) =>
          Math.round((image[(k % 3) * 64 + Math.floor(k / 3)]! + 1) * 127.5),
        );
        const text = String.fromCharCode(...firstRow);
        const from = rows.findIndex((scales) => scales.some((pixels) => pixels.includes(text)));
        expect(from, `patch ${n}`).toBeGreaterThanOrEqual(0);
        return from;
      });
      return new Set(found);
    };
    const [trained, judged] = [sourcesOf(training), sourcesOf(heldOut)];
    expect([trained.size, judged.size]).toEqual([3, 1]);
    expect([...judged].filter((i) => trained.has(i))).toEqual([]);
  });

  test("are refused when they are not the same, or its run.json says what cannot be", async () => {
    const few = join(dir, "few");
    mkdirSync(few);
    for (const i of [0, 1]) await paint(join(few, `${i}.png`), i);
    const request = { ...TINY, data: few, out: join(dir, "third") };
    const config = await resolveRunConfig(request, await openTrainingData(request));
    const tooMany = { ...config, data: { ...config.data, heldOut: 2 } };
    await expect(openRunData(request.out, tooMany)).rejects.toMatchObject({ code: "run/invalid" });
    writeFileSync(join(few, "1.png"), "damaged");
    await expect(openRunData(request.out, config)).rejects.toMatchObject({
      code: "run/other-data",
      message: expect.stringContaining("(few, 2 images; there are 1 now)") as string,
    });
  });
});
