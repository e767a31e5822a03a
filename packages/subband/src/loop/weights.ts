/**
 * @module The two sets of weights that a checkpoint holds: the last, under each stage's own name, and those of the moment
 * at which its score was best, under `best.`. Whoever samples finds either under the stage's own name.
 */
import { type NamedArray, unknownName, UserError } from "onnxgrad";
import { type BestMoment, parseProgress, type StageProgress } from "./progress.ts";

/** Which of a run's weights to use. */
export type WeightsName = "last" | "best";

/** All of them, the default first. */
export const WEIGHTS: readonly WeightsName[] = ["last", "best"];

const PREFIX = "best";

/** Under which name a checkpoint holds the best weights of a stage. */
export function bestName(stage: string): string {
  return `${PREFIX}.${stage}`;
}

/** The weights called `name`. @throws UserError `unknown/weights` with a suggestion. */
export function weightsNamed(name: string): WeightsName {
  const found = WEIGHTS.find((each) => each === name);
  if (found === undefined) throw unknownName("weights", name, WEIGHTS);
  return found;
}

/**
 * The arrays of a checkpoint with those weights under the stages' own names. A stage that has not been scored yet gives
 * its last ones in either case.
 * @throws UserError `run/no-best` when the best are asked for and no stage of the run `dir` has any.
 */
export function chooseWeights(
  tensors: ReadonlyMap<string, NamedArray>,
  which: WeightsName,
  dir: string,
): ReadonlyMap<string, NamedArray> {
  if (which === "last") return tensors;
  const best = [...tensors].flatMap(([name, array]) =>
    name.startsWith(`${PREFIX}.`) ? [[name.slice(PREFIX.length + 1), array] as const] : [],
  );
  if (best.length === 0)
    throw new UserError(
      "run/no-best",
      `no best weights: run "${dir}" has not been scored yet. Use --weights last, or train on: subband train --out ${dir}`,
    );
  return new Map([...tensors, ...best]);
}

/** Where the best weights of each stage stood, from a checkpoint's metadata; none for metadata of another kind. */
export function bestMoments(
  metadata: Readonly<Record<string, string>>,
): Readonly<Record<string, BestMoment>> {
  let stages: Readonly<Record<string, StageProgress>>;
  try {
    ({ stages } = parseProgress(metadata["progress"]));
  } catch {
    return {};
  }
  return Object.fromEntries(
    Object.entries(stages).flatMap(([stage, { best }]) => (best ? [[stage, best] as const] : [])),
  );
}
