import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import { node } from "onnxgrad/node";
import sharp from "sharp";
import { afterEach, describe, expect, test } from "vitest";
import { loadCheckpoint } from "./checkpoint.ts";
import { openMetricsLog, readMetrics } from "./metrics-log.ts";
import { runPaths } from "./run-directory.ts";
import { readRunFile } from "./run-file.ts";
import { temporaryFolders } from "./temporary-folders.testing.ts";
import { trainRun, type TrainRequest } from "./train-run.ts";
import type { TrainEvent } from "../loop/host.ts";

let dir: string;
temporaryFolders("failed", (made) => {
  dir = made;
});

/** Eight steps of a tiny network on small faces. */
const TINY = {
  data: "faces",
  limit: 32,
  size: { height: 8, width: 8 },
  options: { levels: 0, width: 16, batch: 8 },
  images: 64,
} as const;

interface Options {
  readonly onEvent?: (event: TrainEvent) => void;
  readonly stopAt?: number;
  readonly previews?: readonly number[];
  readonly warnings?: string[];
}

/** Trains, saving after every step. */
async function trainHere(
  request: TrainRequest,
  { onEvent, stopAt = Infinity, previews = [], warnings = [] }: Options = {},
): Promise<void> {
  const controller = new AbortController();
  await trainRun(
    request,
    node({ threads: 1 }),
    {
      onWarning: (message) => void warnings.push(message),
      onEvent(event) {
        if (event.kind === "step" && event.step === stopAt) controller.abort();
        onEvent?.(event);
      },
    },
    controller.signal,
    { saveSeconds: -1, previews },
  );
}

const failure = async (training: Promise<unknown>): Promise<UserError> => {
  const error: unknown = await training.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).message).not.toContain("\n");
  return error as UserError;
};

async function paint(folder: string, count: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i++)
    await sharp({
      create: { width: 16, height: 16, channels: 3, background: { r: 40 * i, g: 90, b: 200 } },
    }).toFile(join(folder, `${i}.png`));
}

describe("a training that fails before it has saved anything", () => {
  const CASES: readonly [string, (data: string) => Partial<TrainRequest>, string][] = [
    ["no such data", (data) => ({ data: join(data, "none") }), "data/missing"],
    ["too few images", (data) => ({ data: join(data, "one") }), "data/too-few"],
    ["no images", (data) => ({ data: join(data, "empty") }), "data/empty"],
    ["no data", () => ({ data: undefined }), "train/no-data"],
    [
      "a size that does not divide",
      () => ({ options: { levels: 3 }, size: { height: 20, width: 20 } }),
      "config/size",
    ],
    ["an option beside the options", () => ({ levels: 1 }) as object, "train/request"],
    ["an unknown field", () => ({ minuets: 1 }) as object, "unknown/field-of-a-training-request"],
    ["an option of another preset", () => ({ options: { receptiveField: 5 } }), "config/option"],
    ["a model that is not there", () => ({ from: "/nowhere/model" }), "model/missing"],
  ];
  test.each(CASES)("%s: leaves no folder that it made, and others as they were", async (_, wrong, code) => {
    const data = join(dir, "data");
    await paint(join(data, "one"), 1);
    mkdirSync(join(data, "empty"));
    mkdirSync(join(dir, "mine", "samples"), { recursive: true });
    writeFileSync(join(dir, "mine", ".note"), "keep");
    for (const out of [join(dir, "new"), join(dir, "a", "b", "c"), join(dir, "mine")])
      expect((await failure(trainHere({ ...TINY, out, ...wrong(data) }))).code, out).toBe(code);
    expect(readdirSync(dir).sort()).toEqual(["data", "mine"]);
    expect(readdirSync(join(dir, "mine")).sort()).toEqual([".note", "samples"]);
  });

  test("a thrown listener, an interruption: the same", async () => {
    const stop = new Error("stopped by SIGINT");
    const out = join(dir, "a", "b");
    await expect(
      trainRun({ ...TINY, limit: 33, out }, node({ threads: 1 }), {
        onData() {
          throw stop;
        },
      }),
    ).rejects.toBe(stop);
    expect(readdirSync(dir)).toEqual([]);
  });

  test("a run that exists keeps what it has", async () => {
    const out = join(dir, "run");
    await trainHere({ ...TINY, out }, { stopAt: 2 });
    const before = readdirSync(out).sort();
    const state = readFileSync(join(out, "state.safetensors"));
    expect((await failure(trainHere({ ...TINY, out, options: { batch: 16 } }))).code).toBe(
      "run/contradiction",
    );
    expect(readdirSync(out).sort()).toEqual(before);
    expect(readFileSync(join(out, "state.safetensors")).equals(state)).toBe(true);
  });
});

