import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { loadCheckpoint } from "./checkpoint.ts";
import { readMetrics } from "./metrics-log.ts";
import { plannedTotals } from "../loop/pace.ts";
import { runPaths, writeRun } from "./run-directory.ts";
import { readRunFile } from "./run-file.ts";
import { temporaryFolders } from "./temporary-folders.testing.ts";
import { trainRun, type TrainRequest } from "./train-run.ts";
import type { TrainEvent } from "../loop/host.ts";
import { bestMoments } from "../loop/weights.ts";

let dir: string;
temporaryFolders("run", (made) => {
  dir = made;
});

/** 60 steps of tiny networks: 20 on the low band, 40 on the details. */
const TINY = {
  data: "faces",
  limit: 32,
  size: { height: 16, width: 16 },
  options: { levels: 1, width: 16, batch: 8 },
  images: 160,
  seed: 5,
} as const;
/** One stage only, where that is enough: half the networks to compile. */
const LOW_ONLY = {
  ...TINY,
  size: { height: 8, width: 8 },
  options: { ...TINY.options, levels: 0 },
} as const;
const backend = node({ threads: 1 });

/** Trains in this process and keeps the events; `stopAt` aborts after so many steps. */
async function trainHere(
  request: TrainRequest,
  {
    stopAt,
    previews = [],
    now,
  }: { readonly stopAt?: number; readonly previews?: readonly number[]; readonly now?: () => number } = {},
): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  const controller = new AbortController();
  let steps = 0;
  if (stopAt === 0) controller.abort();
  await trainRun(
    request,
    backend,
    {
      onEvent(event) {
        events.push(event);
        if (event.kind === "step" && ++steps === stopAt) controller.abort();
      },
    },
    controller.signal,
    { previews, ...(now && { now }) },
  );
  return events;
}

const stepsIn = (events: readonly TrainEvent[]): number =>
  events.filter(({ kind }) => kind === "step").length;

/** Trains in a process of its own that kills itself, as `kill -9` does, at step `killAt` or soon after the first save. */
async function trainAndKill(request: TrainRequest, killAt: number, tickMs = 0): Promise<void> {
  const module = new URL("./train-run.ts", import.meta.url).href;
  const code = `import { node } from "onnxgrad/node";
    import { trainRun } from ${JSON.stringify(module)};
    let saved = false, steps = 0, time = 0;
    const clock = ${tickMs} > 0 ? { now: () => (time += ${tickMs}) } : {};
    await trainRun(${JSON.stringify(request)}, node({ threads: 1 }), { onEvent({ kind }) {
      if (kind === "saved") saved = true;
      if (kind === "step" && ++steps >= ${killAt} && saved) process.kill(process.pid, "SIGKILL");
    } }, undefined, { saveSeconds: 0, previews: [], ...clock });`;
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--conditions=@subband/source", "--input-type=module", "-e", code],
    { stdio: ["ignore", "inherit", "inherit"], cwd: fileURLToPath(new URL("../..", import.meta.url)) },
  );
  expect(await once(child, "exit"), `kill at step ${killAt}`).toEqual([null, "SIGKILL"]);
}

