/**
 * @module A whole sampler as one model file: noise in, pixels out, with the parameters inside and every network call
 * unrolled. It is traced from the steps that the host loop runs, so the two cannot differ.
 */
import {
  add,
  atOnce,
  cast,
  clamp,
  constant,
  exportingModel,
  inliningState,
  mul,
  round,
  scope,
  type StateTree,
  type Tensor,
  type Traced,
  transpose,
  UserError,
} from "onnxgrad";
import { noisySteps, unrollPlan } from "../diffusion/samplers/unroll-plan.ts";
import { networkCalls } from "./network-calls.ts";
import type { Arrays, Diffuse, DrawStep, Extents, HostStep, Weights } from "../systems/draw.ts";

/** An input of the file: float32 [batch, ...shape] of independent N(0, 1) numbers. */
export interface NoiseInput {
  readonly name: string;
  /** Extents of one image's noise: [channels, height, width]. */
  readonly shape: Extents;
}

/** A sampler in one file. */
export interface ExportedSampler {
  /** The ONNX file. */
  readonly bytes: Uint8Array;
  /**
   * In the order of the chain. A diffusion has `noise`, its start, and `step_noise_<k>`, the noise of step k (0-based) of a
   * stochastic sampler, each with the name of its run behind where it has one; other steps have noise by name.
   */
  readonly inputs: readonly NoiseInput[];
  /** uint8 [batch, height, width, channels], channels red, green, blue. */
  readonly output: { readonly name: "image"; readonly shape: readonly number[] };
  /** Network calls an image of each step. */
  readonly calls: readonly number[];
}

type TracedStep = Exclude<DrawStep, HostStep>;

/**
 * Writes a chain, with what a checkpoint has learned, as an ONNX model of any batch; `metadata` is kept in the file beside
 * what tells of calls, inputs and output.
 * @throws UserError `export/host` for a chain with a step that stops by itself; `state/mismatch` for arrays of another
 * system.
 */
export function exportDraw(
  steps: readonly DrawStep[],
  arrays: Arrays,
  metadata: Readonly<Record<string, string>> = {},
): ExportedSampler {
  return atOnce(exportingDraw(steps, arrays, metadata));
}

/** {@link exportDraw} in pieces. */
export function* exportingDraw(
  steps: readonly DrawStep[],
  arrays: Arrays,
  metadata: Readonly<Record<string, string>> = {},
): Generator<void, ExportedSampler> {
  const chain = steps.map((step): TracedStep => {
    if (step.kind !== "host") return step;
    throw new UserError(
      "export/host",
      `step ${step.name} stops by itself, when it is done: no model file can hold it. Draw images with subband sample.`,
    );
  });
  const inputs = chain.flatMap(noiseInputs);
  const calls = chain.map((step) => (step.kind === "diffuse" ? step.plan.length : 1));
  const { nfeLow, nfeDetail } = networkCalls(calls);
  const constants = new Map<Weights, Traced<StateTree>>();
  const constantsOf = function* (weights: Weights): Generator<void, Traced<StateTree>> {
    const found = constants.get(weights) ?? (yield* inliningState(yield* weights.from(arrays)));
    constants.set(weights, found);
    return found;
  };
  const { bytes } = yield* exportingModel(
    {
      name: "subband-sampler",
      metadata: {
        ...metadata,
        nfe_low: String(nfeLow),
        nfe_detail: String(nfeDetail),
        inputs: "float32 [batch, channels, height, width], independent N(0, 1)",
        output: "uint8 [batch, height, width, channels], RGB or grey",
      },
      inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
    },
    function* (noise: Readonly<Record<string, Tensor>>) {
      let image: Tensor | undefined;
      for (const step of chain)
        image = yield* inScope(step.name, traced(step, yield* constantsOf(step.weights), image, noise));
      return { image: toBytes(image!) };
    },
  );
  const [channels, height, width] = chain.at(-1)!.gives as [number, number, number];
  return { bytes, inputs, output: { name: "image", shape: [height, width, channels] }, calls };
}

/** Names of the noise of a diffusion. */
function namesOf({ run }: Diffuse): { readonly start: string; step(k: number): string } {
  const suffix = run === undefined ? "" : `_${run}`;
  return { start: `noise${suffix}`, step: (k) => `step_noise_${k}${suffix}` };
}

function noiseInputs(step: TracedStep): NoiseInput[] {
  if (step.kind === "apply")
    return Object.entries(step.noise).map(([name, { extents }]) => ({ name, shape: extents }));
  const names = namesOf(step);
  return [names.start, ...noisySteps(step.plan).map(names.step)].map((name) => ({ name, shape: step.state }));
}

/** A work whose pieces have `name` in the module path; what comes between them has not. */
function* inScope<T>(name: string, work: Generator<void, T>): Generator<void, T> {
  for (;;) {
    const { done, value } = scope(name, () => work.next());
    if (done === true) return value;
    yield;
  }
}

/** One step as graph. */
function* traced(
  step: TracedStep,
  weights: Traced<StateTree>,
  given: Tensor | undefined,
  noise: Readonly<Record<string, Tensor>>,
): Generator<void, Tensor> {
  const at = { given };
  if (step.kind === "apply") return step.run(weights, at, noise);
  const names = namesOf(step);
  const end = yield* unrollPlan(
    step.plan,
    (x, call) => {
      const told = Object.entries(step.told(call)).map(([name, value]) => [name, constant(value)] as const);
      return step.predict(weights, x, Object.fromEntries(told), at);
    },
    mul(noise[names.start]!, step.start),
    (k) => noise[names.step(k)]!,
  );
  return step.finish(end, at);
}

/** Pixels [n,c,h,w] in [-1, 1], clipped, to bytes [n,h,w,c]. */
function toBytes(image: Tensor): Tensor {
  return transpose(cast(round(clamp(mul(add(image, 1), 127.5), 0, 255)), "uint8"), [0, 2, 3, 1]);
}
