import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Backend, RuntimeTensor } from "onnxgrad";
import { node } from "onnxgrad/node";
import { describe, expect, test } from "vitest";
import type { TrainEvent } from "../loop/host.ts";
import { loadCheckpoint } from "./checkpoint.ts";
import { readMetrics } from "./metrics-log.ts";
import { runPaths, writeRun } from "./run-directory.ts";
import { readRunFile } from "./run-file.ts";
import { temporaryFolders } from "./temporary-folders.testing.ts";
import { trainRun, type TrainRequest } from "./train-run.ts";

let dir: string;
temporaryFolders("rollback", (made) => {
  dir = made;
});

/** Tiny networks, one for the low band and one for the details. */
const TWO_STAGES = {
  data: "faces",
  limit: 32,
  size: { height: 16, width: 16 },
  options: { levels: 1, width: 16, batch: 8 },
  seed: 5,
} as const;
/** The low band alone. */
const ONE_STAGE = {
  ...TWO_STAGES,
  size: { height: 8, width: 8 },
  options: { ...TWO_STAGES.options, levels: 0 },
} as const;
const IMAGES = 160;

/** A backend whose next run, once it is told so, gives no numbers. */
function failing(): { readonly backend: Backend; failOnce(): void } {
  const sound = node({ threads: 1 });
  let fails = false;
  const backend: Backend = {
    ...sound,
    tensor: (data, shape) => sound.tensor(data, shape),
    async createSession(model) {
      const session = await sound.createSession(model);
      return {
        async run(feeds, fetches: Readonly<Record<string, RuntimeTensor>>) {
          await session.run(feeds, fetches);
          if (!fails) return;
          fails = false;
          for (const { data } of Object.values(fetches)) (data as Float32Array).fill(Number.NaN);
        },
        release: () => session.release(),
      };
    },
  };
  return { backend, failOnce: () => void (fails = true) };
}

