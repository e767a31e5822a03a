/**
 * @module Formulations: how a raw network `F(xIn, cNoise)` becomes `denoise(x, sigma)` and what it is trained on
 * (Karras et al. 2022, eq. 7 and table 1). The coefficients are plain scalar functions of sigma, so that the training
 * graph and the host use the same ones.
 */
import { type Rng, unknownName } from "onnxgrad";
import type { Denoiser, State } from "./denoiser.ts";
import { flowSchedule } from "./schedules/flow.ts";
import { ornsteinUhlenbeckSchedule } from "./schedules/ornstein-uhlenbeck.ts";
import type { Schedule } from "./schedules/schedule.ts";
import { vpLinearSchedule } from "./schedules/vp-linear.ts";
import { vpScale } from "./vp.ts";

/** The scalars of `D(x; sigma) = cSkip x + cOut F(cIn x, cNoise)` (Karras et al. 2022, eq. 7). */
export interface Coefficients {
  readonly cSkip: number;
  readonly cOut: number;
  readonly cIn: number;
  /** What the network is told of the noise level. */
  readonly cNoise: number;
}

/**
 * A formulation. Training draws sigma, forms `x = x0 + sigma n` and minimises
 * `lossWeight(sigma) |D(x; sigma) - x0|^2`, which equals `lossWeight cOut^2 |F - target|^2` with the target of
 * `networkTarget`; for all formulations here `lossWeight cOut^2 = 1`.
 */
export interface Formulation {
  readonly name: string;
  /** Coefficients at a noise level sigma > 0. */
  coefficients(sigma: number): Coefficients;
  /** Weight lambda of the squared error of the denoiser. */
  lossWeight(sigma: number): number;
  /** Draws one noise level for training. */
  trainingSigma(random: Rng): number;
}

/** Settings of {@link edmFormulation}. */
export interface EdmSettings {
  /** Standard deviation of the data; default 0.5. Standardised bands have 1. */
  readonly sigmaData?: number;
  /** Mean of ln sigma in training; default -1.2. */
  readonly logMean?: number;
  /** Standard deviation of ln sigma in training; default 1.2. */
  readonly logStd?: number;
}

/**
 * EDM: unit-variance network input and target at every level (Karras et al. 2022, eq. 7, table 1 and app. B.6);
 * ln sigma is normal in training.
 */
export function edmFormulation(settings: EdmSettings = {}): Formulation {
  const { sigmaData = 0.5, logMean = -1.2, logStd = 1.2 } = settings;
  return {
    name: "edm",
    coefficients(sigma) {
      const total = Math.hypot(sigma, sigmaData);
      return {
        cSkip: (sigmaData / total) ** 2,
        cOut: (sigma * sigmaData) / total,
        cIn: 1 / total,
        cNoise: Math.log(sigma) / 4,
      };
    },
    lossWeight: (sigma) => (sigma * sigma + sigmaData * sigmaData) / (sigma * sigmaData) ** 2,
    trainingSigma: (random) => Math.exp(logMean + logStd * random.normal()),
  };
}

/** Settings of {@link vpEpsilonFormulation}. */
export interface VpEpsilonSettings {
  /** Gives the time told to the network and the levels of training; default the linear VP schedule. */
  readonly schedule?: Schedule;
  /** The network is told `timeScale * t`, t in [0, 1]; default 999, the last of DDPM's 1000 timesteps. */
  readonly timeScale?: number;
  /** Least time drawn in training; default 1e-5 (Karras et al. 2022, table 1). */
  readonly timeMin?: number;
}

/**
 * Noise prediction on the variance-preserving state (Ho et al. 2020, eq. 14; Karras et al. 2022, table 1, column VP):
 * F predicts n from `sqrt(abar) x0 + sqrt(1 - abar) n`; time is uniform in training, up to the end of the schedule.
 */
export function vpEpsilonFormulation(settings: VpEpsilonSettings = {}): Formulation {
  const { schedule = vpLinearSchedule(), timeScale = 999, timeMin = 1e-5 } = settings;
  const timeMax = schedule.timeRange[1];
  return {
    name: "vp-epsilon",
    coefficients: (sigma) => ({
      cSkip: 1,
      cOut: -sigma,
      cIn: vpScale(sigma),
      cNoise: timeScale * schedule.time(sigma),
    }),
    lossWeight: (sigma) => 1 / (sigma * sigma),
    trainingSigma: (random) => schedule.sigma(timeMin + (timeMax - timeMin) * random.uniform()),
  };
}

/** Settings of {@link ouEpsilonFormulation}. */
export interface OuEpsilonSettings {
  /** Final time T of the process; default 5. */
  readonly timeMax?: number;
  /** The network is told `timeScale * t / T`; default 200 T: WSGM's code tells 200 t, whatever T. */
  readonly timeScale?: number;
}

/**
 * Noise prediction on the Ornstein-Uhlenbeck process as WSGM's code has it (Guth et al. 2022): training draws t = T u^2
 * with u uniform in (0, 1].
 */
