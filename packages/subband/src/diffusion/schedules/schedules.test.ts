import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { abarFromSigma, sigmaFromAbar, vpNoise, vpScale } from "../vp.ts";
import { ddpmSchedule } from "./ddpm-discrete.ts";
import { edmSchedule } from "./edm.ts";
import { flowSchedule } from "./flow.ts";
import { ornsteinUhlenbeckSchedule } from "./ornstein-uhlenbeck.ts";
import { scheduleNamed, schedules } from "./schedules.ts";
import { veGeometricSchedule } from "./ve-geometric.ts";
import { vpCosineSchedule } from "./vp-cosine.ts";
import { vpLinearSchedule } from "./vp-linear.ts";

describe("every schedule", () => {
  test("walks down from its greatest level to 0, strictly, in the asked number of steps", () => {
    for (const [name, make] of Object.entries(schedules)) {
      for (const steps of [1, 2, 3, 18, 100]) {
        const schedule = make();
        const sigmas = schedule.sigmas(steps);
        const what = `${name}, ${steps} steps`;
        expect(schedule.name, what).toBe(name);
        expect(sigmas.length, what).toBe(steps + 1);
        expectClose([sigmas[0]!, sigmas.at(-1)!], [schedule.sigma(schedule.timeRange[1]), 0], { what });
        // A walk goes evenly to the least level of the schedule, which is 0 or the one before it.
        const least = schedule.sigma(schedule.timeRange[0]);
        if (steps > 1) expectClose([sigmas.at(least === 0 ? -1 : -2)!], [least], { what });
        for (let i = 0; i < steps; i++)
          expect(sigmas[i]!, `${what}, level ${i}`).toBeGreaterThan(sigmas[i + 1]!);
      }
    }
  });

  test("time() inverts sigma()", () => {
    for (const [name, make] of Object.entries(schedules)) {
      const { sigma, time, timeRange } = make();
      const [from, to] = timeRange;
      const times = Array.from({ length: 101 }, (_, i) => from + (i / 100) * (to - from));
      expectClose(
        times.map((t) => time(sigma(t))),
        times,
        { rtol: 1e-9, atol: 1e-12, what: name },
      );
    }
  });

  test("an unknown name is told with a suggestion, and 0 steps are refused", () => {
    expect(() => scheduleNamed("vp-cosin")).toThrow('Did you mean "vp-cosine"?');
    for (const name of Object.keys(schedules)) {
      for (const steps of [0, 1.5, -2]) {
        expect(() => scheduleNamed(name).sigmas(steps), `${name}, ${steps}`).toThrow(`steps: ${steps}`);
      }
    }
  });
});

describe("edmSchedule()", () => {
  test("follows equation 5: sigma^(1/rho) falls evenly from 80 to 0.002", () => {
    const roots = edmSchedule()
      .sigmas(18)
      .slice(0, -1)
      .map((sigma) => sigma ** (1 / 7));
    const gap = (80 ** (1 / 7) - 0.002 ** (1 / 7)) / 17;
    for (let i = 0; i < 17; i++) expectClose([roots[i]! - roots[i + 1]!], [gap], { what: `level ${i}` });
    expectClose([roots[0]! ** 7, roots[17]! ** 7], [80, 0.002]);
  });
});

describe("vpLinearSchedule()", () => {
  test("is the integral of a linear beta", () => {
    const { sigma } = vpLinearSchedule();
    let integral = 0;
    const slices = 4000;
    for (let i = 0; i < slices; i++) {
      integral += (0.1 + 19.9 * ((i + 0.5) / slices)) / slices; // midpoint rule, exact for a line
      if ((i + 1) % 1000 !== 0) continue;
      const t = (i + 1) / slices;
      expectClose([abarFromSigma(sigma(t))], [Math.exp(-integral)], { rtol: 1e-9, atol: 0, what: `t ${t}` });
    }
  });

  test("starts near sigma 152, as table 1 of Karras et al. implies, and allows a constant beta", () => {
    expectClose([vpLinearSchedule().sigma(1)], [Math.sqrt(Math.exp(10.05) - 1)], { rtol: 1e-12 });
    const flat = vpLinearSchedule({ betaMin: 2, betaMax: 2 });
    expectClose([flat.time(flat.sigma(0.3))], [0.3], { rtol: 1e-12 });
  });
});

describe("vpCosineSchedule()", () => {
  test("has the abar of equation 17", () => {
    const f = (t: number): number => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
    for (const t of [0.001, 0.1, 0.5, 0.9, 0.99]) {
      expectClose([abarFromSigma(vpCosineSchedule().sigma(t))], [f(t) / f(0)], {
        rtol: 1e-9,
        what: `t ${t}`,
      });
    }
    expect(vpCosineSchedule().sigma(0)).toBe(0);
  });
});

describe("veGeometricSchedule()", () => {
  test("has a constant ratio between levels", () => {
    const sigmas = veGeometricSchedule({ sigmaMin: 0.5, sigmaMax: 32 }).sigmas(7);
    expectClose(sigmas, [32, 16, 8, 4, 2, 1, 0.5, 0]);
  });
});

