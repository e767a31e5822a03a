import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { add, mean, mul, scalar, square, sub, type Tensor, UserError } from "onnxgrad";
import { node } from "onnxgrad/node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import type { Stage, StepContext } from "../systems/stage.ts";
import { loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { train, type TrainEvent, type TrainOptions, type TrainSummary } from "./trainer.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-trainer-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const BATCH = 2;
const dataset = createDataset({
  name: "levels",
  channels: 1,
  height: 2,
  width: 2,
  pixels: Uint8Array.from({ length: 8 * 4 }, (_, i) => 8 * i),
  licence: "none",
  credit: "none",
  skipped: {},
  fingerprint: "levels",
});

/** What is put onto a stage's number after a step: 0, or what makes it useless. */
type Poison = (context: StepContext) => number;

/** A stage that learns the mean of the images with one number, w. */
function meanStage({
  name = "mean",
  share = 1,
  poison = () => 0,
}: {
  readonly name?: string;
  readonly share?: number;
  readonly poison?: Poison;
} = {}): Stage {
  return {
    name,
    share,
    batch: BATCH,
    initialState: () => ({ w: scalar(1) }),
    programs: {
      step: {
        inputs: { pixels: [BATCH, 1, 2, 2], lr: [], poison: [] },
        build({
          state,
          pixels,
          lr,
          poison: bad,
        }: Readonly<Record<string, Tensor>> & { state: { w: Tensor } }) {
          const error = sub(state.w, mean(pixels!));
          return { state: { w: add(sub(state.w, mul(error, lr!)), bad!) }, loss: square(error) };
        },
      },
    },
    select: () => "step",
    feeds: (context) => ({ lr: 0.1 * context.lrScale, poison: poison(context) }),
  };
}

/** Trains and keeps the events. */
async function run(
  stages: readonly Stage[],
  options: Partial<TrainOptions> & { readonly steps?: number } = {},
): Promise<{ events: TrainEvent[]; summary: TrainSummary | undefined; error: unknown }> {
  const { steps = 20, ...rest } = options;
  const events: TrainEvent[] = [];
  try {
    const summary = await train({
      backend: node({ threads: 1 }),
      dataset,
      seed: 3,
      flip: false,
      dir,
      stages,
      images: Object.fromEntries(stages.map(({ name }) => [name, steps * BATCH])),
      saveSeconds: 1e9,
      ...rest,
      onEvent(event) {
        events.push(event);
        return options.onEvent?.(event);
      },
    });
    return { events, summary, error: undefined };
  } catch (error) {
    return { events, summary: undefined, error };
  }
}

const kinds = (events: readonly TrainEvent[]): string[] =>
  events.flatMap(({ kind }) => (kind === "step" ? [] : [kind]));
const w = (stage = "mean"): number => loadCheckpoint(dir)!.tensors.get(`${stage}.w`)!.data[0]!;
const losses = (events: readonly TrainEvent[]): number[] =>
  events.flatMap((event) => (event.kind === "step" ? [event.metrics["loss"]!] : []));

describe("train()", () => {
  test("makes the steps of gradient descent that arithmetic says", async () => {
    const { events, summary } = await run([meanStage()], { steps: 16 });
    expect(summary).toMatchObject({ finished: true, progress: { mean: { step: 16, imagesSeen: 32 } } });
    expect(losses(events)).toHaveLength(16);
    // Four epochs of the eight images: w nears their mean, 8 * 15.5 of 0..255, as 0.9^16 of the way is left.
    const goal = (8 * 15.5) / 127.5 - 1;
    expect(Math.abs(w() - goal)).toBeLessThan(0.9 ** 16 * (1 - goal) + 0.1);
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
    const expected = w();
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
    expect(w()).toBe(expected);
    const done = await run([meanStage()]);
    expect(done.events.map(({ kind }) => kind)).toEqual(["resumed"]);
    expect(done.summary).toMatchObject({ finished: true });
  });

  test("draws each preview once, also after resuming", async () => {
    const drawn: number[] = [];
    const previews = {
      previews: [0.25, 0.5, 1],
      onPreview: async (_: unknown, at: number) => void drawn.push(at),
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
    });
    expect(summary).toMatchObject({ finished: true, progress: { mean: { step: 20 } } });
    expect(loadCheckpoint(dir)!.metadata["progress"]).toContain('"lrScale":0.5,"rollbacks":1');
    expect(Number.isFinite(w())).toBe(true);
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
        if (event.kind === "saved") saved.push(w());
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
    expect(Number.isFinite(w())).toBe(true);
    expect(loadCheckpoint(dir)!.metadata["progress"]).toContain('"step":5');
  });

  test("remembers its roll-backs when the run is resumed", async () => {
    const poison: Poison = ({ step }) => (step >= 5 ? Infinity : 0);
    await run([meanStage({ poison })], { saveSeconds: -1 });
    const { events, error } = await run([meanStage({ poison })], { saveSeconds: -1 });
    expect(kinds(events)).toEqual(["resumed"]);
    expect(error).toMatchObject({ code: "train/diverged" });
  });
});

describe("a checkpoint of something else", () => {
  test("is refused: another stage, or counters that are not ours", async () => {
    await run([meanStage()], { steps: 2 });
    const other = await run([meanStage({ name: "other" })]);
    expect(other.error).toMatchObject({ code: "train/mismatch" });
    expect((other.error as Error).message).toContain('has no stage "other"');
    const { tensors } = loadCheckpoint(dir)!;
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
