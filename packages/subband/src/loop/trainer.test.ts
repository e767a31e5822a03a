import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeSafetensors, scalar, sqrt, square, sub, UserError } from "onnxgrad";
import { node } from "onnxgrad/node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Stage } from "../systems/stage.ts";
import { loadCheckpoint, saveCheckpoint } from "../training/checkpoint.ts";
import { folderHost } from "../training/folder-host.ts";
import { Pace } from "../training/pace-schema.ts";
import type { LoopHost, TrainEvent } from "./host.ts";
import { BATCH, dataset, meanStage, type Poison } from "./mean-stage.testing.ts";
import { bestMoments, chooseWeights } from "./weights.ts";
import { plannedTotals } from "./pace.ts";
import type { SecondsUsed } from "./time-budget.ts";
import { train, type TrainOptions, type TrainSummary } from "./trainer.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-trainer-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Settings of a training and of its host. */
type Settings = Partial<TrainOptions> &
  Partial<Pick<LoopHost, "now" | "preview" | "previews" | "signal">> & {
    readonly steps?: number;
    readonly onEvent?: (event: TrainEvent) => void;
  };

/** Trains in `dir` and keeps the events. */
async function run(
  stages: readonly Stage[],
  { steps = 20, onEvent, now, preview, previews, signal, ...options }: Settings = {},
): Promise<{ events: TrainEvent[]; summary: TrainSummary | undefined; error: unknown }> {
  const events: TrainEvent[] = [];
  const host = folderHost(dir, {
    ...(now && { now }),
    ...(preview && { preview }),
    ...(previews && { previews }),
    signal,
    tell(event) {
      events.push(event);
      onEvent?.(event);
    },
  });
  try {
    const summary = await train(host, {
      backend: node({ threads: 1 }),
      dataset,
      seed: 3,
      flip: false,
      stages,
      images: Object.fromEntries(stages.map(({ name }) => [name, steps * BATCH])),
      saveSeconds: 1e9,
      ...options,
    });
    return { events, summary, error: undefined };
  } catch (error) {
    return { events, summary: undefined, error };
  }
}

const kinds = (events: readonly TrainEvent[]): string[] =>
  events.flatMap(({ kind }) => (kind === "step" ? [] : [kind]));
const w = async (stage = "mean"): Promise<number> =>
  (await loadCheckpoint(dir))!.tensors.get(`${stage}.w`)!.data[0]!;
const losses = (events: readonly TrainEvent[]): number[] =>
  events.flatMap((event) => (event.kind === "step" ? [event.metrics["loss"]!] : []));

describe("train()", () => {
  test("makes the steps of gradient descent that arithmetic says", async () => {
    const { events, summary } = await run([meanStage()], { steps: 16 });
    expect(summary).toMatchObject({ finished: true, progress: { mean: { step: 16, imagesSeen: 32 } } });
    expect(losses(events)).toHaveLength(16);
    // Four epochs of the eight images: w nears their mean, 8 * 15.5 of 0..255, as 0.9^16 of the way is left.
    const goal = (8 * 15.5) / 127.5 - 1;
    expect(Math.abs((await w()) - goal)).toBeLessThan(0.9 ** 16 * (1 - goal) + 0.1);
    expect(kinds(events)).toEqual(["saved"]);
  });

  test("takes the stage that is least far, so that all stages end together", async () => {
    const stages = [meanStage({ name: "a", share: 0.5 }), meanStage({ name: "b", share: 0.5 })];
    const { events } = await run(stages, { images: { a: 4 * BATCH, b: 2 * BATCH } });
    const order = events.flatMap((event) => (event.kind === "step" ? [event.stage] : []));
    expect(order.join("")).toBe("abaaba");
    expect(events.flatMap((event) => (event.kind === "step" ? [event.done] : [])).at(-1)).toBe(1);
  });

  test("aborting finishes the step and saves; going on gives what a straight run gives", async () => {
    const straight = await run([meanStage()]);
    const expected = await w();
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    const controller = new AbortController();
    const stopped = await run([meanStage()], {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === "step" && event.step === 7) controller.abort();
      },
    });
    expect(stopped.summary).toMatchObject({ finished: false, progress: { mean: { step: 7 } } });
    const resumed = await run([meanStage()]);
    expect(kinds(resumed.events)).toEqual(["resumed", "saved"]);
    expect([...losses(stopped.events), ...losses(resumed.events)]).toEqual(losses(straight.events));
    expect(await w()).toBe(expected);
    const done = await run([meanStage()]);
    expect(done.events.map(({ kind }) => kind)).toEqual(["resumed"]);
    expect(done.summary).toMatchObject({ finished: true });
  });

  test("draws each preview once, also after resuming", async () => {
    const drawn: number[] = [];
    const previews = {
      previews: [0.25, 0.5, 1],
      preview: async (_: unknown, at: number) => void drawn.push(at),
    };
    const controller = new AbortController();
    await run([meanStage()], {
      ...previews,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === "step" && event.step === 10) controller.abort();
      },
    });
    await run([meanStage()], previews);
    expect(drawn).toEqual([0.25, 0.5, 1]);
  });
});

