/**
 * @module Draws images from a trained system, on the host: compiles each step of its chain once, for one size of batch,
 * and walks the chain batch by batch. Image i depends on (seed, i) alone: all its noise comes from streams of that name.
 * A drawing may begin at any step, from values of any origin, and end at any.
 */
import { type Backend, compile, inSlices, Lifetime, slices, type State } from "onnxgrad";
import { fillImages, type ImageRange, startNoise, stepNoise } from "../diffusion/noise.ts";
import { runPlan } from "../diffusion/samplers/plan.ts";
import type { Apply, Arrays, Diffuse, DrawStep, Extents, OpenStep, Weights } from "../systems/draw.ts";
import { applyProgramOf, diffuseProgramsOf, type StepProgram } from "./step-programs.ts";

/** What is to be drawn. */
export interface DrawingRequest {
  readonly seed: number;
  /** Index of the first image; default 0. */
  readonly first?: number;
  readonly count: number;
  /** The step to begin with, by its place in the chain, and what it is given, [count, ...]; default the first, nothing. */
  readonly from?: { readonly step: number; readonly given: Float32Array };
  /** The step to end after; default the last. */
  readonly to?: number;
  /**
   * Called with the number of images done, a fraction within a batch, and awaited; throw from it to stop. It must not
   * wait for another drawing of the same chain.
   */
  readonly onProgress?: (done: number) => void | Promise<void>;
}

/** Images and what they cost. */
export interface Drawn {
  /** [count, ...] of what the last step gives: images [count, channels, height, width] in about [-1, 1]. */
  readonly data: Float32Array;
  /** Network calls an image of each step that ran, on average where images stop one by one. */
  readonly calls: readonly number[];
  /** Whether every loop that stops by itself reached its end. */
  readonly converged: boolean;
}

/** A chain of draw steps compiled for one size of batch. */
export interface CompiledDraw {
  readonly batch: number;
  readonly steps: readonly DrawStep[];
  /**
   * Draws `count` images, a compiled batch at a time; the last batch is filled up with images that are thrown away. Of
   * several drawings each waits for those before, and results are the caller's own.
   * @throws UserError `run/disposed`.
   */
  run(request: DrawingRequest): Promise<Drawn>;
  /** Frees the networks once all drawings before have ended; a drawing after it throws UserError `run/disposed`. */
  dispose(): Promise<void>;
}

/**
 * Compiles a chain with the arrays of a checkpoint.
 * @throws UserError `state/mismatch` when the arrays do not belong to the system.
 *
 * @example
 * const chain = system.draw.steps(system.draw.choose({ steps: 6 }));
 * const drawing = await compileDraw(node(), chain, tensors, 16);
 * const { data } = await drawing.run({ seed: 0, count: 100 });
 */
export async function compileDraw(
  backend: Backend,
  steps: readonly DrawStep[],
  arrays: Arrays,
  batch: number,
): Promise<CompiledDraw> {
  const pause = slices();
  const states = new Map<Weights, State>();
  for (const step of steps) {
    if (step.kind === "host" || states.has(step.weights)) continue;
    states.set(step.weights, await inSlices(step.weights.from(arrays), pause));
  }
  const opened = await Promise.all(
    steps.map((step, i) => {
      const given = steps[i - 1]?.gives;
      if (step.kind === "host") return step.open(backend, arrays, batch);
      const compiler = { backend, state: states.get(step.weights)!, given, batch };
      return step.kind === "apply" ? openApply(step, compiler) : openDiffuse(step, compiler);
    }),
  );
  const lifetime = new Lifetime({
    what: "sampler",
    again: "Compile it again",
    async free() {
      await Promise.all(opened.map((step) => step.dispose()));
    },
  });
  return {
    batch,
    steps,
    run: (request) => lifetime.run(() => drawBatches(steps, opened, batch, request)),
    dispose: () => lifetime.dispose(),
  };
}

