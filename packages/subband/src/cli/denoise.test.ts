import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPicture, writePicture } from "../restoration/picture.ts";
import { randomNetwork, testPicture } from "../restoration/pictures.testing.ts";
import { localModel, storeModel } from "../systems/parts/local/model.ts";
import { encodeCheckpoint } from "../training/checkpoint.ts";
import { saveModel } from "../training/model-file.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

let dir: string;
const at = (name: string): string => join(dir, name);

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "subband-denoise-"));
  // The first of its features is a mean of nine, so that x - f(x) has less noise than x.
  saveModel(at("model"), localModel(highPass(), []));
  const size = { height: 63, width: 94 };
  await writePicture(at("clean.png"), testPicture(size));
  await writePicture(at("noisy.png"), testPicture({ ...size, noise: 0.1 }));
  await writePicture(
    at("deep.tiff"),
    testPicture({ ...size, noise: 0.1, deep: true, colours: 3, alpha: true }),
  );
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** A network whose residual is what a mean of 3 x 3 takes away, in two convolutions without a ReLU between. */
function highPass(): ReturnType<typeof randomNetwork> {
  const network = randomNetwork(1, { kernels: [3, 1], width: 1 });
  const [first, last] = network.params.weights;
  first!.data.fill(-1 / 9);
  first!.data[4] = 8 / 9;
  last!.data.fill(1);
  return network;
}

