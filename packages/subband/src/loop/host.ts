/**
 * @module All that the training loop knows of the world: a clock, a place where the training is kept between processes, and
 * someone who listens. Node's is a folder (`training/folder-host.ts`); a page may keep everything in memory.
 */
import type { NamedArray } from "onnxgrad";
import type { Pace } from "./pace.ts";
import type { StageProgress } from "./progress.ts";
import type { Rollback } from "./rollbacks.ts";
import type { Judgement } from "./stage-runner.ts";
import type { SecondsUsed } from "./time-budget.ts";

/** A training as it is kept: whoever loads it goes on bit for bit as if it had never stopped. */
export interface Saved {
  /** States and best weights, `<stage>.<name>` and `best.<stage>.<name>`. */
  readonly arrays: ReadonlyMap<string, NamedArray>;
  /** How far the stages are, as text that the loop alone reads. */
  readonly progress: string;
}

/** What surrounds a training. */
export interface LoopHost {
  /** What errors call the place where the training is kept, e.g. its folder. */
  readonly place: string;
  /** A clock in milliseconds. */
  now(): number;
  /** What was saved last; undefined for a new training. */
  load(): Promise<Saved | undefined>;
  /** Keeps a training. The arrays are views, valid until it answers. */
  save(saved: Saved): Promise<void>;
  /** Hears what happens, in its order; the loop waits for the answer. */
  tell?(event: TrainEvent): void | Promise<void>;
  /** Is shown the arrays on the way, when a fraction of {@link LoopHost.previews} is reached. */
  preview?(arrays: ReadonlyMap<string, NamedArray>, done: number): Promise<void>;
  /** Fractions of the training, ascending. */
  readonly previews?: readonly number[];
  /** Aborting finishes the step, saves and returns. */
  readonly signal?: AbortSignal | undefined;
}

/** What happens during training, in the order in which it happens. */
export type TrainEvent =
  | { readonly kind: "resumed"; readonly progress: Readonly<Record<string, number>> }
  | ({ readonly kind: "step"; readonly stage: string } & StageProgress & StepReport)
  | ({
      readonly kind: "score";
      readonly stage: string;
      readonly step: number;
      readonly imagesSeen: number;
    } & Judgement)
  /** What the paces of all stages are from now on; to be kept before anything is done that depends on them. */
  | { readonly kind: "paced"; readonly paces: Readonly<Record<string, Pace>> }
  /** `used`: seconds of work so far, where there is a budget of time. */
  | { readonly kind: "saved"; readonly imagesSeen: number; readonly used: SecondsUsed | undefined }
  | {
      readonly kind: "rollback";
      readonly stage: string;
      readonly step: number;
      /** Factor on the learning rates from now on. */
      readonly lrScale: number;
      /** Further roll-backs before giving up. */
      readonly left: number;
      /** Images seen by each stage, after going back. */
      readonly progress: Readonly<Record<string, number>>;
      /** All roll-backs of the training, to be kept before anything is done that depends on them. */
      readonly rollbacks: readonly Rollback[];
      /** Whether it is one of the training that is followed: this one did not go back, its learning rates sink alike. */
      readonly followed: boolean;
    };

/** The numbers of one step. */
export interface StepReport {
  readonly metrics: Readonly<Record<string, number>>;
  /** Milliseconds spent on reading the batch, on drawing noise, and on the whole step. */
  readonly dataMs: number;
  readonly noiseMs: number;
  readonly stepMs: number;
  /** Progress of all stages, weighted by their shares. */
  readonly done: number;
}