describe("the guard against numbers that are not finite", () => {
  test("goes back to the last checkpoint, halves the rate, says so, and goes on", async () => {
    // Learning rates above a half of the first ones blow up at step 12.
    const poison: Poison = ({ step, lrScale }) => (step === 12 && lrScale > 0.5 ? Infinity : 0);
    const controller = new AbortController();
    await run([meanStage({ poison })], {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === "step" && event.step === 8) controller.abort();
      },
    });
    const { events, summary } = await run([meanStage({ poison })]);
    expect(kinds(events)).toEqual(["resumed", "rollback", "saved", "saved"]);
    expect(events.find(({ kind }) => kind === "rollback")).toEqual({
      kind: "rollback",
      stage: "mean",
      // The sum was poisoned in step 12, its loss told of it in the one after.
      step: 14,
      lrScale: 0.5,
      left: 2,
      progress: { mean: 8 * BATCH },
      rollbacks: [{ stage: "mean", step: 14, images: { mean: 8 * BATCH }, lrScale: 0.5 }],
      followed: false,
    });
    expect(summary).toMatchObject({ finished: true, progress: { mean: { step: 20 } } });
    expect((await loadCheckpoint(dir))!.metadata["progress"]).toContain('"lrScale":0.5,"rollbacks":1');
    expect(Number.isFinite(await w())).toBe(true);
  });

  test("without a checkpoint, goes back to the beginning", async () => {
    const poison: Poison = ({ step, lrScale }) => (step === 3 && lrScale === 1 ? Number.NaN : 0);
    const { events, summary } = await run([meanStage({ poison })], { steps: 6 });
    expect(events.find(({ kind }) => kind === "rollback")).toMatchObject({ progress: { mean: 0 } });
    expect(summary).toMatchObject({ finished: true, progress: { mean: { step: 6 } } });
  });

  test("never saves what is not finite, though the step's losses are", async () => {
    const saved: number[] = [];
    const poison: Poison = ({ step, lrScale }) => (step === 3 && lrScale === 1 ? Infinity : 0);
    const { events } = await run([meanStage({ poison })], {
      steps: 6,
      saveSeconds: -1, // after every step
      onEvent: (event) => {
        if (event.kind !== "saved") return;
        const { tensors } = decodeSafetensors(readFileSync(join(dir, "state.safetensors")));
        saved.push(tensors.get("mean.w")!.data[0]!);
      },
    });
    expect(events.find(({ kind }) => kind === "rollback")).toMatchObject({
      step: 4,
      progress: { mean: 3 * BATCH },
    });
    expect(saved.length).toBeGreaterThan(5);
    expect(saved.every(Number.isFinite)).toBe(true);
  });

  test("gives up after three, with the last good state in place", async () => {
    const poison: Poison = ({ step }) => (step >= 5 ? Infinity : 0);
    const { events, error } = await run([meanStage({ poison })], { saveSeconds: -1 });
    const rollbacks = events.flatMap((event) => (event.kind === "rollback" ? [event] : []));
    expect(rollbacks.map(({ lrScale, left }) => [lrScale, left])).toEqual([
      [0.5, 2],
      [0.25, 1],
      [0.125, 0],
    ]);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: "train/diverged" });
    expect((error as Error).message).toMatch(/^training diverged in stage "mean" at step 6, the 4th time\./);
    expect(Number.isFinite(await w())).toBe(true);
    expect((await loadCheckpoint(dir))!.metadata["progress"]).toContain('"step":5');
  });

  test("a run whose saved weights are no numbers is not resumed", async () => {
    await run([meanStage()]);
    const { tensors, metadata } = (await loadCheckpoint(dir))!;
    for (const { data } of tensors.values()) data.fill(NaN);
    saveCheckpoint(dir, { tensors, metadata });
    const { events, error } = await run([meanStage()], { steps: 40 });
    expect(events).toEqual([]);
    expect(error).toMatchObject({ code: "nn/not-finite" });
    expect((error as Error).message).toMatch(
      /^cannot use ".*state\.safetensors": .*: "mean\.w" holds NaN as number 1 of 1\./,
    );
  });

  test("remembers its roll-backs when the run is resumed", async () => {
    const poison: Poison = ({ step }) => (step >= 5 ? Infinity : 0);
    await run([meanStage({ poison })], { saveSeconds: -1 });
    const { events, error } = await run([meanStage({ poison })], { saveSeconds: -1 });
    expect(kinds(events)).toEqual(["resumed"]);
    expect(error).toMatchObject({ code: "train/diverged" });
  });
});

