import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writePicture } from "../restoration/picture.ts";
import { meanOfNine, testPicture } from "../restoration/pictures.testing.ts";
import { localModel } from "../systems/parts/local/model.ts";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
import { saveModel } from "../training/model-file.ts";
import type { RunConfig } from "../training/run-config.ts";
import { writeUntrainedRun } from "../training/untrained-run.testing.ts";
import { type CapturedIo, captureIo } from "./capture-io.testing.ts";
import { folderContents } from "./folder-contents.testing.ts";
import { main } from "./main.ts";

const cwd = process.cwd();
const dir = mkdtempSync(join(tmpdir(), "subband-run-files-"));

async function subband(...argv: string[]): Promise<CapturedIo & { code: number }> {
  const io = captureIo();
  return Object.assign(io, { code: await main(argv, io) });
}

beforeAll(async () => {
  process.chdir(dir);
  const config: RunConfig = {
    preset: "wmgm",
    options: { levels: 1, batch: 64, lr: 1e-3, width: 16 },
    data: {
      source: "faces",
      name: "faces",
      count: 10,
      fingerprint: "f",
      licence: "l",
      credit: "c",
      flip: true,
    },
    images: { low: 1, detail: 1 },
    model: resolveWmgmConfig(
      { channels: 3, height: 16, width: 8, levels: 1, baseWidth: 16 },
      { lowMean: [0, 0, 0], lowStd: [0.4, 0.4, 0.4], detailRms: [Array.from({ length: 9 }, () => 0.1)] },
    ),
  };
  writeUntrainedRun("run", config);
  cpSync("run", "other", { recursive: true });
  symlinkSync("other", "way");
  saveModel("model", localModel(meanOfNine(), []));
  symlinkSync("run/run.json", "soft.png");
  linkSync("run/state.safetensors", "hard.onnx");
  for (const end of ["png", "onnx", "csv", "safetensors"]) {
    symlinkSync("/dev/null", `null.${end}`);
    symlinkSync("nowhere", `dangling.${end}`);
    execFileSync("mkfifo", [`pipe.${end}`]);
    mkdirSync(`folder.${end}`);
  }
  writeFileSync("file", "");
  mkdirSync("photos");
  await writePicture("photos/strip.png", testPicture({ height: 32, width: 32 }));
  mkdirSync("peers");
  writeFileSync("peers/results.csv", "method,picture,sigma,crc32,ms,psnr_out,file\n");
  writeFileSync("network.safetensors", "");
  copyFileSync("photos/strip.png", "photo.png");
});
afterAll(() => {
  process.chdir(cwd);
  rmSync(dir, { recursive: true, force: true });
});

