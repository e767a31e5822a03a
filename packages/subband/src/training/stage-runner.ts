/**
 * @module One stage in training: its state, its compiled programs (made when first needed) and how far it is. Turns a
 * stage's pure description into steps; knows nothing of files or of other stages.
 */
import {
  type Backend,
  compile,
  invariant,
  type NamedArray,
  type Program,
  State,
  type StateTree,
} from "onnxgrad";
import { batchIndices, fillBatch } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Stage, StepContext } from "../systems/stage.ts";

/** How far a stage is; what a checkpoint keeps beside the state. */
export interface StageProgress {
  readonly step: number;
  readonly imagesSeen: number;
}

/** What one step gave. */
export interface StepOutcome {
  /** The program's scalars by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Milliseconds spent on reading the batch, on drawing noise, and on the whole step. */
  readonly dataMs: number;
  readonly noiseMs: number;
  readonly stepMs: number;
}

/** Settings that all stages of a run share. */
export interface RunnerOptions {
  readonly backend: Backend;
  readonly dataset: Dataset;
  readonly seed: number;
  /** Mirror images at random. */
  readonly flip: boolean;
}

/** Steps that are looked ahead for the programs in use. */
const AHEAD = 64;

/** The programs that make the steps from `context` on, taking turns; others have done their part, or are not due yet. */
export function programsInTurn(stage: Stage, context: StepContext): ReadonlySet<string> {
  return new Set(
    Array.from({ length: AHEAD }, (_, k) => stage.select({ ...context, step: context.step + k })),
  );
}

type AnyProgram = Program<StateTree, Readonly<Record<string, never>>, Readonly<Record<string, unknown>>>;

/** Runs the steps of one stage. */
export class StageRunner {
  readonly stage: Stage;
  readonly #options: RunnerOptions;
  readonly #state: State;
  readonly #programs = new Map<string, AnyProgram>();
  readonly #pixels: Float32Array;
  #step = 0;
  #imagesSeen = 0;

  constructor(stage: Stage, options: RunnerOptions) {
    this.stage = stage;
    this.#options = options;
    this.#state = new State(stage.initialState(options.seed));
    const { channels, height, width } = options.dataset;
    this.#pixels = new Float32Array(stage.batch * channels * height * width);
  }

  get progress(): StageProgress {
    return { step: this.#step, imagesSeen: this.#imagesSeen };
  }

  /** The state's arrays, named `<stage>.<name>`; views, valid until the next step. */
  tensors(): [string, NamedArray][] {
    return [...this.#state.tensors()].map(([name, array]) => [`${this.stage.name}.${name}`, array]);
  }

  /** Takes up a saved state. @throws UserError `state/mismatch`. */
  restore(tensors: ReadonlyMap<string, NamedArray>, { step, imagesSeen }: StageProgress): void {
    const prefix = `${this.stage.name}.`;
    this.#state.load(
      new Map(
        [...tensors].flatMap(([name, array]) =>
          name.startsWith(prefix) ? [[name.slice(prefix.length), array] as const] : [],
        ),
      ),
    );
    this.#step = step;
    this.#imagesSeen = imagesSeen;
  }

  /** Goes back to the initial state. */
  reset(): void {
    const initial = new State(this.stage.initialState(this.#options.seed)).tensors();
    this.#state.load(initial);
    this.#step = 0;
    this.#imagesSeen = 0;
  }

  /** Makes one step towards `totalImages`. */
  async step(totalImages: number, lrScale: number): Promise<StepOutcome> {
    const { dataset, seed, flip } = this.#options;
    const context: StepContext = {
      seed,
      step: this.#step,
      imagesSeen: this.#imagesSeen,
      progress: Math.min(this.#imagesSeen / totalImages, 1 - 1e-9),
      lrScale,
    };
    const name = this.stage.select(context);
    // Each has hundreds of megabytes to work in: those that are done with make room for a new one.
    if (!this.#programs.has(name)) await this.disposeAllBut([...programsInTurn(this.stage, context)]);
    const program = await this.program(name);
    const started = performance.now();
    fillBatch(
      dataset,
      batchIndices(seed, this.#imagesSeen, this.stage.batch, dataset.count, { flip }),
      this.#pixels,
    );
    const dataMs = performance.now() - started;
    const feeds = { pixels: this.#pixels, ...this.stage.feeds(context) };
    const noiseMs = performance.now() - started - dataMs;
    const outputs = await program.run(feeds as never);
    const metrics = Object.fromEntries(
      Object.entries(outputs as Readonly<Record<string, Float32Array>>).map(([name, value]) => [
        name,
        value[0]!,
      ]),
    );
    this.#step++;
    this.#imagesSeen += this.stage.batch;
    return { metrics, dataMs, noiseMs, stepMs: performance.now() - started };
  }

  /** The compiled program of this name. */
  async program(name: string): Promise<AnyProgram> {
    const known = this.#programs.get(name);
    if (known !== undefined) return known;
    const description = this.stage.programs[name];
    invariant(description, `stage ${this.stage.name} has no program ${name}`);
    const program = (await compile(
      this.#options.backend,
      { state: this.#state, inputs: description.inputs },
      description.build as never,
    )) as unknown as AnyProgram;
    this.#programs.set(name, program);
    return program;
  }

  /** Frees the programs that are not `keep`. */
  async disposeAllBut(keep: readonly string[]): Promise<void> {
    for (const [name, program] of this.#programs) {
      if (keep.includes(name)) continue;
      this.#programs.delete(name);
      await program.dispose();
    }
  }
}
