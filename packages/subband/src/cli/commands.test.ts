import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { saveCheckpoint } from "../training/checkpoint.ts";
import { acquireLock } from "../training/lock.ts";
import { writeRun } from "../training/run-directory.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-cli-"));
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

/** The object that `--json` prints last. */
async function json(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await run(...argv, "--json");
  expect({ code, err }, argv.join(" ")).toEqual({ code: 0, err: "" });
  return JSON.parse(out.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;
}

describe("subband wavelets", () => {
  test("names each family on a line, and with --family tells filter lengths", async () => {
    const { out } = await run("wavelets");
    expect(out.trimEnd().split("\n")).toHaveLength(6);
    expect(out).toMatch(/^Daubechies +db1 db2 .* db20\b/m);
    expect((await run("wavelets", "--family", "coif")).out.split("\n")[1]).toBe(
      "coif2   12 taps, orthogonal",
    );
    const { wavelets } = await json("wavelets");
    expect(wavelets).toContainEqual({ name: "db4", family: "db", orthogonal: true, taps: 8 });
    expect(wavelets).toContainEqual({ name: "bior4.4", family: "bior", orthogonal: false, taps: 10 });
  });

  test("an unknown family is wrong usage with the choices", async () => {
    const { code, err } = await run("wavelets", "--family", "dbs");
    expect(code).toBe(2);
    expect(err).toMatch(/'dbs' is invalid\. Allowed choices are haar, db, sym/);
  });
});

describe("subband data info", () => {
  beforeEach(async () => {
    mkdirSync(join(dir, "pictures"));
    for (const name of ["a.png", "b.jpg"])
      await sharp({ create: { width: 20, height: 10, channels: 3, background: "red" } }).toFile(
        join(dir, "pictures", name),
      );
    writeFileSync(join(dir, "pictures", "c.png"), "");
    writeFileSync(join(dir, "pictures", "notes.txt"), "");
  });

  test("counts images and what was skipped, by reason", async () => {
    const { code, out } = await run("data", "info", join(dir, "pictures"), "--size", "16x8");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^data +pictures\nimages +2\nsize +16 x 8, colour\nskipped +1 not an image file, 1 empty file\n +1 not an image file: "notes.txt"\n +1 empty file: "c.png"\n/,
    );
    expect(out).toMatch(/^licence +\S/m);
    const found = await json("data", "info", join(dir, "pictures"), "--size", "16", "--grey", "--limit", "1");
    expect(found).toMatchObject({ name: "pictures", count: 1, width: 16, height: 16, channels: 1 });
    expect(found["skippedFiles"]).toEqual({ "not an image file": ["notes.txt"] });
    expect(found["fingerprint"]).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    [["--size", "0"], "Give pixels: 64, or WIDTHxHEIGHT as in 64x48."],
    [["--size", "64*48"], "Give pixels: 64, or WIDTHxHEIGHT as in 64x48."],
    [["--limit", "0"], "Give a whole number of at least 1."],
    [["--limit", "1.5"], "Give a whole number of at least 1."],
  ])("%j is wrong usage", async (options, remedy) => {
    const { code, err } = await run("data", "info", join(dir, "pictures"), ...options);
    expect(code).toBe(2);
    expect(err).toContain(`${remedy} See: subband data info --help`);
  });

  test("a missing folder is a user error with the nearest name", async () => {
    const { code, err } = await run("data", "info", "face");
    expect(code).toBe(1);
    expect(err).toMatch(/^error: no such data: "face"\. Did you mean "faces"\?.*\n$/);
  });
});

describe("subband data get", () => {
  test("draws faces, keeps them, and tells their licence", async () => {
    const { data, cache } = await json("data", "get", "faces", "--size", "8", "--limit", "6");
    expect(cache).toBe(join(dir, "cache"));
    expect(data).toMatchObject([{ name: "faces", count: 6, width: 8, height: 8, channels: 3 }]);
    const { out } = await run("data", "get", "faces", "--size", "8", "--limit", "6");
    expect(out).toMatch(/^licence +CC BY 4\.0/m);
    expect(out).toContain(`cached in ${join(dir, "cache")}\n`);
  });

  test("an unknown set is a user error with the nearest name", async () => {
    const { code, err } = await run("data", "get", "cifar");
    expect(code).toBe(1);
    expect(err).toBe('error: unknown data set: "cifar". Did you mean "cifar10"? Known: cifar10, faces.\n');
  });
});