describe("a full disk", () => {
  /** A file system in memory at `at`; false where this user may not mount one. */
  function mounted(at: string, size: string): boolean {
    try {
      mkdirSync(at, { recursive: true });
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", at], { stdio: "pipe" });
      return true;
    } catch {
      return false;
    }
  }
  /** Leaves no byte. */
  function fill(disk: string): void {
    const descriptor = openSync(join(disk, "filler"), "w");
    try {
      for (let size = 1 << 16; size > 0;)
        try {
          writeSync(descriptor, new Uint8Array(size));
        } catch {
          size >>= 1;
        }
    } finally {
      closeSync(descriptor);
    }
  }

  test("before the first checkpoint: nothing is left", async ({ skip }) => {
    const disk = join(dir, "disk");
    if (!mounted(disk, "64k")) skip();
    try {
      const error = await failure(trainHere({ ...TINY, out: join(disk, "runs", "a") }));
      expect(error.code).toBe("file/disk-full");
      expect(error.message).toContain("free some space and run the same command again");
      expect(readdirSync(disk)).toEqual([]);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("as a checkpoint is saved: the last one stays good, and the run goes on to the same bytes", async ({
    skip,
  }) => {
    const straight = join(dir, "straight");
    await trainHere({ ...TINY, out: straight });
    const disk = join(dir, "disk");
    if (!mounted(disk, "16m")) skip();
    try {
      const out = join(disk, "run");
      const onEvent = (event: TrainEvent): void => {
        if (event.kind === "step" && event.step === 4) fill(disk);
      };
      const error = await failure(trainHere({ ...TINY, out }, { onEvent }));
      expect(error.code).toBe("file/disk-full");
      expect(error.message).toMatch(
        /^disk full: cannot write ".*state\.next\.safetensors" \(.* MB to write\)\. What was saved before is intact: free some space/,
      );
      expect(await loadCheckpoint(out)).toMatchObject({ file: "state.safetensors", warning: undefined });
      rmSync(join(disk, "filler"));
      await trainHere({ ...TINY, out });
      for (const name of ["state.safetensors", "metrics.jsonl", "run.json"])
        expect(readFileSync(join(out, name)).equals(readFileSync(join(straight, name))), name).toBe(true);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("as metrics are logged: says so, and the log goes on whole", ({ skip }) => {
    const disk = join(dir, "disk");
    if (!mounted(disk, "256k")) skip();
    try {
      const log = openMetricsLog(join(disk, "metrics.jsonl"));
      fill(disk);
      let written = 0;
      const append = (): void => {
        for (; written < 10_000; written++) log.append({ step: written });
      };
      expect(append).toThrow(expect.objectContaining({ code: "file/disk-full" }));
      rmSync(join(disk, "filler"));
      log.append({ step: written });
      log.close();
      expect(readMetrics(join(disk, "metrics.jsonl")).map(({ step }) => step)).toEqual(
        Array.from({ length: written + 1 }, (_, step) => step),
      );
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("a preview that cannot be written is a warning; the training goes on", async () => {
    const out = join(dir, "run");
    const warnings: string[] = [];
    await trainHere(
      { ...TINY, out },
      {
        previews: [0.5, 1],
        warnings,
        onEvent(event) {
          if (event.kind !== "step" || event.step !== 2) return;
          rmSync(runPaths(out).samples, { recursive: true });
          writeFileSync(runPaths(out).samples, "no folder");
        },
      },
    );
    expect(warnings.filter((each) => each.startsWith("no preview: "))).toHaveLength(2);
    expect(readMetrics(runPaths(out).metrics).filter((record) => "loss" in record)).toHaveLength(8);
    expect(readRunFile(out).imagesSeen).toEqual({ low: 64 });
  });
});

describe("data that --data named from another working folder", () => {
  const here = process.cwd();
  afterEach(() => process.chdir(here));

  test("are found again: where they were, beside a run that was moved with them, or where --data says now", async () => {
    const work = join(dir, "work");
    await paint(join(work, "data", "pictures"), 4);
    process.chdir(work);
    const { limit: _, ...options } = TINY;
    await trainHere({ ...options, data: "data/pictures", out: "runs/a" }, { stopAt: 1 });
    expect(readRunFile("runs/a").config.data).toMatchObject({
      source: "data/pictures",
      path: join(work, "data", "pictures"),
      pathFromRun: join("..", "..", "data", "pictures"),
    });

    process.chdir(dir);
    await trainHere({ out: join("work", "runs", "a") }, { stopAt: 2 });
    renameSync(work, join(dir, "moved"));
    const run = join(dir, "moved", "runs", "a");
    await trainHere({ out: run }, { stopAt: 3 });
    renameSync(join(dir, "moved", "data"), join(dir, "elsewhere"));
    const error = await failure(trainHere({ out: run }));
    expect(error.code).toBe("data/missing");
    expect(error.message).toBe(
      `no data: those of run "${run}" are at none of "${join(work, "data", "pictures")}", ` +
        `"${join(dir, "moved", "data", "pictures")}", "${join(dir, "data", "pictures")}". ` +
        `Put them back, or say with --data where they are.`,
    );
    await trainHere({ out: run, data: "elsewhere/pictures" }, { stopAt: 4 });
    process.chdir("/");
    await trainHere({ out: run });
    expect(readRunFile(run).imagesSeen).toEqual({ low: 64 });
    expect(existsSync(join(run, "lock.json"))).toBe(false);
  });

  test("and so is the model that --from named", async () => {
    await paint(join(dir, "pictures"), 4);
    process.chdir(dir);
    const { limit: _, options: __, ...request } = { ...TINY, data: "pictures", images: 8 };
    const options = { levels: 0, batch: 8, receptiveField: 5 };
    await trainHere({ ...request, preset: "local", options, out: "first" });
    // Killed before it saved anything: it still needs the model.
    await trainHere({ ...request, options: { batch: 8 }, from: "first", out: "second" });
    for (const file of ["state.safetensors", "state.previous.safetensors"])
      rmSync(join(dir, "second", file), { force: true });
    process.chdir("pictures");
    await trainHere({ out: join("..", "second"), from: join("..", "first") });
    await trainHere({ out: join("..", "second") });
    expect(readRunFile(join(dir, "second")).config.from).toBe(join(dir, "first"));
  });
});