describe("trainRun()", () => {
  test(
    "killed at a random step and resumed, leaves the files of a straight run, byte for byte",
    { timeout: 180_000 },
    async () => {
      const [straight, killed] = [join(dir, "straight"), join(dir, "killed")];
      // Previews must not disturb either: only the straight run draws one.
      const events = await trainHere({ ...TINY, out: straight }, { previews: [0.5] });
      expect(stepsIn(events)).toBe(60);

      // One is saved after every step, the last a step or two behind the kill: more than ten steps are always kept.
      const killAt = 15 + rng(0, "kill-at", process.pid).below(35);
      await trainAndKill({ ...TINY, out: killed }, killAt);
      const seen = (await loadCheckpoint(killed))!.metadata["progress"];
      const rest = await trainHere({ ...TINY, out: killed });
      const grid = `killed at step ${killAt}, resumed at ${seen}`;
      expect(rest[0], grid).toMatchObject({ kind: "resumed" });
      expect(stepsIn(rest), grid).toBeLessThan(60 - 10);
      const of = (run: string, name: string): Buffer => readFileSync(join(run, name));
      expect(of(killed, "metrics.jsonl").toString(), grid).toBe(of(straight, "metrics.jsonl").toString());
      expect(of(killed, "state.safetensors").equals(of(straight, "state.safetensors")), grid).toBe(true);
      expect(of(killed, "run.json").toString(), grid).toBe(of(straight, "run.json").toString());

      // The best weights are those of the least score in the log, and lie in the same file.
      const { tensors, metadata } = (await loadCheckpoint(straight))!;
      const scores = readMetrics(runPaths(straight).metrics).filter((record) => "score" in record);
      for (const [stage, best] of Object.entries(bestMoments(metadata))) {
        const mine = scores.filter((record) => record["stage"] === stage);
        expect(best.score, stage).toBe(Math.min(...mine.map((record) => Number(record["score"]))));
        const held = [...tensors.keys()].filter((name) => name.startsWith(`best.${stage}.`));
        expect(held, stage).toEqual(
          [...tensors.keys()].flatMap((name) =>
            name.startsWith(`${stage}.average.`) ? [`best.${name}`] : [],
          ),
        );
      }
      expect(Object.keys(bestMoments(metadata)).sort()).toEqual(["detail", "low"]);
    },
  );

  test("a damaged checkpoint costs steps, not the run: the one before is used and the metrics cut back to it", async () => {
    const request = { ...LOW_ONLY, images: 160, out: dir };
    await trainHere(request, { stopAt: 6 });
    await trainHere(request, { stopAt: 3 });
    const whole = readMetrics(runPaths(dir).metrics);
    expect(whole).toHaveLength(9);
    writeFileSync(join(dir, "state.safetensors"), "torn");
    const events = await trainHere(request, { stopAt: 1 });
    expect(events.map(({ kind }) => kind)).toEqual(["resumed", "step", "saved"]);
    expect(readMetrics(runPaths(dir).metrics)).toEqual(whole.slice(0, 7));
  });

  test("goes on without being told the data again, and refuses options that contradict the run", async () => {
    await trainHere({ ...LOW_ONLY, out: dir }, { stopAt: 2 });
    expect(stepsIn(await trainHere({ out: dir }, { stopAt: 1 }))).toBe(1);
    const wrong: readonly [Partial<TrainRequest>, string][] = [
      [{ preset: "wmgm-faithful" }, "--preset: run .* has wmgm, not wmgm-faithful"],
      [{ size: { height: 8, width: 16 } }, "--size: run .* has 8x8, not 16x8"],
      [{ channels: 1 }, "--channels: run .* has 3, not 1"],
      [{ options: { levels: 2 } }, "--levels: run .* has 0, not 2"],
      [{ options: { batch: 16 } }, "--batch: run .* has 8, not 16"],
      [{ options: { lr: 0.5 } }, "--lr: run .* has 0.001, not 0.5"],
      [{ options: { width: 32 } }, "--width: run .* has 16, not 32"],
      [{ seed: 6 }, "--seed: run .* has 5, not 6"],
      [{ limit: 16 }, "--limit: run .* has 32, not 16"],
      [{ flip: false }, "--no-flip: run .* has true, not false"],
      [{ images: 100 }, "--images: run .* has up to 160 a stage, more than 100"],
      [{ minutes: 3 }, "--minutes: run .* has a budget of images; extend it with --images"],
    ];
    for (const [options, message] of wrong) {
      const attempt = trainRun({ out: dir, ...options }, backend);
      await expect(attempt, JSON.stringify(options)).rejects.toMatchObject({ code: "run/contradiction" });
      await expect(attempt).rejects.toThrow(new RegExp(`^${message}.*\\. Leave the option out`));
    }
  });

  test("a complete run has nothing to do, and a larger budget extends it", async () => {
    const request = { ...LOW_ONLY, images: 16, out: dir };
    expect(stepsIn(await trainHere(request))).toBe(2);
    expect((await trainHere(request)).map(({ kind }) => kind)).toEqual(["resumed"]);
    expect(stepsIn(await trainHere({ ...request, images: 32 }))).toBe(2);
    expect(readRunFile(dir).config.images).toEqual({ low: 32 });
  });

  test("holds images out, and a run begun before there were any goes on with all of them", async () => {
    const request = { ...LOW_ONLY, limit: 128, images: 64, out: dir };
    await trainHere(request, { stopAt: 2 });
    const { config, ...record } = readRunFile(dir);
    expect(config.data).toMatchObject({ count: 128, heldOut: 2, heldOutBy: "pictures" });
    const losses = (): unknown[] => readMetrics(runPaths(dir).metrics).map((each) => each["loss"]);
    const before = losses();
    await trainHere(request, { stopAt: 1 });
    // The same run as an older version left it: without the field, and thus with another order of images.
    const { heldOut: _, heldOutBy: _by, ...data } = config.data;
    rmSync(join(dir, "state.safetensors"));
    rmSync(join(dir, "state.previous.safetensors"));
    writeRun(dir, { ...record, imagesSeen: {}, config: { ...config, data } });
    await trainHere(request);
    const { data: kept } = readRunFile(dir).config;
    expect(kept).not.toHaveProperty("heldOut");
    expect(losses().slice(0, 2)).not.toEqual(before);
    expect(bestMoments((await loadCheckpoint(dir))!.metadata)["low"]).toBeDefined();
  });

  test("refuses to go on with other images, or with a run.json edited into something else", async () => {
    const pictures = join(dir, "pictures");
    mkdirSync(pictures);
    const paint = async (name: string, background: string): Promise<void> => {
      await sharp({ create: { width: 16, height: 16, channels: 3, background } }).toFile(
        join(pictures, name),
      );
    };
    await paint("a.png", "red");
    const request = { ...LOW_ONLY, data: pictures, limit: undefined, images: 8, out: join(dir, "run") };
    await expect(trainHere(request)).rejects.toMatchObject({ code: "data/too-few" });
    await paint("b.png", "blue");
    await trainHere(request);
    await paint("c.png", "green");
    await expect(trainHere(request)).rejects.toMatchObject({ code: "run/other-data" });
    rmSync(join(pictures, "c.png"));

    const path = runPaths(request.out).run;
    const text = readFileSync(path, "utf8");
    const edit = async (from: RegExp, to: string): Promise<unknown> => {
      expect(text).toMatch(from);
      writeFileSync(path, text.replace(from, to));
      return trainHere({ out: request.out }, { stopAt: 1 }).catch((error: unknown) => error);
    };
    const bad = await edit(/"batch": 8/, '"batch": "8"');
    expect(bad).toMatchObject({ code: "run/invalid" });
    expect((bad as Error).message).toContain('config.options.batch: expected 8, received "8"');
    expect(await edit(/"emaDecay"/, '"emaDecoy"')).toMatchObject({ code: "run/invalid" });
    expect(await edit(/"preset": "wmgm"/, '"preset": "wmgn"')).toMatchObject({ code: "run/invalid" });
    // Another network than the checkpoint's: valid by itself, told apart when the state is loaded.
    expect(await edit(/"low": \{\s+"width": 16/, '"low": { "width": 24')).toMatchObject({
      code: "state/mismatch",
    });
  });
});

describe("trainRun() by the clock", () => {
  const { images: _, ...TIMED } = TINY;
  const { images: __, ...LOW_TIMED } = LOW_ONLY;
  const bytes = (run: string, name: string): Buffer => readFileSync(join(run, name));
  const recordOf = (run: string) => readRunFile(run);
  /** A clock that moves a little whenever it is looked at. */
  const ticking = (ms: number): (() => number) => {
    let time = 0;
    return () => (time += ms * (1 + 0.5 * Math.sin(time)));
  };
  /** The same training again, straight and by images: whatever the clock said stands in the run. */
  async function expectReplayed(run: string, request: Omit<TrainRequest, "out" | "minutes">): Promise<void> {
    const again = `${run}-replayed`;
    const events = await trainHere({ ...request, out: again, replay: run });
    expect(bytes(again, "state.safetensors").equals(bytes(run, "state.safetensors"))).toBe(true);
    const [replayed, original] = [recordOf(again), recordOf(run)];
    // Stages that are extended in the middle take turns in another order; what each of them does is the same.
    const lines = (of: string, stage: string) =>
      readMetrics(runPaths(of).metrics).filter((record) => record["stage"] === stage);
    for (const stage of Object.keys(original.config.images))
      expect(lines(again, stage), stage).toEqual(lines(run, stage));
    if (Object.values(original.config.pace!).every((pace) => pace.every((knot) => knot.length === 2)))
      expect(bytes(again, "metrics.jsonl").toString()).toBe(bytes(run, "metrics.jsonl").toString());
    expect(replayed.config).toEqual({ ...original.config, minutes: undefined });
    expect(replayed).not.toHaveProperty("secondsUsed");
    expect(events.filter(({ kind }) => kind === "paced")).toEqual([]);
    expect(await trainHere({ out: again, replay: run }).then(stepsIn), "the same command again").toBe(0);
  }

  test(
    "killed, resumed and extended, ends in the bytes of a straight replay of its pace",
    { timeout: 180_000 },
    async () => {
      const run = join(dir, "run");
      await trainAndKill({ ...TIMED, out: run, minutes: 0.2 }, 24, 10);
      const killed = recordOf(run);
      const seen = killed.config.pace!;
      expect(
        Object.values(seen).every((pace) => pace.length > 0),
        JSON.stringify(seen),
      ).toBe(true);
      const rest = await trainHere({ out: run }, { now: ticking(10) });
      expect(rest[0]).toMatchObject({ kind: "resumed" });
      const finished = recordOf(run);
      expect(finished.imagesSeen).toEqual(finished.config.images);
      expect(plannedTotals(finished.config.pace!)).toEqual(finished.config.images);
      expect((await trainHere({ out: run })).map(({ kind }) => kind)).toEqual(["resumed"]);

      const more = await trainHere({ out: run, minutes: 0.3 }, { now: ticking(10) });
      expect(stepsIn(more)).toBeGreaterThan(1);
      const extended = recordOf(run).config;
      expect(extended.minutes).toBe(0.3);
      for (const pace of Object.values(extended.pace!))
        expect(pace.filter((knot) => knot.length === 3)).toHaveLength(1);
      await expectReplayed(run, TIMED);
    },
  );

  test("a run of images that was extended is replayed to the same bytes, too", async () => {
    const run = join(dir, "extended");
    const request = { ...LOW_TIMED, images: 64 };
    await trainHere({ ...request, out: run });
    // At the half of 64 the learning rate is not that of the half of 160.
    await trainHere({ out: run, images: 160 });
    const { config } = recordOf(run);
    expect(plannedTotals(config.pace!)).toEqual(config.images);
    await expectReplayed(run, LOW_TIMED);
  });

  test("keeps what it decided before a step depends on it, also when it is stopped at every other step", async () => {
    const run = join(dir, "run");
    const told: number[] = [];
    for (let stopped = 0; stopped < 6; stopped++) {
      const request = { ...LOW_TIMED, out: run, minutes: 0.02 };
      const events = await trainHere(request, { stopAt: 2, now: ticking(stopped % 2 === 0 ? 10 : 25) });
      told.push(stepsIn(events));
      const { config, imagesSeen, secondsUsed } = recordOf(run);
      expect(config.images).toEqual(plannedTotals(config.pace!));
      expect(config.pace!["low"]!.every(([from]) => from <= imagesSeen["low"]!)).toBe(true);
      if (stopped > 0) expect(secondsUsed!["low"]).toBeGreaterThan(0);
    }
    expect(told.reduce((a, b) => a + b)).toBeGreaterThan(4);
    await trainHere({ out: run }, { now: ticking(10) });
    await expectReplayed(run, LOW_TIMED);
  });

  test("counts time at work only, and a larger budget adds the difference", async () => {
    const run = join(dir, "run");
    const request = { ...LOW_TIMED, out: run };
    const clock = ticking(10);
    /** By the clock, in seconds. */
    const took = async (act: () => Promise<TrainEvent[]>): Promise<number> => {
      const began = clock();
      await act();
      return (clock() - began) / 1000;
    };
    const first = await took(() => trainHere({ ...request, minutes: 0.2 }, { now: clock, stopAt: 20 }));
    for (let i = 0; i < 1000; i++) clock(); // nobody works
    const second = await took(() => trainHere({ ...request, minutes: 0.2 }, { now: clock }));
    expect(Math.abs(first + second - 12)).toBeLessThan(0.05 * 12);
    const third = await took(() => trainHere({ ...request, minutes: 0.4 }, { now: clock }));
    expect(Math.abs(third - 12)).toBeLessThan(0.05 * 12);
    const used = Object.values(recordOf(run).secondsUsed!).reduce((a, b) => a + b, 0);
    expect(Math.abs(used - 24)).toBeLessThan(0.05 * 24);
    await expect(trainHere({ ...request, minutes: 0.1 })).rejects.toMatchObject({
      code: "run/contradiction",
    });
    await expectReplayed(run, LOW_TIMED);
  });

  test("can go on by images, and be replayed then", async () => {
    const run = join(dir, "run");
    await trainHere({ ...LOW_TIMED, out: run, minutes: 0.05 }, { now: ticking(20), stopAt: 6 });
    const planned = recordOf(run).config.images["low"]!;
    await trainHere({ out: run, images: planned + 40 }, { stopAt: 4 });
    await trainHere({ out: run });
    const { config, imagesSeen } = recordOf(run);
    expect(config.minutes).toBeUndefined();
    expect(config.images).toEqual({ low: planned + 40 });
    expect(imagesSeen["low"]).toBeGreaterThanOrEqual(planned + 40);
    await expectReplayed(run, LOW_TIMED);
  });

  test("a run of before there was a clock resumes as it did, evenly; more minutes are kept by the clock", async () => {
    const [straight, old] = [join(dir, "straight"), join(dir, "old")];
    await trainHere({ ...LOW_ONLY, out: straight });
    await trainHere({ ...LOW_ONLY, out: old }, { stopAt: 7 });
    const { config, ...record } = recordOf(old);
    writeRun(old, { ...record, config: { ...config, minutes: 0.1 } });
    await trainHere({ out: old });
    expect(bytes(old, "state.safetensors").equals(bytes(straight, "state.safetensors"))).toBe(true);
    expect(recordOf(old).config).toEqual({ ...config, minutes: 0.1 });

    const clock = ticking(20);
    const began = clock();
    await trainHere({ out: old, minutes: 0.2 }, { now: clock });
    // Six seconds are taken for used, as its minutes said.
    expect(Math.abs((clock() - began) / 1000 - 6)).toBeLessThan(0.05 * 12);
    await expectReplayed(old, LOW_TIMED);
  });

  test("refuses to follow a run of other stages, one without a plan, or another than before", async () => {
    const [low, both] = [join(dir, "low"), join(dir, "both")];
    await trainHere({ ...LOW_TIMED, out: low, minutes: 1 }, { stopAt: 0 });
    await expect(trainHere({ ...LOW_TIMED, out: join(dir, "a"), replay: low })).rejects.toMatchObject({
      code: "train/replay",
      message: `--images: run "${low}" has not begun with low. Train it first, or give a number.`,
    });
    await trainHere({ ...LOW_ONLY, out: both }, { stopAt: 0 });
    await expect(trainHere({ ...TIMED, out: join(dir, "a"), replay: both })).rejects.toMatchObject({
      code: "train/replay",
      message: expect.stringMatching(/trains low, not .*detail/) as string,
    });
    await trainHere({ ...LOW_ONLY, images: 32, out: low.replace("low", "other") }, { stopAt: 0 });
    await expect(trainHere({ out: both, replay: low.replace("low", "other") })).rejects.toMatchObject({
      code: "run/contradiction",
    });
  });
});
