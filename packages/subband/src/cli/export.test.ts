import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
import type { RunConfig } from "../training/run-config.ts";
import { writeRun } from "../training/run-directory.ts";
import { writeUntrainedRun } from "../training/untrained-run.testing.ts";
import { versions } from "../training/versions.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "subband-export-"));
const run = join(dir, "run");
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const config: RunConfig = {
  preset: "wmgm",
  options: { levels: 1, batch: 64, lr: 1e-3, width: 16 },
  data: {
    source: "/home/ada/private pictures",
    name: "pictures",
    count: 10,
    fingerprint: "f",
    licence: "CC BY 4.0",
    credit: "A. Painter",
    flip: true,
  },
  images: { low: 1, detail: 1 },
  model: resolveWmgmConfig(
    { channels: 3, height: 16, width: 8, levels: 1, baseWidth: 16 },
    { lowMean: [0, 0, 0], lowStd: [0.4, 0.4, 0.4], detailRms: [Array.from({ length: 9 }, () => 0.1)] },
  ),
};

async function subband(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

/** Runs Node on the repository's packages, outside of our sources. */
async function nodeRun(...argv: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, argv, { cwd: ROOT })).stdout;
}

beforeAll(() => writeUntrainedRun(run, config));

describe("subband export", () => {
  test("writes the file, and tells its inputs, its cost and how to run it; what it tells runs", async () => {
    const file = join(dir, "a.onnx");
    const { code, out, err } = await subband(
      "export",
      run,
      "--out",
      file,
      "--steps",
      "2",
      "--sampler",
      "heun",
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^file +\S+a\.onnx, \d+\.\d [kM]B\n/);
    expect(out).toContain(
      "sampler        heun, 2 steps\ntemperature    0.8\nnetwork calls  3 + 1 an image (low band + details)\n",
    );
    expect(out).toMatch(
      /^inputs +noise float32 \[batch, 3, 8, 4\]\n +detail_noise_1 float32 \[batch, 16, 4, 2\]\noutput +image uint8 \[batch, 16, 8, 3\]$/m,
    );
    expect(out).toMatch(/^licence +of the training data: CC BY 4\.0$/m);
    const program = out.split("To run it:\n\n")[1]!.trimEnd().split("\n");
    expect(program).toHaveLength(6);
    const printed = await nodeRun(
      "--input-type=module",
      "--eval",
      `${program.join("\n")}\nconsole.log(image.type, image.dims.join(), image.data.length)`,
    );
    expect(printed).toBe("uint8 1,16,8,3 384\n");
  });

  test("with --json tells the same as one object, and keeps provenance in the file but no path of the data", async () => {
    const file = join(dir, "new folder", "b.onnx");
    const { code, out, err } = await subband(
      "export",
      run,
      "--out",
      file,
      "--steps",
      "3",
      "--sampler",
      "ddpm",
      "--json",
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const bytes = readFileSync(file);
    expect(JSON.parse(out)).toEqual({
      file,
      bytes: bytes.length,
      sampler: "ddpm",
      steps: 3,
      temperature: 0.8,
      weights: "last",
      best: {},
      nfeLow: 3,
      nfeDetail: 1,
      inputs: [
        { name: "noise", shape: [3, 8, 4] },
        { name: "step_noise_0", shape: [3, 8, 4] },
        { name: "step_noise_1", shape: [3, 8, 4] },
        { name: "detail_noise_1", shape: [16, 4, 2] },
      ],
      output: { name: "image", shape: [16, 8, 3] },
      licence: "CC BY 4.0",
      credit: "A. Painter",
    });
    expect(readdirSync(join(dir, "new folder")), "no temporary file is left").toEqual(["b.onnx"]);
    const text = bytes.toString("latin1");
    for (const kept of [versions().subband, "CC BY 4.0", "A. Painter", '"preset":"wmgm"', "nfe_low"])
      expect(text).toContain(kept);
    expect(text).not.toContain("/home/ada");
  });

  test("refuses what cannot be exported, in one line, and writes nothing", async () => {
    const out = join(dir, "c.onnx");
    const untrained = join(dir, "untrained");
    mkdirSync(untrained);
    writeRun(untrained, { versions: { ...versions() }, seed: 1, imagesSeen: {}, config });
    for (const [argv, message] of [
      [[run, "--weights", "bets"], /^error: unknown weights: "bets"\. Did you mean "best"\?.*\n$/],
      [[run, "--weights", "best"], /^error: no best weights: .*\n$/],
      [[run, "--sampler", "huen"], /^error: unknown sampler: "huen"\. Did you mean "heun"\?.*\n$/],
      [[join(dir, "nowhere")], /^error: .*nowhere.*\n$/],
      [[untrained], /^error: nothing saved yet: .*\n$/],
    ] as const) {
      const { code, err } = await subband("export", ...argv, "--out", out);
      expect({ code, err }, argv.join(" ")).toEqual({ code: 1, err: expect.stringMatching(message) });
    }
    expect((await subband("export", run, "--out", dir)).err).toMatch(/^error: cannot write .*\n$/);
    expect((await subband("export", run, "--steps", "0")).code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});

describe("examples/sample-with-onnxruntime.mjs", () => {
  test("draws a PNG of images from an exported file, the same for the same seed", async () => {
    const file = join(dir, "d.onnx");
    expect((await subband("export", run, "--out", file, "--steps", "1")).code).toBe(0);
    const draw = async (name: string, seed: number) => {
      const png = join(dir, name);
      const said = await nodeRun("examples/sample-with-onnxruntime.mjs", file, png, "5", String(seed));
      expect(said).toBe(`5 images of 8 x 16 in ${png}\n`);
      return sharp(png).raw().toBuffer({ resolveWithObject: true });
    };
    const [first, again, other] = [await draw("1.png", 1), await draw("2.png", 1), await draw("3.png", 2)];
    expect(first.info).toMatchObject({ width: 24, height: 32, channels: 3 });
    expect(again.data.equals(first.data)).toBe(true);
    expect(other.data.equals(first.data)).toBe(false);
  });
});
