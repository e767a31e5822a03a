import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sharedData } from "../../../../tests/support/npz.ts";
import { op, torchFile, torchZip, type WrittenTensor } from "../../../../tests/support/torch-file.ts";
import {
  conditionalConfig,
  flatConfig,
  initBfCnn,
  initBfCnnStatistics,
  lowPassConfig,
} from "../nn/bf-cnn.ts";
import { requirePyramid } from "../systems/parts/local/model.ts";
import { loadModel } from "../training/model-file.ts";
import { rng } from "onnxgrad";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-import-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

/** Writes an untrained network of two features as the authors would have saved it. */
function checkpoint(name: string, config: Parameters<typeof initBfCnn>[1]): string {
  const params = initBfCnn(rng(0, name), { ...config, width: 2 });
  const { deviations } = initBfCnnStatistics(params);
  const wide = ({ data }: { data: Float32Array }): WrittenTensor => ({ shape: [1, 2, 1, 1], data });
  const path = join(dir, name);
  writeFileSync(
    path,
    torchFile(
      Object.fromEntries([
        ...params.weights.map((weight, i) => [`module.conv_layers.${i}.weight`, weight] as const),
        ...deviations.map((deviation, i) => [`module.BN_layers.${i}.running_sd`, wide(deviation)] as const),
        ...params.gains.map((gain, i) => [`module.BN_layers.${i}.gammas`, wide(gain)] as const),
      ]),
    ),
  );
  return path;
}

describe("subband import", () => {
  test("makes one model of a low-pass network and conditional ones, and info tells what it is", async () => {
    const files = [
      checkpoint("low.pt", lowPassConfig(3)),
      checkpoint("rf5-scale1.pt", conditionalConfig(3, 5)),
      checkpoint("rf9-scale0.pt", conditionalConfig(3, 9)),
    ];
    const out = join(dir, "models", "ours");
    const { code, out: text, err } = await run("import", ...files, "--out", out);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(text).toMatch(/^kind +multi-scale denoiser, 2 levels$/m);
    expect(text).toMatch(/^images +colour, extents in multiples of 4$/m);
    expect(text).toMatch(
      /^details, level 2 +12 -> 9 channels, 21 convolutions, sees 5 x 5, .*rf5-scale1\.pt$/m,
    );
    expect(readdirSync(out)).toEqual(["model.safetensors"]);
    const { details } = requirePyramid((await loadModel(out)).model, "this test");
    expect(details.map(({ params }) => params.weights[8]!.shape[2])).toEqual([3, 1]);

    const told = await run("info", out);
    expect(told.out).toMatch(/^model +.*model\.safetensors, .* kB, checksum good\nmade by +subband \d/);
    expect(told.out).toMatch(
      /^low-pass, level 2 +3 -> 3 channels, 20 convolutions, sees 41 x 41, .*, from low\.pt$/m,
    );
    const json = JSON.parse((await run("info", out, "--json")).out) as Record<string, unknown>;
    expect(json).toMatchObject({ kind: "multi-scale", channels: 3, levels: 2 });
    expect(json["importedFrom"]).toMatchObject([
      { file: "low.pt", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      { file: "rf5-scale1.pt" },
      { file: "rf9-scale0.pt" },
    ]);
  });

  test("writes a file of a given name, and notes a low-pass network alone", async () => {
    const flat = checkpoint("flat.pt", flatConfig(1, 5));
    const told = await run("import", flat, "--out", join(dir, "flat.safetensors"), "--json");
    expect(told).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(told.out)).toMatchObject({
      kind: "flat",
      levels: 0,
      file: join(dir, "flat.safetensors"),
    });
    const low = await run("import", checkpoint("low.pt", lowPassConfig(1)), "--out", join(dir, "low"));
    expect(low.code).toBe(0);
    expect(low.err).toMatch(
      /^note: ".*low\.pt" has the shape of a low-pass network; .* give its conditional networks too\.$/m,
    );
  });

  test("writes nothing and says one line when a file is malicious, cut off, of another kind, or missing", async () => {
    const good = checkpoint("good.pt", flatConfig(1, 5));
    const write = (name: string, bytes: Uint8Array): string => {
      writeFileSync(join(dir, name), bytes);
      return join(dir, name);
    };
    const touched = join(dir, "touched");
    const evil = torchZip(op.call(op.global("posix", "system"), op.text(`touch ${touched}`)));
    const cases: [files: string[], message: RegExp][] = [
      [[write("evil.pt", evil)], /evil\.pt": it asks for "posix\.system"\. Only tensors/],
      [[write("cut.pt", readFileSync(good).subarray(0, 4000))], /cut\.pt": its zip is damaged or cut off/],
      [
        [write("unet.pt", torchFile({ "down.weight": { shape: [1], data: [1] } }))],
        /unet\.pt": another architecture/,
      ],
      [[good, good], /both denoise images/],
      [[checkpoint("scale0.pt", conditionalConfig(1, 5))], /Give the low-pass network too/],
      [[join(dir, "none.pt")], /none\.pt": there is no such file/],
    ];
    for (const [files, message] of cases) {
      const out = join(dir, "out");
      const { code, err } = await run("import", ...files, "--out", out);
      expect({ code, lines: err.trimEnd().split("\n").length }, files.join()).toEqual({ code: 1, lines: 1 });
      expect(err, files.join()).toMatch(message);
      expect(existsSync(out), files.join()).toBe(false);
    }
    expect(existsSync(touched)).toBe(false);
    expect((await run("import")).code).toBe(2);
    expect((await run("import", good, "--out", dir)).err).toMatch(/place in use: .* holds other things/);
  });

  const folder = sharedData("local-probability-models");
  test.skipIf(folder === undefined)(
    "imports the published networks, whatever order a shell lists them in",
    async () => {
      const files = ["low", "rf13-scale0", "rf13-scale1"].map((name) => `${folder}/${name}.pt`);
      const { code, out, err } = await run("import", ...files, "--out", join(dir, "celeba"), "--json");
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(JSON.parse(out)).toMatchObject({
        channels: 1,
        levels: 2,
        parameters: 1_094_144,
        importedFrom: [{ file: "low.pt" }, { file: "rf13-scale1.pt" }, { file: "rf13-scale0.pt" }],
      });
    },
  );
});