describe("a budget of time", () => {
  /** Stages whose steps take as many seconds as `cost` says, on a clock that stands still otherwise. */
  function timed(cost: (name: string, at: number) => number): {
    readonly stages: readonly Stage[];
    readonly now: () => number;
    readonly spent: Record<string, number>;
  } {
    let clock = 5000;
    const began = clock;
    const spent: Record<string, number> = {};
    const stages = [meanStage({ name: "a", share: 0.75 }), meanStage({ name: "b", share: 0.25 })].map(
      (stage): Stage => ({
        ...stage,
        feeds(context, batch) {
          const seconds = cost(stage.name, (clock - began) / 1000);
          clock += 1000 * seconds;
          spent[stage.name] = (spent[stage.name] ?? 0) + seconds;
          return stage.feeds(context, batch);
        },
      }),
    );
    return { stages, now: () => clock, spent };
  }

  test.each([
    ["steps that always take the same", () => 0.5],
    ["half as fast from the middle on", (_: string, at: number) => (at < 60 ? 0.4 : 0.8)],
    ["one stage alone slows down", (name: string, at: number) => (name === "b" && at > 40 ? 2 : 0.4)],
    ["jittery", (_: string, at: number) => 0.3 + 0.5 * Math.abs(Math.sin(97 * at))],
  ] as const)("is kept and shared, and its pace makes the same run without a clock: %s", async (_, cost) => {
    const { stages, now, spent } = timed(cost);
    const time = { seconds: 120, used: {}, began: now(), extended: false };
    const { events, summary } = await run(stages, { time, now });
    expect(summary!.finished).toBe(true);
    const total = spent["a"]! + spent["b"]!;
    expect(Math.abs(total - 120)).toBeLessThan(0.05 * 120);
    expect(Math.abs(spent["a"]! - 0.75 * total)).toBeLessThan(0.05 * 0.75 * total);
    expect(Math.abs(spent["b"]! - 0.25 * total)).toBeLessThan(Math.max(0.05 * 0.25 * total, 2));
    const paced = events.flatMap((event) => (event.kind === "paced" ? [event] : []));
    const saved = events.findLast((event) => event.kind === "saved");
    expect(saved).toMatchObject({ used: { a: expect.closeTo(spent["a"]!, 2) as number } });

    const state = readFileSync(join(dir, "state.safetensors"));
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    const { paces } = paced.at(-1)!;
    const again = await run(stages, { paces, images: plannedTotals(paces) });
    expect(readFileSync(join(dir, "state.safetensors")).equals(state)).toBe(true);
    const turns = (of: readonly TrainEvent[]) =>
      of.flatMap((each) => (each.kind === "step" ? [each.stage] : []));
    expect(turns(again.events).join("")).toBe(turns(events).join(""));
    expect(again.events.some(({ kind }) => kind === "paced")).toBe(false);
  });

  test("what was decided after the checkpoint that a crash leaves is decided again", async () => {
    const { stages, now } = timed((_, at) => 0.3 + 0.2 * Math.sin(at));
    const time = (used: SecondsUsed) => ({ seconds: 120, used, began: now(), extended: false });
    let paces: Readonly<Record<string, Pace>> | undefined;
    let used: SecondsUsed = {};
    let steps = 0;
    const keep = (event: TrainEvent): void => {
      if (event.kind === "paced") ({ paces } = event);
      else if (event.kind === "saved") used = event.used!;
      else if (event.kind === "step") steps++;
    };
    const controller = new AbortController();
    const stopAt = (event: TrainEvent): void => {
      keep(event);
      if (steps === 60) controller.abort();
    };
    await run(stages, { now, time: time({}), signal: controller.signal, onEvent: stopAt });
    const kept = paces!;
    const crash = (event: TrainEvent): void => {
      keep(event);
      if (steps === 180) throw new Error("crash");
    };
    const crashed = await run(stages, { now, time: time(used), paces: kept, onEvent: crash });
    expect((crashed.error as Error).message).toBe("crash");
    const seen = JSON.parse((await loadCheckpoint(dir))!.metadata["progress"]!).stages["a"]
      .imagesSeen as number;
    expect(
      paces!["a"]!.some(([from]) => from > seen),
      "or there is nothing to forget",
    ).toBe(true);

    const { summary } = await run(stages, { now, time: time(used), paces: paces!, onEvent: keep });
    expect(summary!.finished).toBe(true);
    for (const pace of Object.values(paces!)) expect(Pace.safeParse(pace).error).toBeUndefined();
    const state = readFileSync(join(dir, "state.safetensors"));
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    const images = plannedTotals(paces!);
    await run(stages, { paces: paces!, images });
    expect(readFileSync(join(dir, "state.safetensors")).equals(state)).toBe(true);
  });

  test("a roll-back takes the plans back, too, and the time is kept all the same", async () => {
    const { stages, now, spent } = timed(() => 0.5);
    let broken = false;
    const [first, second] = stages as [Stage, Stage];
    const poisoned: Stage = {
      ...first,
      feeds(context, batch) {
        const poison = context.step === 90 && !broken ? Infinity : 0;
        broken ||= context.step === 90;
        return { ...first.feeds(context, batch), poison };
      },
    };
    const controller = new AbortController();
    const time = (used: SecondsUsed) => ({ seconds: 120, used, began: now(), extended: false });
    let used: SecondsUsed = {};
    let paces: Readonly<Record<string, Pace>> = {};
    const keep = (event: TrainEvent): void => {
      if (event.kind === "paced") ({ paces } = event);
      if (event.kind === "saved") used = event.used!;
      if (event.kind === "step" && event.stage === "a" && event.step === 30) controller.abort();
    };
    await run([poisoned, second], { now, time: time({}), signal: controller.signal, onEvent: keep });
    const { events, summary } = await run([poisoned, second], {
      now,
      time: time(used),
      paces,
      onEvent: keep,
    });
    expect(events.filter(({ kind }) => kind === "rollback")).toHaveLength(1);
    expect(summary!.finished).toBe(true);
    expect(Math.abs(spent["a"]! + spent["b"]! - 120)).toBeLessThan(0.05 * 120);
    for (const pace of Object.values(paces)) expect(Pace.safeParse(pace).error).toBeUndefined();
  });

  test("what is decided is told before the step that depends on it", async () => {
    const { stages, now } = timed((name) => (name === "a" ? 0.4 : 0.7));
    const time = { seconds: 30, used: {}, began: now(), extended: false };
    const { events } = await run(stages, { time, now });
    const seen: Record<string, number> = { a: 0, b: 0 };
    let before: Readonly<Record<string, readonly unknown[]>> = { a: [], b: [] };
    for (const event of events)
      if (event.kind === "step") seen[event.stage] = event.imagesSeen;
      else if (event.kind === "paced") {
        for (const [name, pace] of Object.entries(event.paces))
          // The step after which it was planned is told of a moment later.
          if (pace.length > before[name]!.length) expect(pace.at(-1)![0], name).toBe(seen[name]! + BATCH);
        before = event.paces;
      }
    expect(before["a"]!.length).toBeGreaterThan(0);
  });
});