const LONG = "n".repeat(300);
const CASES: readonly (readonly [readonly string[], string | number])[] = [
  ...["run/run.json", "run/state.safetensors", "file", "new.bmp"].map(
    (out) => [["sample", "run", "--out", out], "unknown extension"] as const,
  ),
  [["sample", "run", "--out", "run/samples/100.png"], "is part of the run"],
  [["sample", "run", "--out", "run/samples/new/100.png"], "is part of the run"],
  [["sample", "run", "--out", "other/grid.png"], "lies in the run"],
  [["sample", "run", "--out", "way/new/grid.png"], "lies in the run"],
  [["sample", "run", "--out", "model/grid.png"], "whose folder holds nothing else"],
  [["sample", "run", "--out", "soft.png"], "is the run's run.json"],
  [["sample", "run", "--out", "null.png"], "it is a device"],
  [["sample", "run", "--out", "pipe.png"], "it is a pipe"],
  [["sample", "run", "--out", "dangling.png"], "it is a dangling link"],
  [["sample", "run", "--out", "folder.png"], "it is a folder"],
  [["sample", "run", "--out", "file/grid.png"], '"file" is a file, no folder'],
  [["sample", "run", "--out", `${LONG}.png`], "ENAMETOOLONG"],
  [["sample", "run", "--out", ""], 2],
  [["sample", "run", "--each", ""], 2],
  [["sample", "run", "--each", "run/samples"], "is part of the run"],
  [["sample", "run", "--each", "file"], '"file" is a file, no folder'],
  [["sample", "run", "--each", "/dev/null"], '"/dev/null" is a file, no folder'],
  [["sample", "run", "--out", "g.png", "--each", "g.png"], "would have to be a folder, too"],
  [["sample", "run", "--out", "g/00003.png", "--each", "g"], "--out and --each would be one file"],
  [["sample", "run", "-n", "30000", "--out", "g.webp"], "WebP holds at most 16383 a side"],
  [["sample", "run", "-n", "100000000"], "-n: 100,000,000 images would take"],
  [["sample", "run", "-n", "9007199254740991", "--each", "e"], "-n: 9,007,199,254,740,991 images would take"],
  [["sample", "model", "--size", "65536x65536"], "-n: 64 images would take"],
  ...["--steps", "--threads"].flatMap((option) =>
    ["0", "-1", "1e309", "0x10", "NaN", "", "1000000000"].map(
      (value) => [["sample", "run", option, value], 2] as const,
    ),
  ),
  ...["0", "-1", "NaN", "1.5", "1e3"].map((value) => [["sample", "run", "-n", value], 2] as const),
  [["sample", "run", "--beta", "2"], 2],
  [["sample", "run", "--size", "64x"], 2],
  [
    ["sample", "run", "--beta", "0.5"],
    "--beta: preset wmgm has no such option. It belongs to --preset local",
  ],
  [["sample", "model", "--sampler", "hein"], 'unknown sampler: "hein". Did you mean "heun"?'],
  [["export", "run", "--blind"], "--blind: preset wmgm has no such option"],
  [["evaluate", "run", "--size", "32"], "--size: preset wmgm has no such option"],
  ...["run.json", "state.safetensors", "metrics.jsonl", "lock.json", "samples/x.onnx"].map(
    (name) => [["export", "run", "--out", `run/${name}`], "the run"] as const,
  ),
  [["export", "run", "--out", "hard.onnx"], "is the run's state.safetensors"],
  [["export", "run", "--out", "other/sampler.onnx"], "lies in the run"],
  [["export", "run", "--out", "photo.png"], "written as ONNX"],
  [["export", "run", "--out", "null.onnx"], "it is a device"],
  [["export", "run", "--out", "pipe.onnx"], "it is a pipe"],
  [["export", "run", "--out", "dangling.onnx"], "it is a dangling link"],
  [["export", "run", "--out", "folder.onnx"], "it is a folder"],
  [["export", "run", "--steps", "1000000000"], 2],
  [["export", "run", "--out", "-", "--json"], "--json prints to stdout"],
  [["evaluate", "run", "--out", "run/run.json"], "is the run's run.json"],
  [["evaluate", "run", "--out", "other/bands.csv"], "lies in the run"],
  [["evaluate", "run", "--out", "photo.png"], "written as CSV"],
  [["evaluate", "run", "--out", "pipe.csv"], "it is a pipe"],
  [["evaluate", "run", "--out", "folder.csv"], "it is a folder"],
  [["evaluate", "run", "-n", "100000000"], "-n: 100,000,000 images would take"],
  [["import", "network.safetensors", "--out", "network.safetensors"], "is the input"],
  [["import", "network.safetensors", "--out", "run"], "is a run of subband train"],
  [["import", "network.safetensors", "--out", "other/model"], "lies in the run"],
  [["import", "network.safetensors", "--out", "run/state.safetensors"], "is part of the run"],
  [["import", "network.safetensors", "--out", "null.safetensors"], "it is a device"],
  [["import", "network.safetensors", "--out", "photo.png"], "a model is a folder"],
  [
    ["study", "local", "--pictures", "photos", "--model", "m=model", "--out", "photos"],
    "is a picture of --pictures",
  ],
  [
    ["study", "local", "--pictures", "photos", "--peers", "peers/results.csv", "--out", "peers"],
    "is --peers",
  ],
  [["study", "local", "--pictures", "photos", "--dump", "run/dump"], "lies in the run"],
  [["study", "local", "--pictures", "photos", "--dump", "file"], '"file" is a file, no folder'],
  [["train", "--data", "faces", "--out", "other/inner"], "lies in the run"],
  [["train", "--data", "faces", "--out", "other/inner", "--dry-run"], "lies in the run"],
  [["train", "--data", "faces", "--out", "model"], "whose folder holds nothing else"],
  [["train", "--data", "faces", "--out", "file"], '"file" is a file, no folder'],
  [["train", "--data", "faces", "--out", "/dev/null"], '"/dev/null" is a file, no folder'],
  [["train", "--data", "faces", "--out", LONG], "ENAMETOOLONG"],
  [["demo", "--out", "other/inner"], "lies in the run"],
  [["demo", "--out", ""], 2],
  [["export", "builtin", "--out", "new"], "is a model file already"],
  [
    ["train", "--data", "faces", "--limit", "1000000000", "--out", "new"],
    "--limit: 1,000,000,000 images would take",
  ],
  [["data", "get", "faces", "--limit", "1000000000"], "--limit: 1,000,000,000 images would take"],
  [["study", "local", "--pictures", "photos", "--peers", "/dev/zero"], "no such list of results"],
  [["study", "local", "--pictures", "photos", "--peers", "pipe.csv"], "no such list of results"],
  [["upscale", "photo.png", "--factor", "2", "--samples", "1000000000"], 2],
];

