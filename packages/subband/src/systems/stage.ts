/**
 * @module What the training loop needs to know of a system: its stages, each with state, compiled programs, and the
 * numbers fed at every step. A stage never sees files, sessions or the clock, so the same stage trains anywhere.
 */
import type { Feed, InputSpec, NamedArray, StateTree } from "onnxgrad";

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

/** The images of a step. */
export interface Batch {
  /** [n, channels, height, width] in [-1, 1]. */
  readonly pixels: Float32Array;
  /** Class of each image `[n]`, where there are classes. */
  readonly labels?: Uint8Array;
}

/** What a stage begins from. */
export interface Beginning {
  readonly seed: number;
  /** Arrays as a checkpoint names them: those of the stages that this one comes after, and whatever the run was given. */
  readonly arrays: ReadonlyMap<string, NamedArray>;
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
  /** Everything fed besides `pixels` to batch `index`, the same at every moment. */
  feeds(seed: number, index: number, batch: Batch): Readonly<Record<string, Feed>>;
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
  /** Stages that this one needs: it begins when they are done, and closes them for good. */
  readonly after?: readonly string[];
  /** Names and shapes of the state (`layoutOf()`): what is resumed, and estimated, without drawing anything. */
  layout(): StateTree;
  /** Parameters, moments and averages at the start, of the shapes of `layout`. */
  begin(from: Beginning): StateTree;
  readonly programs: Readonly<Record<string, StageProgram>>;
  /** Which program makes the step. */
  select(context: StepContext): string;
  /** Everything fed besides `pixels`, to any of its programs: they are given what they declare (`declaredFeeds()`). */
  feeds(context: StepContext, batch: Batch): Readonly<Record<string, Feed>>;
  /** Absent: only the last weights are kept. */
  readonly score?: StageScore;
  /** Which part of the state holds the parameters of which network, e.g. `{ generator: "params", discriminator: "critic" }`. */
  readonly networks: Readonly<Record<string, string>>;
}