describe("a stage after another", () => {
  /** `b` begins with the last weight of `a`, and adds what it learns to it. */
  const stages = (): readonly Stage[] => [
    {
      ...meanStage({ name: "b", share: 0.5 }),
      after: ["a"],
      begin: ({ arrays }) => ({ w: arrays.get("a.w")! }),
    },
    meanStage({ name: "a", share: 0.5, score: (value) => square(value) }),
  ];
  const settings = { steps: 6, heldOut: dataset };
  const turns = (events: readonly TrainEvent[]) =>
    events.flatMap((each) => (each.kind === "step" ? [each.stage] : [])).join("");
  const stateBytes = (): Buffer => readFileSync(join(dir, "state.safetensors"));

  test("begins when that is done, from its last weights, and closes it: its best ones are dropped", async () => {
    const { events, summary } = await run(stages(), settings);
    expect(turns(events)).toBe("aaaaaabbbbbb");
    expect(summary!.finished).toBe(true);
    const steps = events.flatMap((each) => (each.kind === "step" ? [each] : []));
    // The first loss of b is that of a's last weight on the first batch, which a saw with its first weight, 1.
    const mean = (at: number): number => 1 - Math.sqrt(steps[at]!.metrics["loss"]!);
    expect(Math.sqrt(steps[6]!.metrics["loss"]!)).toBeCloseTo(Math.abs((await w("a")) - mean(0)), 5);
    expect([...(await loadCheckpoint(dir))!.tensors.keys()].sort()).toEqual(["a.w", "b.w"]);
    expect(bestMoments((await loadCheckpoint(dir))!.metadata)).toEqual({});
  });

  test("stopped anywhere, a training goes on to the bytes of a straight one", async () => {
    await run(stages(), settings);
    const straight = stateBytes();
    for (const stop of [3, 6, 7, 11]) {
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      const controller = new AbortController();
      let steps = 0;
      const onEvent = ({ kind }: TrainEvent): void => {
        if (kind === "step" && ++steps === stop) controller.abort();
      };
      await run(stages(), { ...settings, signal: controller.signal, onEvent });
      await run(stages(), settings);
      expect(stateBytes().equals(straight), `stopped after ${stop} steps`).toBe(true);
    }
  });

  test("a larger budget goes to the stages that are open", async () => {
    await run(stages(), settings);
    const closed = await w("a");
    const { events, summary } = await run(stages(), { ...settings, steps: 9 });
    expect(turns(events)).toBe("bbb");
    expect(summary!.finished).toBe(true);
    expect(await w("a")).toBe(closed);
  });

  test("a roll-back to before it began lets it begin anew", async () => {
    const [b, a] = stages() as [Stage, Stage];
    const poisoned: Stage = {
      ...b,
      feeds: (context, batch) => ({
        ...b.feeds(context, batch),
        poison: context.step === 2 && context.lrScale === 1 ? Infinity : 0,
      }),
    };
    const { events, summary } = await run([poisoned, a], settings);
    expect(turns(events)).toBe("aaaaaabbb" + "aaaaaabbbbbb");
    expect(summary!.finished).toBe(true);
    expect(Number.isFinite(await w("b"))).toBe(true);
  });

  test("within a budget of time, each has its share", async () => {
    let clock = 5000;
    const timed = stages().map((stage) => ({
      ...stage,
      feeds: (...args: Parameters<Stage["feeds"]>) => {
        clock += 500;
        return stage.feeds(...args);
      },
    }));
    const time = { seconds: 60, used: {}, began: clock, extended: false };
    const { events } = await run(timed, { time, now: () => clock });
    expect(turns(events)).toMatch(/^a+b+$/);
    for (const name of ["a", "b"]) {
      const steps = turns(events).split(name).length - 1;
      expect(Math.abs(steps - 60), name).toBeLessThan(4);
    }
  });
});

