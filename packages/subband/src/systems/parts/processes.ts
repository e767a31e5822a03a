/**
 * @module Diffusion processes by name: what a network predicts, the levels of noise that it learns, and those that sampling
 * walks down. All are told to the network as scalars that move by about 1.
 */
import {
  edmFormulation,
  flowVelocityFormulation,
  type Formulation,
  ouEpsilonFormulation,
  veScoreFormulation,
  vpEpsilonFormulation,
} from "../../diffusion/preconditioning.ts";
import type { SamplerSettings } from "../../diffusion/samplers/samplers.ts";
import { edmSchedule } from "../../diffusion/schedules/edm.ts";
import { ornsteinUhlenbeckSchedule } from "../../diffusion/schedules/ornstein-uhlenbeck.ts";
import type { Schedule } from "../../diffusion/schedules/schedule.ts";

/** A process. */
export interface Process {
  readonly formulation: Formulation;
  readonly schedule: Schedule;
  /** Settings of samplers that it is published with. */
  readonly sampling?: SamplerSettings;
}

/** Names of the processes. */
export const PROCESSES = ["edm", "vp", "ve", "flow", "ou"] as const;
/** Name of a process. */
export type ProcessName = (typeof PROCESSES)[number];

/** Times that N steps of the Ornstein-Uhlenbeck process fall on. */
export type Times = "uniform" | "quadratic";

/**
 * The process called `name` for data of standard deviation `deviation` that is sampled as {@link levelsFor} says, with
 * `side` that of data with a mean (details have none); `times` are those of `ou`.
 *
 * What is learned and where samples are drawn are chosen apart (Karras et al. 2022, section 3): `edm`, `vp`, `ve` and `flow`
 * are trained at their published levels of noise, `edm` in units of the deviation, the others for data of a deviation near
 * 1; all are sampled down the same levels. `ou` is WSGM's (Guth et al. 2022): final time 5, training at quadratic times,
 * ancestral steps with the variance of the forward process.
 */
export function processNamed(
  name: ProcessName,
  deviation: number,
  times: Times,
  side: number = LEAST_SIDE,
): Process {
  if (name === "ou")
    return {
      formulation: ouEpsilonFormulation({ timeScale: 1 }),
      schedule: ornsteinUhlenbeckSchedule({ spacing: times }),
      sampling: { variance: "beta" },
    };
  return { formulation: formulationOf(name, deviation), schedule: levelsFor(deviation, side) };
}

function formulationOf(name: Exclude<ProcessName, "ou">, deviation: number): Formulation {
  switch (name) {
    case "edm":
      return edmFormulation({ sigmaData: deviation, logMean: Math.log(deviation) - 0.6, logStd: 1.3 });
    case "vp":
      return vpEpsilonFormulation({ timeScale: 1 });
    case "ve":
      return veScoreFormulation();
    case "flow":
      return flowVelocityFormulation({ timeScale: 1 });
  }
}

/** Side of the bands whose levels were measured. */
export const LEAST_SIDE = 8;

/** Side of the square that is as large as a band of these extents, [..., height, width]. */
export function sideOf(extents: readonly number[]): number {
  return Math.sqrt(extents.at(-2)! * extents.at(-1)!);
}

/**
 * Noise levels that sampling walks down. Of standardised data of 8 x 8, levels are from 0.03, a few grey levels, to 20,
 * where nothing of the image is left: of the ranges tried after 15 minutes on CIFAR-10 that kept the variance of WMGM's low
 * band best at 8 steps (docs/results). The coefficient of the mean, which is to drown in noise, too, is a sum over the band
 * divided by its side: it grows with the side, and so does the highest level.
 */
export function levelsFor(deviation: number, side: number = LEAST_SIDE): Schedule {
  const sigmaMax = 20 * deviation * Math.max(1, side / LEAST_SIDE);
  return edmSchedule({ sigmaMin: 0.03 * deviation, sigmaMax, rho: 5 });
}