export function ouEpsilonFormulation(settings: OuEpsilonSettings = {}): Formulation {
  const { timeMax = 5, timeScale = 200 * timeMax } = settings;
  const schedule = ornsteinUhlenbeckSchedule({ timeMax });
  const training = ornsteinUhlenbeckSchedule({ timeMax, spacing: "quadratic" });
  return {
    ...vpEpsilonFormulation({ schedule, timeScale }),
    name: "ou-epsilon",
    trainingSigma: (random) => training.sigma(1 - random.uniform()),
  };
}

/** Settings of {@link veScoreFormulation}. */
export interface VeScoreSettings {
  /** Least level of training; default 0.01. */
  readonly sigmaMin?: number;
  /** Greatest level of training; default 50. */
  readonly sigmaMax?: number;
}

/**
 * Score matching on the variance-exploding state (Song et al. 2021; Karras et al. 2022, table 1, column VE):
 * F predicts sigma times the score, that is -n, so `D = x + sigma F`; ln sigma is uniform in training.
 */
export function veScoreFormulation(settings: VeScoreSettings = {}): Formulation {
  const { sigmaMin = 0.01, sigmaMax = 50 } = settings;
  return {
    name: "ve-score",
    coefficients: (sigma) => ({ cSkip: 1, cOut: sigma, cIn: 1, cNoise: Math.log(sigma / 2) }),
    lossWeight: (sigma) => 1 / (sigma * sigma),
    trainingSigma: (random) => sigmaMin * (sigmaMax / sigmaMin) ** random.uniform(),
  };
}

/** Settings of {@link flowVelocityFormulation}. */
export interface FlowVelocitySettings {
  /** The network is told `timeScale * t`, t in [0, 1); default 1000. */
  readonly timeScale?: number;
  /** Least time drawn in training; default 1e-5. */
  readonly timeMin?: number;
  /** Greatest time drawn in training, below 1; default 0.999, where {@link flowSchedule} begins. */
  readonly timeMax?: number;
}

/**
 * Velocity prediction on the straight path `z = (1 - t) x0 + t n` (Lipman et al. 2023, eq. 23 with sigma_min 0; Liu et al.
 * 2023, eq. 1): F predicts `dz/dt = n - x0` from z, so `D = z - t F`; time is uniform in training. In the state
 * `x = z / (1 - t)` the level is `sigma = t / (1 - t)`.
 */
export function flowVelocityFormulation(settings: FlowVelocitySettings = {}): Formulation {
  const { timeScale = 1000, timeMin = 1e-5, timeMax = 0.999 } = settings;
  const { sigma, time } = flowSchedule();
  return {
    name: "flow-velocity",
    coefficients(level) {
      const t = time(level);
      return { cSkip: 1 - t, cOut: -t, cIn: 1 - t, cNoise: timeScale * t };
    },
    lossWeight: (level) => 1 / time(level) ** 2,
    trainingSigma: (random) => sigma(timeMin + (timeMax - timeMin) * random.uniform()),
  };
}

/** Name of a formulation. */
export type FormulationName = "edm" | "vp-epsilon" | "ou-epsilon" | "ve-score" | "flow-velocity";

/** Every formulation with its default settings. */
export const formulations: Readonly<Record<FormulationName, () => Formulation>> = {
  edm: edmFormulation,
  "vp-epsilon": vpEpsilonFormulation,
  "ou-epsilon": ouEpsilonFormulation,
  "ve-score": veScoreFormulation,
  "flow-velocity": flowVelocityFormulation,
};

/**
 * The formulation called `name`, with default settings.
 * @throws UserError `unknown/formulation` with a suggestion.
 */
export function formulationNamed(name: string): Formulation {
  if (!Object.hasOwn(formulations, name)) throw unknownName("formulation", name, Object.keys(formulations));
  return formulations[name as FormulationName]();
}

/** A raw network: scaled state and noise condition in, prediction of the same length out. */
export type RawNetwork<T extends State = State> = (xIn: T, cNoise: number) => T | Promise<T>;

/** Turns a raw network into a denoiser: `D(x; sigma) = cSkip x + cOut F(cIn x, cNoise)`. */
export function denoiserOf<T extends State>(formulation: Formulation, network: RawNetwork<T>): Denoiser<T> {
  return async (x, sigma) => {
    const { cSkip, cOut, cIn, cNoise } = formulation.coefficients(sigma);
    const scaled = x.slice() as T;
    for (let i = 0; i < scaled.length; i++) scaled[i] = cIn * x[i]!;
    const raw = await network(scaled, cNoise);
    for (let i = 0; i < scaled.length; i++) scaled[i] = cSkip * x[i]! + cOut * raw[i]!;
    return scaled;
  };
}

/** What F should predict: `(x0 - cSkip x) / cOut`, for clean `x0` and noisy `x` (Karras et al. 2022, eq. 8). */
export function networkTarget<T extends State>(coefficients: Coefficients, x0: T, x: T): T {
  const { cSkip, cOut } = coefficients;
  const target = x0.slice() as T;
  for (let i = 0; i < target.length; i++) target[i] = (x0[i]! - cSkip * x[i]!) / cOut;
  return target;
}
