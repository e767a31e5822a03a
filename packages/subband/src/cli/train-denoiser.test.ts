import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../training/model-file.ts";
import { captureIo } from "./capture-io.ts";
import { main } from "./main.ts";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "subband-train-denoiser-"));
  process.env["SUBBAND_CACHE"] = join(root, "cache");
  mkdirSync(join(root, "pictures"));
  for (const name of ["a", "b"])
    await sharp(
      Uint8Array.from({ length: 96 * 64 }, (_, i) => (i % 96) * 2),
      { raw: { width: 96, height: 64, channels: 1 } },
    )
      .png()
      .toFile(join(root, "pictures", `${name}.png`));
});
afterAll(() => {
  delete process.env["SUBBAND_CACHE"];
  rmSync(root, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

const train = (...more: string[]) => {
  const data = ["--data", join(root, "pictures"), "--size", "16", "--patches", "8", "--channels", "1"];
  return run("train", ...data, ...more);
};

describe("subband train of a denoiser", () => {
  test.each([
    {
      preset: "local",
      more: ["--levels", "1", "--rf", "5", "--width", "16", "--batch", "4"],
      networks: ["low", "details-1"],
    },
    {
      preset: "local",
      more: ["--levels", "1", "--rf", "5", "--width", "16", "--batch", "4", "--edm-low"],
      networks: ["low", "details-1", "edm-low"],
    },
    { preset: "local-unet", more: ["--levels", "2", "--width", "16", "--batch", "4"], networks: ["unet"] },
  ])(
    "--preset $preset --dry-run tells configuration, cost and memory",
    async ({ preset, more, networks }) => {
      const out = join(root, `dry-${preset}`);
      const shown = await train("--preset", preset, ...more, "--out", out, "--dry-run");
      expect({ code: shown.code, err: shown.err }).toEqual({ code: 0, err: "" });
      expect(shown.out).toMatch(/^denoising +\S+ k multiply-accumulates a pixel$/m);
      const { out: text } = await train("--preset", preset, ...more, "--out", out, "--dry-run", "--json");
      const plan = JSON.parse(text) as {
        readonly config: { readonly data: { readonly count: number; readonly patches: number } };
        readonly networks: readonly { readonly name: string }[];
        readonly denoising: { readonly macsPerPixel: number };
        readonly memoryEstimate: { readonly total: number };
      };
      // Eight patches of 16 x 16 of each picture.
      expect(plan.config.data).toMatchObject({ count: 16, patches: 8 });
      expect(plan.networks.map(({ name }) => name)).toEqual(networks);
      expect(plan.denoising.macsPerPixel).toBeGreaterThan(1000);
      expect(plan.memoryEstimate.total).toBeGreaterThan(1e6);
      expect(existsSync(out)).toBe(false);
    },
  );

  test("trains, resumes on its own patches, exports its model, and refuses what takes a generator", async () => {
    const out = join(root, "run");
    const size = ["--width", "8", "--batch", "2", "--levels", "1"];
    const first = await train(
      "--preset",
      "local-unet",
      ...size,
      "--images",
      "4",
      "--out",
      out,
      "--threads",
      "1",
    );
    expect(first.code, first.err).toBe(0);
    const second = await run("train", "--out", out, "--images", "6", "--threads", "1");
    expect(second.code, second.err).toBe(0);
    const other = await run("train", "--out", out, "--patches", "4");
    expect(other.err).toMatch(/^error: --patches: run .* has 8, not 4\./);
    const info = await run("info", out);
    expect(info.out).toMatch(/^config\.preset +"local-unet"$/m);
    const evaluated = await run("evaluate", out);
    expect(evaluated.code).toBe(1);
    expect(evaluated.err).toMatch(/^error: a run of preset local-unet is a denoiser[^\n]*\n$/);
    for (const wrong of [
      ["--out", join(root, "sampler.onnx")],
      ["--steps", "4"],
    ]) {
      const { code, err } = await run("export", out, ...wrong);
      expect(code, wrong.join(" ")).toBe(1);
      expect(err, wrong.join(" ")).toMatch(/^error: run "[^"]+" is a denoiser[^\n]+\n$/);
    }
    expect(existsSync(join(root, "sampler.onnx"))).toBe(false);
    const model = join(root, "model");
    const exported = await run("export", out, "--out", model);
    expect(exported.code, exported.err).toBe(0);
    expect(loadModel(model).model).toEqual(loadModel(out).model);
    expect(readFileSync(join(model, "model.safetensors"), "latin1")).not.toContain(root);
    expect((await run("export", model)).err).toMatch(/is a model file already/);
  });
});
