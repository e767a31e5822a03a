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
  scope,
  State,
  type StateTree,
} from "onnxgrad";
import { endsAt, evenPace, type Pace, plannedImages, progressAt, progressBefore } from "./pace.ts";
import type { BestMoment, StageProgress } from "./progress.ts";
import { bestName } from "./weights.ts";
import { batchIndices, type BatchIndices, fillBatch } from "../images/batches.ts";
import type { ImageSource } from "../images/image-source.ts";
import {
  type Batch,
  declaredFeeds,
  type Stage,
  type StageProgram,
  type StepContext,
} from "../systems/stage.ts";

/** What looking at the weights of a moment gave. */
export interface Judgement {
  /** The program's scalars by name, `score` among them. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether these are the best weights so far, and were kept. */
  readonly best: boolean;
  /** Milliseconds that it took, compiling left out, and those of compiling. */
  readonly scoreMs: number;
  readonly compileMs: number;
}

/** What one step gave. */
export interface StepOutcome {
  /** The program's scalars by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Milliseconds spent on reading the batch, on drawing noise, and on the whole step. */
  readonly dataMs: number;
  readonly noiseMs: number;
  readonly stepMs: number;
  /** Milliseconds of compiling before it; 0 for most steps. */
  readonly compileMs: number;
}

/** Settings that all stages of a run share. */
export interface RunnerOptions {
  readonly backend: Backend;
  readonly dataset: ImageSource;
  /** Images that scores are measured on; without them no stage is scored. */
  readonly heldOut?: ImageSource;
  readonly seed: number;
  /** Mirror images at random. */
  readonly flip: boolean;
}

/**
 * A score costs at most about as much as a forward pass of its images; a step costs three and more. With one score every
 * so many times its images, scores take up to 1 % of the time.
 */
