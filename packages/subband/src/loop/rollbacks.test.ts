import type { NamedArray } from "onnxgrad";
import { node } from "onnxgrad/node";
import { describe, expect, test } from "vitest";
import type { Stage } from "../systems/stage.ts";
import { Rollbacks } from "../training/rollback-schema.ts";
import type { Saved, TrainEvent } from "./host.ts";
import { BATCH, dataset, meanStage } from "./mean-stage.testing.ts";
import { evenPace, type Pace } from "./pace.ts";
import { lrScaleAt, type Rollback, rollbacksBy, withRollback } from "./rollbacks.ts";
import { train, type TrainOptions } from "./trainer.ts";

const rollback = (a: number, b: number, lrScale = 0.5): Rollback => ({
  ...{ stage: "a", step: 99, images: { a, b }, lrScale },
});
const TWICE = [rollback(8, 4), rollback(16, 4, 0.25)];

describe("the factor on the learning rates", () => {
  test("sinks for each stage where that stage stood in the state gone back to", () => {
    const scales = (stage: string) => [0, 4, 7, 8, 15, 16, 99].map((n) => lrScaleAt(TWICE, stage, n));
    expect(scales("a")).toEqual([1, 1, 1, 0.5, 0.5, 0.25, 0.25]);
    expect(scales("b")).toEqual([1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]);
    expect(lrScaleAt([], "a", 5)).toBe(1);
  });

  test("a roll-back has happened once all stages stand there", () => {
    const happened = (a: number, b: number) => rollbacksBy(TWICE, { a, b });
    expect([happened(8, 3), happened(7, 4), happened(8, 4), happened(15, 9), happened(16, 4)]).toEqual([
      0, 0, 1, 1, 2,
    ]);
    expect(rollbacksBy([rollback(0, 0)], {})).toBe(1);
  });
});

describe("withRollback()", () => {
  test("adds one; those that were to come are void", () => {
    const next = rollback(12, 4, 0.25);
    expect(withRollback(TWICE.slice(0, 1), 1, next)).toEqual([rollback(8, 4), next]);
    expect(withRollback(TWICE, 1, next)).toEqual([rollback(8, 4), next]);
    expect(withRollback(TWICE, 0, rollback(4, 2))).toEqual([rollback(4, 2)]);
  });

  test("those that happened count though an older state is gone back to, in the order of their images", () => {
    const all = withRollback(TWICE, 2, rollback(4, 2, 0.125));
    expect(all).toEqual([rollback(4, 2), rollback(4, 2, 0.25), rollback(4, 2, 0.125)]);
    expect(Rollbacks.safeParse(all).success).toBe(true);
    expect(lrScaleAt(all, "a", 4)).toBe(0.125);
  });

  test("where the order of turns is another, what one stage did under one is not rewritten", () => {
    const all = withRollback([rollback(8, 4)], 0, rollback(12, 2, 0.25));
    expect(all).toEqual([rollback(8, 2), rollback(12, 2, 0.25)]);
    expect(lrScaleAt(all, "a", 8)).toBe(0.5);
  });
});

describe("the schema of roll-backs", () => {
  test.each([
    ["two in order", TWICE, true],
    ["none", [], true],
    ["out of order", TWICE.toReversed(), false],
    ["half an image", [{ ...TWICE[0], images: { a: 0.5 } }], false],
    ["larger steps", [{ ...TWICE[0], lrScale: 2 }], false],
    ["no steps", [{ ...TWICE[0], lrScale: 0 }], false],
    ["something else", [{ ...TWICE[0], more: 1 }], false],
  ])("%s", (_, value, good) => {
    expect(Rollbacks.safeParse(value).success).toBe(good);
  });
});

/** A place in memory where a training is kept. */
interface Kept {
  saved?: Saved;
  paces?: Readonly<Record<string, Pace>>;
  rollbacks?: readonly Rollback[];
}

interface How {
  /** Steps of the training, by its own count, after which a checkpoint is due. */
  readonly saveAfter?: readonly number[];
  readonly stopAt?: number;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** Trains what is kept on, all that is told kept as a host should. */
async function trainOn(
  kept: Kept,
  stages: readonly Stage[],
  images: Readonly<Record<string, number>>,
  { saveAfter = [], stopAt = Infinity, onEvent }: How = {},
): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  const controller = new AbortController();
  let steps = 0;
  let time = 0;
  const options: TrainOptions = {
    ...{ backend: node({ threads: 1 }), dataset, seed: 3, flip: false, stages, images, saveSeconds: 10 },
    ...(kept.paces && { paces: kept.paces }),
    ...(kept.rollbacks && { rollbacks: kept.rollbacks }),
  };
  await train(
    {
      place: "memory",
      // The clock passes the time of a save before the step at whose end it is due.
      now: () => (time += saveAfter.includes(steps + 1) ? 6000 : 0.001),
      load: () => Promise.resolve(kept.saved),
      save({ arrays, progress }) {
        const copies = [...arrays].map(([name, { shape, data }]): [string, NamedArray] => [
          name,
          { shape, data: data.slice() },
        ]);
        kept.saved = { arrays: new Map(copies), progress };
        return Promise.resolve();
      },
      tell(event) {
        events.push(event);
        if (event.kind === "paced") kept.paces = event.paces;
        if (event.kind === "rollback") kept.rollbacks = event.rollbacks;
        if (event.kind === "step" && ++steps === stopAt) controller.abort();
        onEvent?.(event);
      },
      signal: controller.signal,
    },
    options,
  );
  return events;
}