describe("subband info", () => {
  const run0 = (): string => join(dir, "run");

  beforeEach(() => {
    mkdirSync(join(run0(), "samples"), { recursive: true });
    writeRun(run0(), {
      versions: { subband: "0.1.0", node: "20.19.0" },
      seed: 7,
      imagesSeen: { low: 51200, detail: 12800 },
      config: { preset: "wmgm", model: { width: 64, multipliers: [1, 2] } },
    });
  });

  /** What the trainer adds in time. */
  function train(): void {
    const data = new Float32Array(1000);
    const array = (n: number): { shape: number[]; data: Float32Array } => ({
      shape: [n],
      data: data.subarray(0, n),
    });
    for (const step of ["1", "2"])
      saveCheckpoint(run0(), {
        tensors: new Map([
          ["low.params.a", array(1000)],
          ["low.params.b", array(234)],
          ["low.adam.m", array(10)],
        ]),
        metadata: { step },
      });
    writeFileSync(join(run0(), "metrics.jsonl"), '{"step":1,"loss":0.5}\n{"step":2,"loss":0.123456}\n{"st');
    for (const name of ["grid-0002.png", "grid-0001.png", ".grid-0003.png.1.tmp"])
      writeFileSync(join(run0(), "samples", name), "");
  }

  test("of a run that has just begun", async () => {
    const { code, out, err } = await run("info", run0());
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/ {2,}/, ": ")),
    ).toEqual([
      `run: ${run0()}`,
      "made by: subband 0.1.0, node 20.19.0",
      "training now: no",
      "seed: 7",
      "images seen, low: 51,200",
      "images seen, detail: 12,800",
      "checkpoint: none yet",
      "metrics: none yet",
      "samples: none yet",
      'config.preset: "wmgm"',
      "config.model.width: 64",
      "config.model.multipliers: [1,2]",
    ]);
  });

  test("of a run with everything, for people and for programs", async () => {
    train();
    const lock = acquireLock(run0());
    const { out } = await run("info", run0());
    expect(out).toMatch(/^checkpoint +state\.safetensors, 5\.\d kB, checksum good$/m);
    expect(out).toMatch(/^numbers in low\.params +1,234$/m);
    expect(out).toMatch(/^metrics +2 records; last: step 2, loss 0\.123$/m);
    expect(out).toMatch(/^samples +2; last: grid-0002\.png$/m);
    expect(out).toMatch(new RegExp(`^training now +process ${process.pid} on `, "m"));
    expect(await json("info", run0())).toMatchObject({
      run: run0(),
      seed: 7,
      imagesSeen: { low: 51200, detail: 12800 },
      config: { preset: "wmgm", model: { width: 64, multipliers: [1, 2] } },
      checkpoint: {
        file: "state.safetensors",
        tensors: 3,
        elements: { "low.params": 1234, "low.adam": 10 },
        metadata: { step: "2" },
      },
      metrics: { records: 2, last: { step: 2, loss: 0.123456 } },
      samples: ["grid-0001.png", "grid-0002.png"],
      trainer: { pid: process.pid },
    });
    lock.release();
  });

  test("of a run whose last checkpoint is torn, warns and shows the one before", async () => {
    train();
    writeFileSync(join(run0(), "state.safetensors"), "torn");
    const { code, out, err } = await run("info", run0(), "--json");
    expect(code).toBe(0);
    expect(err).toMatch(/^warning: damaged checkpoint: state\.safetensors \(cut off after 4 bytes\)/);
    expect(JSON.parse(out)).toMatchObject({
      checkpoint: { file: "state.previous.safetensors", metadata: { step: "1" } },
    });
  });

  test("of what is no run, is a user error", async () => {
    const { code, err } = await run("info", join(dir, "missing"));
    expect(code).toBe(1);
    expect(err).toMatch(/^error: no such run: /);
  });
});