const IMAGES_BETWEEN_SCORES = 33;
/** Scores of a stage with a large budget. */
const MOST_SCORES = 16;

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
  readonly #now: () => number;
  #state: State | undefined;
  readonly #programs = new Map<string, AnyProgram>();
  readonly #pixels: Float32Array;
  #judge: AnyProgram | undefined;
  #best: (BestMoment & { readonly tensors: ReadonlyMap<string, NamedArray> }) | undefined;
  #step = 0;
  #imagesSeen = 0;

  /** `now`: a clock in milliseconds. */
  constructor(stage: Stage, options: RunnerOptions, now: () => number = () => performance.now()) {
    this.stage = stage;
    this.#options = options;
    this.#now = now;
    const { channels, height, width } = options.dataset;
    this.#pixels = new Float32Array(stage.batch * channels * height * width);
  }

  /** Whether it has a state: from {@link StageRunner.begin} or {@link StageRunner.restoring} on. */
  get hasBegun(): boolean {
    return this.#state !== undefined;
  }

  get #trained(): State {
    invariant(this.#state, `stage ${this.stage.name} has not begun`);
    return this.#state;
  }

  get progress(): StageProgress {
    const progress = { step: this.#step, imagesSeen: this.#imagesSeen };
    if (this.#best === undefined) return progress;
    const { imagesSeen, score } = this.#best;
    return { ...progress, best: { imagesSeen, score } };
  }

  /**
   * The state's arrays, named `<stage>.<name>`, and those of the best moment, named `best.<stage>.<name>`; views, valid
   * until the next step. None before it has begun.
   */
  async arrays(): Promise<[string, NamedArray][]> {
    if (this.#state === undefined) return [];
    await this.#state.pull();
    const named = (prefix: string, arrays: Iterable<[string, NamedArray]>) =>
      [...arrays].map(([name, array]): [string, NamedArray] => [`${prefix}.${name}`, array]);
    const { name } = this.stage;
    return [...named(name, this.#state.tensors()), ...named(bestName(name), this.#best?.tensors ?? [])];
  }

  /** Begins. Of `arrays`, those that are of this stage take the place of what it draws. */
  begin(arrays: ReadonlyMap<string, NamedArray>): void {
    const { name } = this.stage;
    this.#state = new State(this.stage.begin({ seed: this.#options.seed, arrays }));
    const own = this.#state.tensors();
    for (const [key, { data }] of under(name, arrays)) own.get(key)?.data.set(data);
  }

  /** Takes up a saved state, an array a piece. @throws UserError `state/mismatch`. */
  *restoring(
    arrays: ReadonlyMap<string, NamedArray>,
    { step, imagesSeen, best }: StageProgress,
  ): Generator<void, void> {
    const { name } = this.stage;
    this.#state ??= new State(this.stage.layout());
    yield* this.#state.loading(under(name, arrays));
    this.#best = best && { ...best, tensors: under(bestName(name), arrays) };
    this.#step = step;
    this.#imagesSeen = imagesSeen;
  }

  /** Forgets everything: it has not begun. */
  async reset(): Promise<void> {
    await this.close();
    this.#state = undefined;
    this.#step = 0;
    this.#imagesSeen = 0;
  }

  /** Ends the training of the stage for good: its last weights are those that later stages have begun from. */
  async close(): Promise<void> {
    await this.dispose();
    this.#best = undefined;
  }

  /** Makes one step, as far along `pace` as the images seen tell; a number is that of all images. */
  async step(pace: Pace | number, lrScale: number): Promise<StepOutcome> {
    const { dataset, seed, flip } = this.#options;
    const now = this.#now;
    const context: StepContext = {
      seed,
      step: this.#step,
      imagesSeen: this.#imagesSeen,
      progress: Math.min(
        progressAt(typeof pace === "number" ? evenPace(pace) : pace, this.#imagesSeen),
        1 - 1e-9,
      ),
      lrScale,
    };
    const name = this.stage.select(context);
    const asked = now();
    const compiles = !this.#programs.has(name);
    // Each has hundreds of megabytes to work in: those that are done with make room for a new one.
    if (compiles) await this.disposeAllBut([...programsInTurn(this.stage, context)]);
    const program = await this.program(name);
    const started = now();
    const batch = batchOf(
      dataset,
      batchIndices(seed, this.#imagesSeen, this.stage.batch, dataset.count, { flip }),
      this.#pixels,
    );
    const dataMs = now() - started;
    const feeds = declaredFeeds(this.stage.programs[name]!, {
      pixels: batch.pixels,
      ...this.stage.feeds(context, batch),
    });
    const noiseMs = now() - started - dataMs;
    const outputs = await program.run(feeds as never, { reuse: true });
    const metrics = Object.fromEntries(
      Object.entries(outputs as Readonly<Record<string, Float32Array>>).map(([name, value]) => [
        name,
        value[0]!,
      ]),
    );
    this.#step++;
    this.#imagesSeen += this.stage.batch;
    return { metrics, dataMs, noiseMs, stepMs: now() - started, compileMs: compiles ? started - asked : 0 };
  }

  /**
   * Whether the last step along `pace` reached a moment to score: a pure function of the pace and the images seen, as
   * resuming needs. The end of the stage always is one.
   */
  scoreIsDue(pace: Pace): boolean {
    const { score, batch } = this.stage;
    if (score === undefined || this.#options.heldOut === undefined) return false;
    const images = this.#imagesSeen;
    if (endsAt(pace, images)) return true;
    const total = plannedImages(pace.filter(([from]) => from < images));
    if (total === undefined) return false;
    const interval = IMAGES_BETWEEN_SCORES * score.batch * score.batches;
    const passed = (now: number, before: number) => Math.floor(now) > Math.floor(before);
    return total < MOST_SCORES * interval
      ? passed(images / interval, (images - batch) / interval)
      : passed(MOST_SCORES * progressBefore(pace, images), MOST_SCORES * progressAt(pace, images - batch));
  }

  /** Scores the present weights on the held-out images, and keeps them when none were better. */
  async judge(): Promise<Judgement> {
    const { stage } = this;
    const { heldOut, seed } = this.#options;
    invariant(stage.score && heldOut, `stage ${stage.name} has nothing to be judged by`);
    const { weights, batch, batches, program, feeds } = stage.score;
    const asked = this.#now();
    const compiles = this.#judge === undefined;
    this.#judge ??= await this.#compile(program);
    const started = this.#now();
    const pixels = new Float32Array(batch * heldOut.channels * heldOut.height * heldOut.width);
    const metrics: Record<string, number> = {};
    for (let index = 0; index < batches; index++) {
      const indices = Uint32Array.from({ length: batch }, (_, i) => (index * batch + i) % heldOut.count);
      const images = batchOf(heldOut, { indices, flips: new Uint8Array(batch) }, pixels);
      const outputs = await this.#judge.run({ pixels, ...feeds(seed, index, images) } as never, {
        reuse: true,
      });
      for (const [name, value] of Object.entries(outputs as Readonly<Record<string, Float32Array>>))
        metrics[name] = (metrics[name] ?? 0) + value[0]! / batches;
    }
    const score = metrics["score"]!;
    const best = Number.isFinite(score) && !(score >= (this.#best?.score ?? Infinity));
    if (best) {
      await this.#trained.pull();
      const kept = [...this.#trained.tensors()].filter(([name]) =>
        weights.some((part) => `${name}.`.startsWith(`${part}.`)),
      );
      const tensors = new Map(kept.map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
      this.#best = { imagesSeen: this.#imagesSeen, score, tensors };
    }
    return { metrics, best, scoreMs: this.#now() - started, compileMs: compiles ? started - asked : 0 };
  }

  /** Whether a score, which is sure to come, has to be compiled first. */
  get awaitsJudge(): boolean {
    return this.stage.score !== undefined && this.#options.heldOut !== undefined && this.#judge === undefined;
  }

  /** The compiled program of this name. */
  async program(name: string): Promise<AnyProgram> {
    const known = this.#programs.get(name);
    if (known !== undefined) return known;
    const description = this.stage.programs[name];
    invariant(description, `stage ${this.stage.name} has no program ${name}`);
    const program = await this.#compile(description);
    this.#programs.set(name, program);
    return program;
  }

  async #compile({ inputs, build }: StageProgram): Promise<AnyProgram> {
    const named = (args: never) => scope(this.stage.name, () => build(args));
    const program = await compile(this.#options.backend, { state: this.#trained, inputs }, named as never);
    return program as unknown as AnyProgram;
  }

  /** Frees everything that was compiled. */
  async dispose(): Promise<void> {
    await this.disposeAllBut([]);
    await this.#judge?.dispose();
    this.#judge = undefined;
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

/** The arrays named `<prefix>.<name>`, by that name. */
function under(prefix: string, arrays: ReadonlyMap<string, NamedArray>): Map<string, NamedArray> {
  return new Map(
    [...arrays].flatMap(([name, array]) =>
      name.startsWith(`${prefix}.`) ? [[name.slice(prefix.length + 1), array] as const] : [],
    ),
  );
}

/** Reads the images of a batch into `pixels`, and their classes where there are any. */
function batchOf(source: ImageSource, batch: BatchIndices, pixels: Float32Array): Batch {
  const { labels } = source;
  fillBatch(source, batch, pixels);
  if (labels === undefined) return { pixels };
  return { pixels, labels: Uint8Array.from(batch.indices, (index) => labels[index]!) };
}
