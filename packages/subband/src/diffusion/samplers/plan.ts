/**
 * @module A sampler is a list of network calls, each followed by one linear update of the state. The list is plain
 * numbers: the host loop here and a sampler unrolled into a graph read the same one, so they cannot differ. Knows no
 * particular sampler.
 */
import { UserError } from "onnxgrad";
import type { Denoiser, State } from "../denoiser.ts";
import type { NoiseSource } from "../noise.ts";

/**
 * One network call and the update after it, where n is fresh standard normal noise (at most one draw a step):
 *
 * ```text
 * x <- x + noiseBefore n
 * D  = predict(x, call)
 * x <- a x + b D + c Dprevious + noiseAfter n
 * ```
 */
export interface PlanCall {
  /** The step, 0-based, that this call belongs to; Heun makes two calls a step. */
  readonly step: number;
  /** Noise level of the call. */
  readonly sigma: number;
  /** Noise level of the state after the update. */
  readonly sigmaNext: number;
  /** Factor of the state. */
  readonly a: number;
  /** Factor of this call's result. */
  readonly b: number;
  /** Factor of the call before's result; 0 in the first call. */
  readonly c: number;
  /** Standard deviation of the noise added before the call; 0 = none. */
  readonly noiseBefore: number;
  /** Standard deviation of the noise added by the update; 0 = none. */
  readonly noiseAfter: number;
}

/** The calls of a whole sampling run, in order. Its length is the number of function evaluations. */
export type SamplingPlan = readonly PlanCall[];

/**
 * Predicts the clean data in `x`, as a {@link Denoiser} does, and may go by all of the call: a map from one level to
 * another needs both ends.
 */
export type Predictor<T extends State = State> = (x: T, call: PlanCall) => T | Promise<T>;

/** A denoiser as what {@link runPlan} calls: of a call it needs the level alone. */
export function atLevel<T extends State>(denoise: Denoiser<T>): Predictor<T> {
  return (x, { sigma }) => denoise(x, sigma);
}

/** What `onStep` is told after each step. The arrays are the sampler's own: copy what is to be kept. */
export interface StepReport<T extends State> {
  /** 0-based. */
  readonly step: number;
  /** Noise level of `x` after this step. */
  readonly sigma: number;
  readonly x: T;
  /** The last prediction of the clean data. */
  readonly denoised: T;
}

/** What every sampler accepts beside its own settings. */
export interface SampleOptions<T extends State> {
  /** Standard normal noise of each step; needed by stochastic samplers only. */
  readonly noise?: NoiseSource<T>;
  /** Called after every step, and awaited; throw from it to stop. */
  readonly onStep?: (report: StepReport<T>) => void | Promise<void>;
}

/**
 * Carries out a plan on `x`, distributed like the data plus noise of the first level (see `startNoise`), and returns
 * the final state; `x` itself is left as it was.
 * @throws UserError `diffusion/noise` when the plan needs noise and none is given.
 */
export async function runPlan<T extends State>(
  plan: SamplingPlan,
  predict: Predictor<T>,
  x: T,
  options: SampleOptions<T> = {},
): Promise<T> {
  const { noise, onStep } = options;
  const state = x.slice() as T;
  // The predictor may reuse its buffer, so the previous result is kept here.
  const previous = x.slice().fill(0) as T;
  const fresh = plan.some((call) => call.noiseBefore > 0 || call.noiseAfter > 0)
    ? (x.slice() as T)
    : undefined;
  if (fresh !== undefined && noise === undefined) {
    throw new UserError(
      "diffusion/noise",
      "noise: missing; a stochastic sampler needs it. Pass { noise: stepNoise(...) }.",
    );
  }
  for (const [index, call] of plan.entries()) {
    const { step, sigmaNext, a, b, c, noiseBefore, noiseAfter } = call;
    if (fresh !== undefined && (noiseBefore > 0 || noiseAfter > 0)) noise!(step, fresh);
    if (fresh !== undefined && noiseBefore > 0) addScaled(state, noiseBefore, fresh);
    const denoised = await predict(state, call);
    for (let i = 0; i < state.length; i++) {
      const d = denoised[i]!;
      state[i] = a * state[i]! + b * d + c * previous[i]!;
      previous[i] = d;
    }
    if (fresh !== undefined && noiseAfter > 0) addScaled(state, noiseAfter, fresh);
    if (plan[index + 1]?.step !== step)
      await onStep?.({ step, sigma: sigmaNext, x: state, denoised: previous });
  }
  return state;
}

/** `x += factor * y`. */
function addScaled(x: State, factor: number, y: State): void {
  for (let i = 0; i < x.length; i++) x[i] = x[i]! + factor * y[i]!;
}

/** The factors of one call; those left out are 0. */
export type CallFactors = Pick<PlanCall, "a" | "b"> &
  Partial<Pick<PlanCall, "c" | "noiseBefore" | "noiseAfter">>;

/** A plan of one call a step, from the factors of going from `sigma` to `next`. */
export function oneCallPlan(
  sigmas: readonly number[],
  factors: (sigma: number, next: number, step: number) => CallFactors,
): SamplingPlan {
  return sigmaPairs(sigmas).map(([sigma, next], step) => ({
    step,
    sigma,
    sigmaNext: next,
    c: 0,
    noiseBefore: 0,
    noiseAfter: 0,
    ...factors(sigma, next, step),
  }));
}

/**
 * The (from, to) levels of each step.
 * @throws UserError `diffusion/sigmas` unless there are at least two levels, finite, strictly decreasing, the last >= 0.
 */
export function sigmaPairs(sigmas: readonly number[]): readonly (readonly [number, number])[] {
  const pairs = sigmas.slice(1).map((next, i) => [sigmas[i]!, next] as const);
  const wrong = pairs.findIndex(([sigma, next]) => !(Number.isFinite(sigma) && sigma > next && next >= 0));
  if (pairs.length > 0 && wrong < 0) return pairs;
  const where =
    pairs.length === 0
      ? `${sigmas.length} levels`
      : `level ${wrong} is ${sigmas[wrong]}, then ${sigmas[wrong + 1]}`;
  throw new UserError(
    "diffusion/sigmas",
    `sigmas: ${where}; expected at least two finite, strictly decreasing levels ending at 0 or above. Take them from a schedule.`,
  );
}