async function drawBatches(
  steps: readonly DrawStep[],
  opened: readonly OpenStep[],
  batch: number,
  { seed, first = 0, count, from, to = steps.length - 1, onProgress }: DrawingRequest,
): Promise<Drawn> {
  const begin = from?.step ?? 0;
  const size = sizeOf(steps[to]!.gives);
  const data = new Float32Array(count * size);
  const calls = new Array<number>(to + 1 - begin).fill(0);
  let converged = true;
  for (let start = 0; start < count; start += batch) {
    const images: ImageRange = { seed, first: first + start, count: batch };
    const wanted = Math.min(batch, count - start);
    let given = from && filledUp(from.given, sizeOf(steps[begin - 1]!.gives), start, batch);
    for (let i = begin; i <= to; i++) {
      const found = await opened[i]!.run(given, images, (share) =>
        onProgress?.(start + (wanted * (i - begin + share)) / calls.length),
      );
      given = found.data;
      for (let image = 0; image < wanted; image++) calls[i - begin]! += found.calls[image]!;
      converged &&= found.converged;
    }
    data.set(given!.subarray(0, wanted * size), start * size);
    await onProgress?.(start + wanted);
  }
  return { data, calls: calls.map((total) => total / count), converged };
}

/** A batch of samples from the `start`-th on; those that lack are 0. */
function filledUp(samples: Float32Array, size: number, start: number, batch: number): Float32Array {
  const given = new Float32Array(batch * size);
  given.set(samples.subarray(start * size, (start + batch) * size));
  return given;
}

const sizeOf = (extents: Extents): number => extents.reduce((a, b) => a * b, 1);

/** What the programs of a step are compiled with. */
interface Compiler {
  readonly backend: Backend;
  readonly state: State;
  /** Extents of what the step is given. */
  readonly given: Extents | undefined;
  readonly batch: number;
}

/** A compiled function of named arrays; what it returns lasts until its next run. */
interface Compiled {
  run(feeds: Readonly<Record<string, Float32Array | number>>): Promise<Float32Array>;
  dispose(): Promise<void>;
}

async function compiled({ backend, state }: Compiler, { inputs, build }: StepProgram): Promise<Compiled> {
  const program = await compile(backend, { state, inputs }, build);
  return {
    run: async (feeds) => (await program.run(feeds, { reuse: true })).result,
    dispose: () => program.dispose(),
  };
}

async function openDiffuse(step: Diffuse, compiler: Compiler): Promise<OpenStep> {
  const { plan, run, start } = step;
  const { batch, given: before } = compiler;
  const programs = diffuseProgramsOf(step, before, batch);
  const [predict, finish] = await Promise.all([
    compiled(compiler, programs.predict),
    compiled(compiler, programs.finish),
  ]);
  const noise = new Float32Array(batch * sizeOf(step.state));
  const calls = new Array<number>(batch).fill(plan.length);
  return {
    async run(given, { seed, first, count }, onShare) {
      const images: ImageRange = {
        seed,
        count,
        ...(first !== undefined && { first }),
        ...(run !== undefined && { run }),
      };
      const fed = given && { given };
      const end = await runPlan<Float32Array>(
        plan,
        (state, call) => predict.run({ ...fed, x: state, ...step.told(call) }),
        startNoise(images, start, noise),
        {
          noise: stepNoise(images),
          onStep: ({ step: done }) => onShare((done + 1) / (plan.at(-1)!.step + 1)),
        },
      );
      return { data: await finish.run({ ...fed, x: end }), calls, converged: true };
    },
    async dispose() {
      await Promise.all([predict.dispose(), finish.dispose()]);
    },
  };
}

async function openApply(step: Apply, compiler: Compiler): Promise<OpenStep> {
  const { batch, given: before } = compiler;
  const noises = Object.entries(step.noise);
  const program = await compiled(compiler, applyProgramOf(step, before, batch));
  const fed = Object.fromEntries(
    noises.map(([name, { extents }]) => [name, new Float32Array(batch * sizeOf(extents))]),
  );
  const calls = new Array<number>(batch).fill(1);
  return {
    async run(given, images) {
      for (const [name, { stream }] of noises) fillImages(images, stream, fed[name]!);
      return { data: await program.run({ ...fed, ...(given && { given }) }), calls, converged: true };
    },
    dispose: () => program.dispose(),
  };
}