describe("ornsteinUhlenbeckSchedule()", () => {
  test("has the signal exp(-2 t) up to time 5, in equal or quadratic steps", () => {
    const abars = (spacing: "uniform" | "quadratic") =>
      ornsteinUhlenbeckSchedule({ spacing }).sigmas(4).map(abarFromSigma);
    expectClose(
      abars("uniform"),
      [5, 3.75, 2.5, 1.25, 0].map((t) => Math.exp(-2 * t)),
      { rtol: 1e-12 },
    );
    const quadratic = [5, 5 * 0.5625, 5 * 0.25, 5 * 0.0625, 0];
    expectClose(
      abars("quadratic"),
      quadratic.map((t) => Math.exp(-2 * t)),
      { rtol: 1e-12 },
    );
    const { sigma, time } = ornsteinUhlenbeckSchedule({ timeMax: 3, spacing: "quadratic" });
    for (const t of [0.01, 0.4, 1]) expectClose([time(sigma(t))], [t], { rtol: 1e-9, what: `t ${t}` });
  });

  test("solves dx = -x dt + sqrt(2) dw: abar' = -2 abar, noise' = 2 - 2 noise", () => {
    const { sigma } = ornsteinUhlenbeckSchedule({ timeMax: 2 });
    const h = 1e-5;
    for (const t of [0.1, 0.5, 0.9]) {
      const slope = (f: (level: number) => number) => (f(sigma(t + h)) - f(sigma(t - h))) / (2 * h) / 2;
      const noise = (level: number) => vpNoise(level) ** 2;
      expectClose(
        [slope(abarFromSigma), slope(noise)],
        [-2 * abarFromSigma(sigma(t)), 2 - 2 * noise(sigma(t))],
        { rtol: 1e-8, what: `t ${t}` },
      );
    }
  });
});

describe("flowSchedule()", () => {
  test("has noise t beside data 1 - t, in equal steps of t from 0.999 to 0", () => {
    const sigmas = flowSchedule().sigmas(3);
    expectClose(
      sigmas.map((sigma) => sigma / (1 + sigma)),
      [0.999, 0.666, 0.333, 0],
      { rtol: 1e-12 },
    );
  });
});

describe("ddpmSchedule()", () => {
  test("accumulates the linear betas, from beta_1 = 1e-4 to sigma 157.407 at the end", () => {
    const { levels } = ddpmSchedule();
    let logAbar = 0;
    for (let t = 0; t < 1000; t++) logAbar += Math.log1p(-(1e-4 + (t * (0.02 - 1e-4)) / 999));
    expectClose([abarFromSigma(levels[999]!)], [Math.exp(logAbar)], { rtol: 1e-9, atol: 0 });
    expectClose([1 - abarFromSigma(levels[0]!)], [1e-4], { rtol: 1e-9, atol: 0 });
    expectClose([levels[999]!], [157.407], { rtol: 1e-5, atol: 0 }); // the number other libraries know for this schedule
  });

  test("approaches the continuous linear schedule with beta 0.1..20", () => {
    const { levels } = ddpmSchedule();
    const { sigma } = vpLinearSchedule();
    // ln(1 - beta) = -beta - beta^2 / 2: the sum of beta^2 / 2 is 0.067, so sigma is up to exp(0.067 / 2) greater.
    for (const t of [99, 499, 999])
      expectClose([levels[t]!], [sigma((t + 1) / 1000)], { rtol: 0.036, what: `t ${t}` });
  });

  test("respaces to distinct integer timesteps that include both ends, each with its own level", () => {
    const { levels, sigmas, timesteps } = ddpmSchedule();
    for (const steps of [2, 3, 10, 250, 999, 1000]) {
      const kept = timesteps(steps);
      expect(new Set(kept).size, `${steps} steps`).toBe(steps);
      expect([kept[0], kept.at(-1)], `${steps} steps`).toEqual([999, 0]);
      expect(sigmas(steps), `${steps} steps`).toEqual([...kept.map((t) => levels[t]!), 0]);
    }
    expect(timesteps(1)).toEqual([999]);
  });

  test("tells a network the integer timestep of each level", () => {
    const { levels, time } = ddpmSchedule();
    for (const t of [0, 1, 17, 500, 998, 999]) expectClose([999 * time(levels[t]!)], [t], { what: `t ${t}` });
  });
});

describe("VP and VE states", () => {
  test("sigma and abar round-trip, and scale and noise of the VP state have unit power", () => {
    for (const sigma of [1e-4, 0.002, 0.5, 1, 80, 1e4]) {
      expectClose([sigmaFromAbar(abarFromSigma(sigma))], [sigma], {
        rtol: 1e-7,
        atol: 0,
        what: `sigma ${sigma}`,
      });
      expectClose([vpScale(sigma) ** 2], [abarFromSigma(sigma)], {
        rtol: 1e-12,
        atol: 0,
        what: `sigma ${sigma}`,
      });
      expectClose([vpScale(sigma) ** 2 + vpNoise(sigma) ** 2], [1], { rtol: 1e-12, what: `sigma ${sigma}` });
      expectClose([vpNoise(sigma) / vpScale(sigma)], [sigma], {
        rtol: 1e-12,
        atol: 0,
        what: `sigma ${sigma}`,
      });
    }
    expect([sigmaFromAbar(1), vpScale(0), vpNoise(0)]).toEqual([0, 1, 0]);
  });
});