interface How {
  /** The run after so many steps of the process fails. */
  readonly failAfter?: readonly number[];
  /** The process stops after so many steps. */
  readonly stopAt?: number;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** Trains by a clock that is irregular, and which decides what was saved last. */
async function trainHere(
  request: TrainRequest,
  { failAfter = [], stopAt = Infinity, onEvent }: How = {},
): Promise<TrainEvent[]> {
  const { backend, failOnce } = failing();
  const events: TrainEvent[] = [];
  const controller = new AbortController();
  let steps = 0;
  let time = 0;
  await trainRun(
    request,
    backend,
    {
      onEvent(event) {
        events.push(event);
        onEvent?.(event);
        if (event.kind !== "step") return;
        steps++;
        if (failAfter.includes(steps)) failOnce();
        if (steps === stopAt) controller.abort();
      },
    },
    controller.signal,
    { previews: [], saveSeconds: 0.3, now: () => (time += 10 * (1 + 0.5 * Math.sin(time))) },
  );
  return events;
}

type Rollback = Extract<TrainEvent, { readonly kind: "rollback" }>;
const rollbacksIn = (events: readonly TrainEvent[]): Rollback[] =>
  events.flatMap((event) => (event.kind === "rollback" ? [event] : []));
const recordOf = readRunFile;
const linesOf = (run: string): string => readFileSync(runPaths(run).metrics, "utf8");
const stateOf = (run: string): Buffer => readFileSync(join(run, "state.safetensors"));

async function expectSameTraining(run: string, original: string, what: string): Promise<void> {
  expect(linesOf(run), what).toBe(linesOf(original));
  expect((await loadCheckpoint(run))!.metadata, what).toEqual((await loadCheckpoint(original))!.metadata);
  expect(stateOf(run).equals(stateOf(original)), what).toBe(true);
  const { minutes: _, pace, images, ...config } = recordOf(run).config;
  expect(config.rollbacks, what).toEqual(recordOf(original).config.rollbacks);
  expect(images, what).toEqual(recordOf(original).config.images);
  expect(pace ?? {}, what).toEqual(recordOf(original).config.pace ?? pace ?? {});
}

describe("a run that has rolled back", () => {
  test.each([
    ["of two stages, by images", { ...TWO_STAGES, images: 80 }, [11, 22]],
    ["by the clock", { ...ONE_STAGE, minutes: 0.06 }, [11, 22]],
  ] as const)(
    "%s: is resumed and replayed to the same bytes",
    { timeout: 300_000 },
    async (_, request, failAfter) => {
      const [run, killed, again] = [join(dir, "run"), join(dir, "killed"), join(dir, "again")];
      const rollbacks: Rollback[] = [];
      await trainHere(
        { ...request, out: run },
        {
          failAfter,
          onEvent(event) {
            if (event.kind !== "rollback" || rollbacks.push(event) < 2) return;
            // As a process that is killed now leaves it, before the state that was gone back to is saved.
            cpSync(run, killed, { recursive: true, filter: (path) => !path.endsWith("lock.json") });
          },
        },
      );
      expect(rollbacks.map(({ lrScale }) => lrScale)).toEqual([0.5, 0.25]);
      const [first, second] = rollbacks.map(({ progress }) => Object.values(progress));
      expect(Math.min(...first!, ...second!), "or it went back to the beginning").toBeGreaterThan(0);
      expect(second, "or both have one place").not.toEqual(first);
      expect(recordOf(run).config.rollbacks).toHaveLength(2);

      const { images: _images, minutes: _minutes, ...same } = { images: 0, minutes: 0, ...request };
      await trainHere({ ...same, out: again, replay: run });
      await expectSameTraining(again, run, "replayed");

      await trainHere({ out: killed });
      if (recordOf(killed).config.minutes === undefined)
        await expectSameTraining(killed, run, "killed and resumed");
      else {
        // Another clock has planned the rest.
        const replayed = join(dir, "killed-replayed");
        await trainHere({ ...same, out: replayed, replay: killed });
        await expectSameTraining(replayed, killed, "killed, resumed and replayed");
      }
    },
  );

  test("to its beginning, too; also where the replay was killed before it saved anything", async () => {
    const [run, again] = [join(dir, "run"), join(dir, "again")];
    const events = await trainHere({ ...ONE_STAGE, images: IMAGES, out: run }, { failAfter: [2] });
    expect(rollbacksIn(events)).toMatchObject([{ progress: { low: 0 } }]);
    const killed = trainHere(
      { ...ONE_STAGE, out: again, replay: run },
      {
        onEvent({ kind }) {
          if (kind === "step") cpSync(again, join(dir, "killed"), { recursive: true });
          if (kind === "step") throw new Error("killed");
        },
      },
    );
    await expect(killed).rejects.toThrow("killed");
    rmSync(join(dir, "killed", "lock.json"));
    await trainHere({ out: join(dir, "killed") });
    await expectSameTraining(join(dir, "killed"), run, "replayed");
  });

  test("a replay that rolls back itself leaves the run that it follows, and can be replayed", async () => {
    const [run, own, again] = [join(dir, "run"), join(dir, "own"), join(dir, "again")];
    await trainHere({ ...ONE_STAGE, images: IMAGES, out: run }, { failAfter: [15] });
    const events = await trainHere({ ...ONE_STAGE, out: own, replay: run }, { failAfter: [6] });
    expect(rollbacksIn(events)).toMatchObject([{ lrScale: 0.5, left: 2 }]);
    expect(recordOf(own).config.rollbacks).toHaveLength(1);
    expect(stateOf(own).equals(stateOf(run))).toBe(false);
    await trainHere({ ...ONE_STAGE, out: again, replay: own });
    await expectSameTraining(again, own, "replayed");
    await expect(trainHere({ out: again, replay: run })).rejects.toMatchObject({
      code: "run/contradiction",
    });
  });

  test("under a version that kept no roll-backs goes on with the learning rate that it had", async () => {
    const [run, old] = [join(dir, "run"), join(dir, "old")];
    await trainHere({ ...ONE_STAGE, images: IMAGES, out: run }, { failAfter: [9] });
    await trainHere({ ...ONE_STAGE, images: IMAGES, out: old }, { failAfter: [9], stopAt: 16 });
    const { config, ...record } = recordOf(old);
    const { rollbacks, ...before } = config;
    expect(rollbacks).toHaveLength(1);
    writeRun(old, { ...record, config: before });
    await trainHere({ out: old });
    expect(stateOf(old).equals(stateOf(run))).toBe(true);
    expect(readMetrics(runPaths(old).metrics)).toEqual(readMetrics(runPaths(run).metrics));
  });
});