test("arrays that are given take the place of what a stage draws", async () => {
  const given = new Map([["mean.w", scalar(-0.5)]]);
  const { events } = await run([meanStage()], { steps: 1, given });
  const drawn = await (async () => {
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    return run([meanStage()], { steps: 1 });
  })();
  const [from, to] = [losses(events)[0]!, losses(drawn.events)[0]!];
  // Both see the same batch, whose mean m is above -0.5 and below 1.
  expect(Math.sqrt(from) + Math.sqrt(to)).toBeCloseTo(1.5, 5);
});

describe("a checkpoint of something else", () => {
  test("is refused: another stage, or counters that are not ours", async () => {
    await run([meanStage()], { steps: 2 });
    const other = await run([meanStage({ name: "other" })]);
    expect(other.error).toMatchObject({ code: "train/mismatch" });
    expect((other.error as Error).message).toContain('has no stage "other"');
    const { tensors } = (await loadCheckpoint(dir))!;
    for (const progress of [
      "",
      "{}",
      '{"stages":{"mean":{"step":-1,"imagesSeen":0}},"lrScale":1,"rollbacks":0}',
    ]) {
      saveCheckpoint(dir, { tensors, metadata: { progress } });
      expect((await run([meanStage()])).error, progress).toMatchObject({ code: "train/mismatch" });
    }
  });
});

