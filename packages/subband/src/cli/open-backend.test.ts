import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whyNoWebgpu } from "../../../../tests/support/webgpu.ts";
import { expectClose } from "onnxgrad/testing";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { trainRun } from "../training/train-run.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";
import { openBackend } from "./open-backend.ts";

const missing = await whyNoWebgpu();

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-open-backend-"));
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const REQUEST = {
  data: "faces",
  limit: 64,
  size: { height: 32, width: 32 },
  options: { levels: 0, width: 32, batch: 32 },
  images: 3 * 32,
} as const;

const CONTEXT = { ...captureIo(), json: false, quiet: false, exitWith() {} };

/** Milliseconds within which signals and progress are answered. */
const PATIENCE_MS = 100;

test("while a step is computed, whoever asks is answered", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  let [ms, during, before] = [0, 0, 0];
  try {
    await trainRun(
      { ...REQUEST, out: join(dir, "run") },
      await openBackend(CONTEXT, { threads: 1 }),
      {
        onEvent(event) {
          // The first step is compiled before.
          if (event.kind === "step" && event.step > 1) {
            ms += event.stepMs;
            during += turns - before;
          }
          before = turns;
        },
      },
      undefined,
      { previews: [] },
    );
  } finally {
    clearInterval(timer);
  }
  expect(ms, "or there is nothing to wait for").toBeGreaterThan(300);
  expect(during, `turns of the event loop in ${ms} ms of steps`).toBeGreaterThan(ms / PATIENCE_MS);
});

describe("--device", () => {
  const run = async (...argv: string[]): Promise<{ code: number; err: string; json: unknown }> => {
    const io = captureIo();
    const code = await main([...argv, "--threads", "1", "--json"], io);
    return {
      code,
      err: io.err,
      json: code === 0 ? JSON.parse(io.out.trim().split("\n").at(-1)!) : undefined,
    };
  };
  const TINY = "--data faces --limit 16 --size 8 --levels 0 --width 8 --batch 4 --images 8 --seed 1".split(
    " ",
  );
  const lossesIn = (out: string): number[] =>
    readFileSync(join(out, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .flatMap((line) => Object.values(JSON.parse(line) as Record<string, unknown>))
      .filter((value) => typeof value === "number" && !Number.isInteger(value)) as number[];

  test.skipIf(missing !== undefined)(
    "webgpu trains and draws what the cpu does",
    { timeout: 240_000 },
    async () => {
      const [cpu, gpu] = [join(dir, "cpu"), join(dir, "webgpu")];
      const pixels: Buffer[] = [];
      for (const [out, device] of [
        [cpu, "cpu"],
        [gpu, "webgpu"],
      ] as const) {
        expect(await run("train", ...TINY, "--out", out, "--device", device), device).toMatchObject({
          code: 0,
        });
        const grid = join(dir, `${device}.png`);
        // Both draw from what the CPU has learned.
        const drawn = await run("sample", cpu, "-n", "4", "--steps", "3", "--device", device, "--out", grid);
        expect(drawn, device).toMatchObject({ code: 0 });
        pixels.push(await sharp(grid).raw().toBuffer());
      }
      const [ours, theirs] = pixels as [Buffer, Buffer];
      const worst = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0);
      expect(worst, "levels of 255").toBeLessThanOrEqual(1);
      // Sums in another order: 1e-6 a step, which Adam's first steps amplify where a gradient is near 0.
      expectClose(lossesIn(gpu), lossesIn(cpu), { rtol: 1e-2, atol: 1e-3, what: "losses" });
    },
  );

  test("what a device lacks is told before the work, and nothing is written", async () => {
    const out = join(dir, "none");
    const { code, err } = await run("train", ...TINY, "--out", out, "--device", "cuda");
    if (code === 0) return; // a machine that has CUDA
    expect(code).toBe(1);
    expect(err).toMatch(/^error: .*CUDA.*\n$/);
    expect(existsSync(out)).toBe(false);
  });

  test("auto says what it found", async () => {
    const { code, err } = await run("train", ...TINY, "--out", join(dir, "auto"), "--device", "auto");
    expect(code, err).toBe(0);
    expect(err).toMatch(/^note: computing on (cpu|webgpu|cuda)\./);
  });
});
