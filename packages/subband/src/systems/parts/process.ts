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
import { flowSchedule } from "../../diffusion/schedules/flow.ts";
import { ornsteinUhlenbeckSchedule } from "../../diffusion/schedules/ornstein-uhlenbeck.ts";
import type { Schedule } from "../../diffusion/schedules/schedule.ts";
import { veGeometricSchedule } from "../../diffusion/schedules/ve-geometric.ts";
import { vpLinearSchedule } from "../../diffusion/schedules/vp-linear.ts";

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
 * The process called `name` for data of standard deviation `deviation`; `times` are those of `ou`.
 *
 * `edm` has the levels of noise of WMGM's low band, in units of the data's deviation. `vp`, `ve` and `flow` have their
 * published ones, for data of a deviation near 1. `ou` is WSGM's (Guth et al. 2022): final time 5, training at quadratic
 * times, ancestral steps with the variance of the forward process.
 */
export function processNamed(name: ProcessName, deviation: number, times: Times): Process {
  switch (name) {
    case "edm":
      return edmProcess(deviation);
    case "vp":
      return { formulation: vpEpsilonFormulation({ timeScale: 1 }), schedule: vpLinearSchedule() };
    case "ve":
      return { formulation: veScoreFormulation(), schedule: veGeometricSchedule() };
    case "flow":
      return { formulation: flowVelocityFormulation({ timeScale: 1 }), schedule: flowSchedule() };
    case "ou":
      return {
        formulation: ouEpsilonFormulation({ timeScale: 1 }),
        schedule: ornsteinUhlenbeckSchedule({ spacing: times }),
        sampling: { variance: "beta" },
      };
  }
}

/**
 * Of standardised data, levels are from 0.03, a few grey levels, to 20, where nothing of the image is left: of the ranges
 * tried after 15 minutes on CIFAR-10 that kept the variance of WMGM's low band best at 8 steps (docs/results).
 */
function edmProcess(deviation: number): Process {
  return {
    formulation: edmFormulation({ sigmaData: deviation, logMean: Math.log(deviation) - 0.6, logStd: 1.3 }),
    schedule: edmSchedule({ sigmaMin: 0.03 * deviation, sigmaMax: 20 * deviation, rho: 5 }),
  };
}