describe("scores and the best weights", () => {
  /** Follows each batch closely, so that it comes nearer the goal and leaves it again. */
  const restless = (): Stage => meanStage({ lr: 0.7, score: (value, goal) => square(sub(value, goal)) });
  const scored = { heldOut: dataset, steps: 200 };
  type Score = Extract<TrainEvent, { readonly kind: "score" }>;
  const scoresIn = (events: readonly TrainEvent[]): Score[] =>
    events.flatMap((event) => (event.kind === "score" ? [event] : []));
  const least = (scores: readonly Score[]): Score =>
    scores.reduce((a, b) => (b.metrics["score"]! < a.metrics["score"]! ? b : a));
  const bestW = async (): Promise<number> =>
    chooseWeights((await loadCheckpoint(dir))!.tensors, "best", dir).get("mean.w")!.data[0]!;
  const savedBest = async () => bestMoments((await loadCheckpoint(dir))!.metadata)["mean"];
  const stateBytes = (): Buffer => readFileSync(join(dir, "state.safetensors"));
  const stopAt = (step: number): Settings => {
    const controller = new AbortController();
    return {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === "step" && event.step === step) controller.abort();
      },
    };
  };

  test("the best are those of the least score that was told, and the last are kept beside them", async () => {
    const { events, summary } = await run([restless()], scored);
    const scores = scoresIn(events);
    const winner = least(scores);
    expect(winner.imagesSeen, "a test in which the last are the best would show nothing").toBeLessThan(400);
    expect(await savedBest()).toEqual({ imagesSeen: winner.imagesSeen, score: winner.metrics["score"] });
    expect(summary!.progress["mean"]!.best).toEqual(await savedBest());
    expect(await bestW()).toBe(winner.metrics["w"]);
    expect(await w()).toBe(scores.at(-1)!.metrics["w"]);
    let lowest = Infinity;
    for (const { best, imagesSeen, metrics } of scores) {
      expect(best, `at ${imagesSeen} images`).toBe(metrics["score"]! < lowest);
      lowest = Math.min(lowest, metrics["score"]!);
    }
  });

  test("come every 33 times the images they look at, at most 16 times, and at the end", async () => {
    const moments = async (steps: number): Promise<number[]> => {
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      return scoresIn((await run([restless()], { ...scored, steps })).events).map((each) => each.imagesSeen);
    };
    expect(await moments(200)).toEqual([66, 132, 198, 264, 330, 396, 400]);
    expect(await moments(1600)).toEqual(Array.from({ length: 16 }, (_, i) => 200 * (i + 1)));
    expect(await moments(5)).toEqual([10]);
  });

  test("interrupted before, at and after a score, a run ends in the bytes of a straight one", async () => {
    await run([restless()], scored);
    const straight = stateBytes();
    for (const step of [32, 33, 34, 150, 199]) {
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      await run([restless()], { ...scored, ...stopAt(step) });
      await run([restless()], scored);
      expect(stateBytes().equals(straight), `stopped at step ${step}`).toBe(true);
    }
  });

  test("a larger budget goes on from the best so far", async () => {
    const first = scoresIn((await run([restless()], { ...scored, steps: 100 })).events);
    const more = scoresIn((await run([restless()], { ...scored, steps: 300 })).events);
    expect((await savedBest())!.score).toBe(least([...first, ...more]).metrics["score"]);
  });

  test("a checkpoint without best weights, as older versions wrote it, goes on and gets them", async () => {
    await run([meanStage({ lr: 0.7 })], { steps: 100 });
    expect(await savedBest()).toBeUndefined();
    const { events } = await run([restless()], scored);
    expect(scoresIn(events).map(({ imagesSeen }) => imagesSeen)).toEqual([264, 330, 396, 400]);
    expect((await savedBest())!.score).toBe(least(scoresIn(events)).metrics["score"]);
  });

  test("a roll-back takes the best weights back too, to the checkpoint's or to none", async () => {
    const poisoned = (): Stage => ({
      ...restless(),
      feeds: ({ step, lrScale }) => ({
        lr: 0.7 * lrScale,
        poison: step === 120 && lrScale === 1 ? Infinity : 0,
      }),
    });
    for (const stop of [50, undefined]) {
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      const before =
        stop === undefined ? [] : (await run([poisoned()], { ...scored, ...stopAt(stop) })).events;
      const { events } = await run([poisoned()], scored);
      const after = events.slice(events.findIndex(({ kind }) => kind === "rollback"));
      expect(after[0], `checkpoint at ${stop}`).toMatchObject({ progress: { mean: 2 * (stop ?? 0) } });
      const winner = least([...scoresIn(before), ...scoresIn(after)]);
      expect(await savedBest(), `checkpoint at ${stop}`).toEqual({
        imagesSeen: winner.imagesSeen,
        score: winner.metrics["score"],
      });
    }
  });

  test("a score that is not a number is never the best", async () => {
    // w sinks from 1 to below 0, where it has no root.
    const { events } = await run([meanStage({ lr: 0.02, score: (value) => sqrt(value) })], scored);
    const scores = scoresIn(events);
    expect(scores.at(-1)).toMatchObject({ best: false, metrics: { score: Number.NaN } });
    const numbers = scores.filter(({ metrics }) => Number.isFinite(metrics["score"]));
    expect((await savedBest())!.score).toBe(least(numbers).metrics["score"]);
  });

  test("without held-out images nothing is scored, and a checkpoint is what it was", async () => {
    await run([restless()], { steps: 100 });
    const unscored = stateBytes();
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    await run([meanStage({ lr: 0.7 })], { steps: 100, heldOut: dataset });
    expect(stateBytes().equals(unscored)).toBe(true);
  });
});
