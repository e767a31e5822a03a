/**
 * @module How a system draws images: a chain of steps, each of which turns the result before it into its own. The host
 * loop, the exporter and the counting of costs (`drawing/`) all read the same steps, so they cannot differ. A step knows
 * networks and plans, never sessions or files.
 */
import type { Backend, NamedArray, State, StateTree, Tensor, Traced } from "onnxgrad";
import type { ImageRange } from "../diffusion/noise.ts";
import type { PlanCall, SamplingPlan } from "../diffusion/samplers/plan.ts";

/** The arrays of a checkpoint by name. */
export type Arrays = ReadonlyMap<string, NamedArray>;

/** Extents of one sample, without the batch: [channels, height, width]. */
export type Extents = readonly number[];

/** How images are drawn: every number that decides, by the name of its option. */
export interface DrawChoice {
  readonly sampler: string;
  /** Null for a sampler that stops by itself. */
  readonly steps: number | null;
}

/** What may be asked of every way of drawing; the rest has defaults. */
export interface DrawAsked {
  readonly sampler?: string | undefined;
  readonly steps?: number | undefined;
}

/** The ability to draw images from noise. */
export interface Draw<Choice extends DrawChoice = DrawChoice, Asked extends DrawAsked = DrawAsked> {
  /**
   * Takes what was asked for by the preset's options of drawing, and fills in what was not asked for.
   * @throws UserError when a value does not fit, before anything is compiled.
   */
  choose(asked: Asked): Choice;
  /** The chain; the first step is given nothing, the last one gives images in about [-1, 1]. */
  steps(chosen: Choice): readonly DrawStep[];
  /** What was chosen, for people: rows of what, and how. */
  describe(chosen: Choice): readonly (readonly [what: string, how: string])[];
}

/** One step of a chain. */
export type DrawStep = Diffuse | Apply | HostStep;

/** What a step gives. */
interface Result {
  readonly name: string;
  readonly gives: Extents;
  /** Level of the pyramid of what it gives: 0 is the image, `pyramid.levels` the coarsest low band. */
  readonly level: number;
}

/** The learned arrays of a network. Steps that share the object share what is loaded, and what is exported. */
export interface Weights<W extends StateTree = StateTree> {
  /** Of the network, for people. */
  readonly name: string;
  /** Names and shapes; the values mean nothing. */
  template(): W;
  /**
   * A state of their values, an array a piece.
   * @throws UserError `state/mismatch` when the arrays do not belong to it.
   */
  from(arrays: Arrays): Generator<void, State<W>>;
}

/** What a step is given besides its own. */
export interface At {
  /** [n, ...extents], what the step before gave; of the first step undefined. */
  readonly given: Tensor | undefined;
}

/** Walks noise down a plan, one network call each. */
export interface Diffuse<W extends StateTree = StateTree, Told extends string = string> extends Result {
  readonly kind: "diffuse";
  readonly weights: Weights<W>;
  readonly plan: SamplingPlan;
  /** Extents of the state. */
  readonly state: Extents;
  /** Standard deviation of the noise that the state starts as. */
  readonly start: number;
  /** Names its noise where an image is made in several diffusions (see `ImageRange`); default none. */
  readonly run?: string;
  /** Numbers of one call, computed in float64; each becomes a scalar. */
  told(call: PlanCall): Readonly<Record<Told, number>>;
  /** The prediction of the clean state: [n, ...state]. */
  predict(weights: Traced<W>, x: Tensor, told: Readonly<Record<Told, Tensor>>, at: At): Tensor;
  /** The final state to what the step gives: [n, ...gives]. */
  finish(x: Tensor, at: At): Tensor;
}

/** Noise of a step: image i takes it from the stream (seed, stream, i). */
export interface StepNoise {
  readonly stream: string;
  readonly extents: Extents;
}

/** Calls a network once. */
export interface Apply<W extends StateTree = StateTree> extends Result {
  readonly kind: "apply";
  readonly weights: Weights<W>;
  /** N(0, 1) by name; an exported sampler has inputs of these names. */
  readonly noise: Readonly<Record<string, StepNoise>>;
  run(weights: Traced<W>, at: At, noise: Readonly<Record<string, Tensor>>): Tensor;
}

/** Runs a loop of its own, which stops by itself: it cannot be exported, and its calls are counted as they are made. */
export interface HostStep extends Result {
  readonly kind: "host";
  /** @throws UserError when the arrays do not belong to the step. */
  open(backend: Backend, arrays: Arrays, batch: number): Promise<OpenStep>;
}

/** A step that is ready to run, for batches of one size; whoever runs it has it alone. */
export interface OpenStep {
  /**
   * Images `first`, `first + 1`, ... of `images`; `given` is [batch, ...] of what the step before gave. `onShare` is told
   * how much of the step is done, 0..1. The result lasts until the next run.
   */
  run(
    given: Float32Array | undefined,
    images: ImageRange,
    onShare: (share: number) => void | Promise<void>,
  ): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** What a step gave, and what it took. */
export interface StepResult {
  /** [batch, ...gives]. */
  readonly data: Float32Array;
  /** Network calls of each image. */
  readonly calls: readonly number[];
  /** Whether every loop that stops by itself reached its end. */
  readonly converged: boolean;
}