describe("subband denoise", () => {
  test("writes a picture nearer to the clean one, and says so", async () => {
    const out = at("denoised.png");
    const {
      code,
      out: text,
      err,
    } = await run(
      "denoise",
      at("noisy.png"),
      "--out",
      out,
      "--model",
      at("model"),
      "--compare",
      at("clean.png"),
      "--json",
    );
    expect(code, err).toBe(0);
    const { pictures, failed, model } = JSON.parse(text) as {
      model: string;
      failed: unknown[];
      pictures: Record<string, number & { psnr: number; ssim: number }>[];
    };
    expect(failed).toEqual([]);
    expect(model).toBe(join(at("model"), "model.safetensors"));
    const [found] = pictures;
    expect(found).toMatchObject({ output: out, width: 94, height: 63, bits: 8, strength: 1, notes: [] });
    expect(found!["estimatedSigma"]).toBeGreaterThan(0.07);
    expect(found!["before"]!.psnr).toBeCloseTo(20, 0);
    expect(found!["after"]!.psnr).toBeGreaterThan(found!["before"]!.psnr + 4);
    expect(found!["after"]!.ssim).toBeGreaterThan(found!["before"]!.ssim);
    expect(await readPicture(at("denoised-compare.png"), true)).toMatchObject({
      width: 3 * 94 + 16,
      height: 63,
    });
  });

  test("and train --from refuse a model whose weights are no numbers, naming file and tensor", async () => {
    const stored = storeModel(localModel(highPass(), []), {});
    const [[name, { data }]] = stored.tensors as Iterable<[string, { data: Float32Array }]> as [
      [string, { data: Float32Array }],
    ];
    data[0] = NaN;
    const file = at("poisoned.safetensors");
    writeFileSync(file, encodeCheckpoint(stored));
    const refusal = `error: cannot use "${file}": weights that are no finite numbers: "${name}" holds NaN as number 1 of ${data.length}. `;
    for (const argv of [
      ["denoise", at("noisy.png"), "--out", at("never.png"), "--model", file],
      ["info", file],
      ["train", "--from", file, "--data", dir, "--out", at("never")],
    ])
      expect(await run(...argv), argv[0]).toEqual({
        code: 1,
        out: "",
        err: expect.stringMatching(/^[^\n]*\n$/) as string,
      });
    const { err } = await run("denoise", at("noisy.png"), "--out", at("never.png"), "--model", file);
    expect(err.startsWith(refusal)).toBe(true);
    expect(existsSync(at("never.png"))).toBe(false);
  });

  test("keeps depth and alpha, and takes less away for a smaller --sigma", async () => {
    const before = await readPicture(at("deep.tiff"), true);
    const change = async (sigma: string): Promise<number> => {
      const { code, out } = await run(
        "denoise",
        at("deep.tiff"),
        "--out",
        at("deep-out.tiff"),
        "--model",
        at("model"),
        "--sigma",
        sigma,
      );
      expect([code, out.split("\n")[0]]).toEqual([
        0,
        `picture  ${at("deep-out.tiff")}, 94 x 63, colour with alpha, 16 bits`,
      ]);
      const { samples } = await readPicture(at("deep-out.tiff"), true);
      let total = 0;
      for (const [i, value] of samples.entries())
        if (i % 4 === 3) expect(value).toBe(before.samples[i]);
        else total += (value - before.samples[i]!) ** 2;
      return Math.sqrt(total);
    };
    const [all, half] = [await change("auto"), await change("0.05")];
    expect(half / all).toBeGreaterThan(0.4);
    expect(half / all).toBeLessThan(0.65);
    const { err } = await run(
      "denoise",
      at("noisy.png"),
      "--out",
      at("x.png"),
      "--model",
      at("model"),
      "--sigma",
      "128/255",
    );
    expect(err).toMatch(/^note: the noise was estimated as .* cannot be told to take more\.$/m);
  });

  test("a folder becomes a folder; broken pictures are left out and told", async () => {
    mkdirSync(at("photos/sub"), { recursive: true });
    const picture = testPicture({ height: 12, width: 15, noise: 0.1 });
    for (const name of ["a.png", "a.jpg", "sub/b.tiff"]) await writePicture(at(`photos/${name}`), picture);
    writeFileSync(at("photos/broken.png"), "no");
    const { code, out, err } = await run("denoise", at("photos"), "--model", at("model"));
    expect([code, out.trim().split("\n").at(-1)]).toEqual([1, "3 of 4 pictures written."]);
    expect(err).toMatch(/^left out: not a picture, or a broken one: ".*broken\.png"\. .*$/m);
    expect(readdirSync(at("photos-denoised"), { recursive: true }).map(String).toSorted()).toEqual(
      ["a.jpg.png", "a.png", "sub", join("sub", "b.tiff")].toSorted(),
    );
  });

  test("wrong requests are refused in one line, and nothing is written", async () => {
    mkdirSync(at("empty"));
    writeFileSync(at("cut.safetensors"), "cut");
    writeFileSync(at("net.pt"), "");
    const before = readdirSync(dir).toSorted();
    const good = ["--model", at("model")];
    for (const [exit, argv, message] of [
      [1, [at("gone.png"), ...good], "no such picture or folder"],
      [1, [at("empty"), ...good], "no pictures in"],
      [1, [at("noisy.png"), ...good, "--out", at("noisy.png")], "would replace its own input"],
      [1, [at("noisy.png"), ...good, "--out", at("empty")], "is a folder. Give --out the name of a picture"],
      [1, [at("noisy.png"), ...good, "--out", at("a.bmp")], 'unknown extension ".bmp"'],
      [1, [at("noisy.png"), ...good, "--compare", at("deep-none.png")], "no such picture"],
      [1, [at("noisy.png"), "--model", at("nowhere")], "no such model"],
      [1, [at("noisy.png"), "--model", at("cut.safetensors")], "damaged model"],
      [1, [at("noisy.png"), "--model", at("net.pt")], "is a PyTorch checkpoint. Import it first"],
      [2, [at("noisy.png"), ...good, "--sigma", "25"], "Did you mean 25/255? See:"],
      [2, [at("noisy.png"), ...good, "--sigma", "-0.1"], "Give auto, or a deviation"],
      [2, [at("noisy.png"), ...good, "--sigma", "much"], "Give auto, or a deviation"],
    ] as const) {
      const { code, out, err } = await run("denoise", ...argv);
      const what = argv.join(" ");
      expect([code, out], what).toEqual([exit, ""]);
      expect(err, what).toMatch(/^error: [^\n]+\n$/);
      expect(err, what).toContain(message);
    }
    expect(readdirSync(dir).toSorted()).toEqual(before);
  });

  test("the input may be replaced by force", async () => {
    await writePicture(at("mine.png"), testPicture({ height: 12, width: 15, noise: 0.1 }));
    const { code } = await run(
      "denoise",
      at("mine.png"),
      "--out",
      at("mine.png"),
      "--force",
      "--model",
      at("model"),
    );
    expect([code, existsSync(at("mine.png"))]).toEqual([0, true]);
  });

  test("Ctrl-C stops it, and nothing is written", async () => {
    const controller = new AbortController();
    controller.abort();
    const io = captureIo({ signal: controller.signal });
    const out = at("stopped.png");
    const code = await main(["denoise", at("noisy.png"), "--out", out, "--model", at("model")], io);
    expect([code, existsSync(out)]).toEqual([130, false]);
    expect(io.err).toContain(`error: stopped; "${out}" was not written.\n`);
  });
});