describe("no command about a run or a model writes what it should not", () => {
  test(
    "each is refused in one line, before any work, and nothing is changed",
    { timeout: 240_000 }, // one command after another, each with a limit of its own
    async () => {
      const before = folderContents(".");
      for (const [argv, message] of CASES) {
        const what = argv.join(" ").slice(0, 100);
        const began = performance.now();
        const { code, err } = await subband(...argv);
        expect(err, what).toMatch(/^error: [^\n]+\n$/);
        expect(err, what).not.toContain("internal");
        if (typeof message === "string") expect(err, what).toContain(message);
        expect(code, what).toBe(typeof message === "string" ? 1 : message);
        expect(performance.now() - began, what).toBeLessThan(20_000);
        expect(folderContents("."), what).toEqual(before);
      }
    },
  );
});

describe("what may be written is", () => {
  const few = ["-n", "2", "--steps", "1"];

  test("a grid in the format of its name, or on stdout", { timeout: 60_000 }, async () => {
    for (const [name, format] of [
      ["grid.jpg", "jpeg"],
      ["grid.webp", "webp"],
      ["grid.tiff", "tiff"],
      ["grid.png", "png"],
    ] as const) {
      const { code, err } = await subband("sample", "run", ...few, "--out", `new/grids/${name}`);
      expect(code, err).toBe(0);
      expect(await sharp(`new/grids/${name}`).metadata(), name).toMatchObject({
        format,
        width: 134,
        height: 132,
      });
    }
    const piped = await subband("sample", "run", ...few, "--out", "-");
    expect([piped.code, Buffer.from(piped.outBytes).equals(readFileSync("new/grids/grid.png"))]).toEqual([
      0,
      true,
    ]);
    expect(piped.err).toMatch(/^grid +stdout$/m);
  });

  test("new files of a run into that run, by its name or a link", { timeout: 60_000 }, async () => {
    for (const out of ["other/faces.png", "way/faces.png", "other/pictures/faces.png"]) {
      const { code, err } = await subband("sample", "way", ...few, "--out", out, "--each", "other/each");
      expect(code, err).toBe(0);
    }
    expect(readdirSync("other/each")).toEqual(["00000.png", "00001.png"]);
    expect((await subband("sample", "other", ...few)).code).toBe(0); // grid.png, twice
    expect((await subband("sample", "other", ...few)).code).toBe(0);
  });

  test("an exported file or model, anew, and on stdout", { timeout: 60_000 }, async () => {
    for (const time of [1, 2])
      expect((await subband("export", "run", "--steps", "1", "--out", "ship/a.onnx")).code, `${time}`).toBe(
        0,
      );
    const piped = await subband("export", "run", "--steps", "1", "--out", "-");
    expect(Buffer.from(piped.outBytes).equals(readFileSync("ship/a.onnx"))).toBe(true);
  });

  test("builtin is a model to look at and to sample from", { timeout: 60_000 }, async () => {
    const info = await subband("info", "builtin");
    expect(info.code, info.err).toBe(0);
    expect(info.out).toMatch(/^model +.*model\.safetensors, \S+ MB, checksum good$/m);
    const drawn = await subband("sample", "builtin", "-n", "1", "--steps", "1", "--size", "32", "--quiet");
    expect([drawn.code, drawn.out, drawn.err]).toEqual([0, "", ""]);
    expect(await sharp("builtin-grid.png").metadata()).toMatchObject({ format: "png" });
  });
});
