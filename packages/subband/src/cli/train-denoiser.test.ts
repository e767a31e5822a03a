import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../training/model-file.ts";
import { captureIo } from "./capture-io.testing.ts";
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

  test("--wavelet trains denoisers in that wavelet, which then denoise", async () => {
    const small = ["--width", "8", "--batch", "2", "--levels", "1", "--images", "4", "--threads", "1"];
    for (const [preset, more] of [
      ["local", ["--rf", "5"]],
      ["local-unet", []],
    ] as const) {
      const out = join(root, `db2-${preset}`);
      const {
        code,
        out: text,
        err,
      } = await train(...["--preset", preset, "--wavelet", "db2", ...small, ...more, "--out", out]);
      expect(code, err).toBe(0);
      expect(text.trimEnd().split("\n").at(-1)).toBe(`Denoise with: subband denoise PICTURE --model ${out}`);
      const info = await run("info", out);
      expect(info.out, preset).toMatch(/^config\.model\.wavelet +"db2"$/m);
      const other = await run("train", "--out", out, "--wavelet", "haar");
      expect(other.err).toMatch(/^error: --wavelet: run .* has db2, not haar\./);
      const stored = join(root, `db2-${preset}-model`);
      const exported = await run("export", out, "--out", stored);
      expect(exported.code, exported.err).toBe(0);
      expect((await run("info", stored)).out).toMatch(/^kind +\S.* denoiser, 1 level of db2$/m);
      const clean = join(root, `${preset}.png`);
      const denoised = await run("denoise", join(root, "pictures", "a.png"), "--model", out, "--out", clean);
      expect(denoised.code, denoised.err).toBe(0);
      expect(await sharp(clean).metadata()).toMatchObject({ width: 96, height: 64 });
    }
  });

  test.each([
    ["local-unet", "dbb2", /^error: unknown wavelet: "dbb2"\. Did you mean "db2"\? Known: [^\n]*\n$/],
    [
      "local",
      "bior2.2",
      /^error: wavelet "bior2\.2" is biorthogonal: [^\n]* Give an orthogonal one[^\n]*\n$/,
    ],
    [
      "wmgm",
      "db2",
      /^error: --wavelet: preset wmgm has no such option\. It belongs to --preset local and local-unet\.\n$/,
    ],
  ])("--preset %s --wavelet %s is refused in one line", async (preset, name, message) => {
    const out = join(root, "never");
    const { code, err } = await train("--preset", preset, "--wavelet", name, "--out", out, "--images", "4");
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(existsSync(join(out, "run.json"))).toBe(false);
  });

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
    expect((await loadModel(model)).model).toEqual((await loadModel(out)).model);
    expect(readFileSync(join(model, "model.safetensors"), "latin1")).not.toContain(root);
    expect((await run("export", model)).err).toMatch(/is a model file already/);
  });
});
