/**
 * @module What the training loop needs to know of a system: its stages, each with state, compiled programs, and the
 * numbers fed at every step. A stage never sees files, sessions or the clock, so the same stage trains anywhere.
 */
import type { Feed, InputSpec, StateTree } from "onnxgrad";

/** One traced step: a function of the state and the inputs that gives the next state and named scalars to report. */
export interface StageProgram {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  build(args: never): Readonly<Record<string, unknown>>;
}

/** Of what a stage feeds, that which a program declares. */
export function declaredFeeds(
  { inputs }: Pick<StageProgram, "inputs">,
  feeds: Readonly<Record<string, Feed>>,
): Readonly<Record<string, Feed>> {
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => Object.hasOwn(inputs, name)));
}

/** Where a stage stands: everything that a step may depend on, so that a resumed run repeats it exactly. */
export interface StepContext {
  readonly seed: number;
  /** Steps of this stage made so far. */
  readonly step: number;
  /** Images of this stage seen so far. */
  readonly imagesSeen: number;
  /** Fraction of the stage that is done, in [0, 1). */
  readonly progress: number;
  /** Factor on every learning rate; below 1 after a roll-back. */
  readonly lrScale: number;
}

/** How good the weights are with which a stage would sample now: a number that needs no sampling, lower is better. */
export interface StageScore {
  /** Parts of the state that sampling takes; those of the best moment are kept, e.g. `["average"]`. */
  readonly weights: readonly string[];
  /** Images a batch, and batches that one score averages. */
  readonly batch: number;
  readonly batches: number;
  /** Takes `pixels` and gives the scalar `score` of one batch, and perhaps its parts; changes no state. */
  readonly program: StageProgram;
  /** Everything fed besides `pixels`, the same at every moment. */
  feeds(seed: number, batch: number): Readonly<Record<string, Feed>>;
}

/** Images that a score looks at: enough to tell moments apart under equal noise, few enough to cost nothing. */
export const SCORE_IMAGES = 64;

/** A part of a system that is trained on its own. */
export interface Stage {
  readonly name: string;
  /** Fraction of the whole training budget; the shares of all stages sum to 1. */
  readonly share: number;
  /** Images a step. */
  readonly batch: number;
  /** Parameters, moments and averages at the start, drawn from `seed`. */
  initialState(seed: number): StateTree;
  readonly programs: Readonly<Record<string, StageProgram>>;
  /** Which program makes the step. */
  select(context: StepContext): string;
  /** Everything fed besides `pixels`, to any of its programs: they are given what they declare (`declaredFeeds()`). */
  feeds(context: StepContext): Readonly<Record<string, Feed>>;
  /** Absent: only the last weights are kept. */
  readonly score?: StageScore;
}