/** The stages of which one blows up, once, at the calls of its feeds with these numbers. */
function blowingUp(stages: readonly Stage[], name: string, ...calls: readonly number[]): readonly Stage[] {
  let count = 0;
  return stages.map((stage) => ({
    ...stage,
    feeds: (...args: Parameters<Stage["feeds"]>) => ({
      ...stage.feeds(...args),
      ...(stage.name === name && { poison: calls.includes(++count) ? Infinity : 0 }),
    }),
  }));
}

const sideBySide = [meanStage({ name: "a", share: 0.5 }), meanStage({ name: "b", share: 0.5 })];
const oneAfterAnother = [
  meanStage({ name: "a", share: 0.5 }),
  {
    ...meanStage({ name: "b", share: 0.5 }),
    after: ["a"],
    begin: ({ arrays }: Parameters<Stage["begin"]>[0]) => ({ w: arrays.get("a.w")! }),
  },
];
const IMAGES = { a: 12 * BATCH, b: 8 * BATCH };
/** Names, steps and places: what a log has of a training. */
const told = (events: readonly TrainEvent[]): unknown[] =>
  events.flatMap((event) => {
    if (event.kind === "step") return [[event.stage, event.imagesSeen, event.metrics]];
    return event.kind === "rollback" ? [[event.step, event.lrScale, event.left, event.progress]] : [];
  });

describe("a training that has rolled back", () => {
  test.each([
    ["stages side by side", sideBySide, "b", [5, 9], [6, 14]],
    ["one that has ended, and another", oneAfterAnother, "b", [3, 7], [14, 19]],
    ["back to before a stage began", oneAfterAnother, "b", [3, 5], [4, 9]],
    ["back to the beginning", sideBySide, "a", [3], []],
  ] as const)(
    "is followed to the same bytes, from anywhere: %s",
    async (_, stages, name, calls, saveAfter) => {
      const original: Kept = {};
      const events = await trainOn(original, blowingUp(stages, name, ...calls), IMAGES, { saveAfter });
      expect(original.rollbacks).toHaveLength(calls.length);
      expect(JSON.parse(original.saved!.progress)).toMatchObject({ rollbacks: calls.length });

      const { rollbacks } = original as Required<Kept>;
      const followed: Kept = { rollbacks };
      const again = await trainOn(followed, stages, IMAGES);
      expect(followed.saved).toEqual(original.saved);
      expect(again.filter(({ kind }) => kind === "step")).toHaveLength(20);
      // What was told of the steps that were given up apart, the same, in the same order.
      const surviving = told(events).filter(
        (line, i, all) => !all.slice(i + 1).some((later) => JSON.stringify(later) === JSON.stringify(line)),
      );
      expect(surviving).toEqual(expect.arrayContaining(told(again)));

      for (let stop = 1; stop < 20; stop += 3) {
        const stopped: Kept = { rollbacks };
        const parts = [await trainOn(stopped, stages, IMAGES, { stopAt: stop })];
        parts.push(await trainOn(stopped, stages, IMAGES));
        expect(stopped.saved, `stopped after ${stop} steps`).toEqual(original.saved);
        expect(told(parts.flat()), `stopped after ${stop} steps`).toEqual(told(again));
      }
    },
  );

  test("is followed though its stages were extended in the middle, and take turns in another order", async () => {
    const [a, b] = [6 * BATCH, 4 * BATCH];
    const original: Kept = { paces: { a: evenPace(a), b: evenPace(b) } };
    await trainOn(original, sideBySide, { a, b }, { stopAt: 5 });
    const stages = blowingUp(sideBySide, "a", 4, 6);
    await trainOn(original, stages, { a: 20 * BATCH, b: 20 * BATCH }, { saveAfter: [4, 9] });
    expect(original.rollbacks).toHaveLength(2);
    const { paces, rollbacks } = original as Required<Kept>;
    expect(paces["a"]!.some((knot) => knot.length === 3)).toBe(true);
    const followed: Kept = { paces, rollbacks };
    await trainOn(followed, sideBySide, { a: 20 * BATCH, b: 20 * BATCH });
    expect(followed.saved).toEqual(original.saved);
  });

  test("killed before its host saved what it went back to, it goes on from there all the same", async () => {
    const [straight, killed]: Kept[] = [{}, {}];
    const how = { saveAfter: [6] };
    await trainOn(straight!, blowingUp(sideBySide, "b", 5), IMAGES, how);
    const onEvent = ({ kind }: TrainEvent): void => {
      if (kind === "rollback") throw new Error("killed");
    };
    const dying = trainOn(killed!, blowingUp(sideBySide, "b", 5), IMAGES, { ...how, onEvent });
    await expect(dying).rejects.toThrow("killed");
    expect(killed!.saved!.progress).toContain('"rollbacks":0');
    await trainOn(killed!, sideBySide, IMAGES);
    expect(killed!.saved).toEqual(straight!.saved);
  });

  test("by a host that keeps no roll-backs goes on with the factor of its checkpoint, and counts them", async () => {
    const [straight, stopped]: Kept[] = [{}, {}];
    const how = { saveAfter: [6] };
    await trainOn(straight!, blowingUp(sideBySide, "b", 5), IMAGES, how);
    await trainOn(stopped!, blowingUp(sideBySide, "b", 5), IMAGES, { ...how, stopAt: 14 });
    delete stopped!.rollbacks;
    const [firstTold, ...rest] = await trainOn(stopped!, sideBySide, IMAGES);
    expect(firstTold).toMatchObject({ kind: "resumed" });
    expect(rest.map(({ kind }) => kind)).not.toContain("rollback");
    expect(stopped!.saved).toEqual(straight!.saved);
  });
});
