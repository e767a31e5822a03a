import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NamedArray, UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from "../training/checkpoint.ts";
import { failingFileSystem } from "../training/failing-file-system.testing.ts";
import { bestMoments, chooseWeights, weightsNamed } from "./weights.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-weights-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const array = (...values: number[]): NamedArray => ({
  shape: [values.length],
  data: Float32Array.from(values),
});
const valuesOf = (tensors: ReadonlyMap<string, NamedArray>): Record<string, number[]> =>
  Object.fromEntries([...tensors].map(([name, { data }]) => [name, [...data]]));

/** A checkpoint whose last weights are `last` and whose best ones, of the same moment in metadata, are `best`. */
function moment(last: number, best: number): Checkpoint {
  const progress = {
    stages: { low: { step: last, imagesSeen: last, best: { imagesSeen: best, score: 1 / best } } },
    lrScale: 1,
    rollbacks: 0,
  };
  return {
    tensors: new Map([
      ["low.average.w", array(last)],
      ["low.adam.m", array(-last)],
      ["best.low.average.w", array(best)],
    ]),
    metadata: { progress: JSON.stringify(progress) },
  };
}

describe("chooseWeights()", () => {
  const tensors = new Map([
    ["low.average.w", array(1)],
    ["low.adam.m", array(2)],
    ["detail.average.w", array(3)],
    ["best.low.average.w", array(4)],
  ]);

  test("last is the checkpoint as it is", () => {
    expect(chooseWeights(tensors, "last", dir)).toBe(tensors);
  });

  test("best puts the best weights in the place of the last; a stage without any keeps its last", () => {
    expect(valuesOf(chooseWeights(tensors, "best", dir))).toMatchObject({
      "low.average.w": [4],
      "low.adam.m": [2],
      "detail.average.w": [3],
    });
    expect(valuesOf(tensors)["low.average.w"], "the checkpoint is left alone").toEqual([1]);
  });

  test("best of a run that was never scored is a user error of one line", () => {
    const unscored = new Map([["low.average.w", array(1)]]);
    expect(() => chooseWeights(unscored, "best", "runs/mine")).toThrow(
      new UserError(
        "run/no-best",
        'no best weights: run "runs/mine" has not been scored yet. Use --weights last, or train on: subband train --out runs/mine',
      ),
    );
  });
});

describe("weightsNamed()", () => {
  test("knows two names and suggests the nearest", () => {
    expect([weightsNamed("last"), weightsNamed("best")]).toEqual(["last", "best"]);
    expect(() => weightsNamed("bets")).toThrow(
      'unknown weights: "bets". Did you mean "best"? Known: last, best.',
    );
    expect(() => weightsNamed("toString")).toThrow("unknown weights");
  });
});

describe("bestMoments()", () => {
  test("reads the trainer's metadata, and of any other finds none", () => {
    expect(bestMoments(moment(30, 20).metadata)).toEqual({ low: { imagesSeen: 20, score: 1 / 20 } });
    for (const progress of ["", "{}", "[]", "null", '{"stages":{"low":{"step":1,"imagesSeen":1}}}'])
      expect(bestMoments({ progress }), progress).toEqual({});
    expect(bestMoments({})).toEqual({});
  });
});

describe("a crash while saving", () => {
  test("between any two steps leaves last and best weights of one moment, both whole", async () => {
    const outcomes = new Set<number>();
    let completed = false;
    for (let failAt = 0; !completed; failAt++) {
      rmSync(dir, { recursive: true, force: true });
      dir = mkdtempSync(join(tmpdir(), "subband-weights-"));
      saveCheckpoint(dir, moment(10, 5));
      saveCheckpoint(dir, moment(20, 20));
      const files = failingFileSystem(failAt, "crash");
      try {
        saveCheckpoint(dir, moment(30, 30), files);
        completed = true;
      } catch (error) {
        expect(String(error)).toContain("crash at call");
      }
      const what = `crash at call ${failAt} of [${files.calls.join(", ")}]`;
      const { tensors, metadata, warning } = (await loadCheckpoint(dir))!;
      const last = tensors.get("low.average.w")!.data[0]!;
      expect([20, 30], what).toContain(last);
      expect(bestMoments(metadata)["low"], what).toEqual({ imagesSeen: last, score: 1 / last });
      expect(valuesOf(chooseWeights(tensors, "best", dir))["low.average.w"], what).toEqual([last]);
      expect(warning, what).toSatisfy((text) => text === undefined || last === 20);
      outcomes.add(last);
    }
    expect([...outcomes].sort(), "both outcomes were seen").toEqual([20, 30]);
  });
});
