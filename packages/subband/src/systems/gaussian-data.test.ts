/**
 * @module Diffusions on Gaussian data of known spectrum, with the best network in the place of the learned one: what a
 * preset's own steps draw has the covariance of the theory at every scale, and its stages' losses have their least values.
 */
import {
  add,
  atOnce,
  constant,
  div,
  exp,
  input,
  interpret,
  matmul,
  mul,
  ndarray,
  reshape,
  rng,
  sqrt,
  sub,
  type Tensor,
  transpose,
} from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test, vi } from "vitest";
import { runPlan } from "../diffusion/samplers/plan.ts";
import type { Diffuse } from "./draw.ts";
import type { ProcessName } from "./parts/processes.ts";
import type { DenoisingNetwork, Told, UnetConfig } from "./parts/unet.ts";
import { sgm } from "./sgm/preset.ts";
import type { Stage } from "./stage.ts";
import type { ImageShape, System } from "./system.ts";
import { wsgm } from "./wsgm/preset.ts";

const BATCH = 1024;
/** Bands are SIDE x SIDE. */
const SIDE = 4;
const D = SIDE * SIDE;
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Frequencies of cosines and sines on a ring, and these, orthonormal, one a row; of the torus: products of two. */
const FREQUENCIES = [0, 1, 1, 2];
const wave = (k: number, x: number): number =>
  k === 0
    ? 1 / 2
    : k === 3
      ? Math.cos(Math.PI * x) / 2
      : (k === 1 ? Math.cos : Math.sin)((Math.PI * x) / 2) / Math.SQRT2;
const BASIS = range(D * D).map((at) => {
  const [k, x] = [Math.floor(at / D), at % D];
  return wave(Math.floor(k / SIDE), Math.floor(x / SIDE)) * wave(k % SIDE, x % SIDE);
});
const frequency = range(D).map((k) => Math.hypot(FREQUENCIES[Math.floor(k / SIDE)]!, FREQUENCIES[k % SIDE]!));
/** The power of a field at each element of the basis, falling as in images, of mean `total`. */
function powers(total: number, knee: number): number[] {
  const raw = frequency.map((f) => 1 / (knee + f * f));
  const mean = raw.reduce((a, b) => a + b) / D;
  return raw.map((value) => (total * value) / mean);
}

/** Data of a band, channel by channel and in the basis: variance given what it is drawn from, and gain of that. */
interface Law {
  readonly variance: readonly (readonly number[])[];
  readonly gain: readonly (readonly number[])[];
}
const NONE = [range(D).map(() => 0)];
/** Pixels of deviation 0.5. */
const PIXELS: Law = { variance: [powers(0.25, 0.5)], gain: NONE };
/** Standardised bands: the low one, and details that depend on it. */
const LOW: Law = { variance: [powers(1, 0.3)], gain: NONE };
const SHARES = [0.6, 0.3, -0.5];
const gains = SHARES.map((share) => frequency.map((f) => share / (1 + f)));
const explained = gains.map((gain) => gain.reduce((sum, g, k) => sum + g * g * LOW.variance[0]![k]!, 0) / D);
const DETAILS: Law = { variance: explained.map((part, b) => powers(1 - part, 1 + b)), gain: gains };

/** Of what the network is told: the level of noise, and the coefficients of D = cSkip x + cOut F(cIn x), as published. */
interface Published {
  readonly sigma: Tensor;
  readonly cSkip: Tensor | number;
  readonly cOut: Tensor;
  readonly cIn: Tensor | number;
}
const variancePreserving = (exponent: Tensor): Published => {
  const total = exp(exponent); // 1 + sigma^2
  const sigma = sqrt(sub(total, 1));
  return { sigma, cSkip: 1, cOut: mul(sigma, -1), cIn: div(1, sqrt(total)) };
};
const PUBLISHED: Readonly<Record<ProcessName, (told: Tensor, deviation: number) => Published>> = {
  edm(told, deviation) {
    const sigma = exp(mul(told, 4));
    const total = sqrt(add(mul(sigma, sigma), deviation ** 2));
    return {
      sigma,
      cSkip: div(deviation ** 2, mul(total, total)),
      cOut: div(mul(sigma, deviation), total),
      cIn: div(1, total),
    };
  },
  vp: (t) => variancePreserving(add(mul(t, 0.1), mul(mul(t, t), 9.95))),
  ou: (share) => variancePreserving(mul(share, 10)),
  ve(told) {
    const sigma = mul(exp(told), 2);
    return { sigma, cSkip: 1, cOut: sigma, cIn: 1 };
  },
  flow(t) {
    const rest = sub(1, t);
    return { sigma: div(t, rest), cSkip: rest, cOut: mul(t, -1), cIn: rest };
  },
};

/** The network whose denoiser is the posterior mean of the law: nothing of it is learned. */
function best(law: Law, process: ProcessName, deviation: number): DenoisingNetwork<object> {
  const channels = law.variance.length;
  const flat = (values: readonly (readonly number[])[]) => constant(values.flat(), [1, channels, D]);
  const basis = constant(BASIS, [D, D]);
  const inBasis = (x: Tensor) => matmul(reshape(x, [x.shape[0]!, x.shape[1]!, D]), transpose(basis, [1, 0]));
  return {
    init: () => ({ nothing: ndarray([1], [0]) }),
    run(_, z, { noise, given }: Told) {
      const { sigma, cSkip, cOut, cIn } = PUBLISHED[process](reshape(noise, [noise.size, 1, 1]), deviation);
      const x = div(inBasis(z), cIn);
      const mean = given === undefined ? constant(0) : mul(inBasis(given), flat(law.gain));
      const variance = flat(law.variance);
      const shrunk = div(variance, add(variance, mul(sigma, sigma)));
      const denoised = add(mean, mul(shrunk, sub(x, mean)));
      return reshape(matmul(div(sub(denoised, mul(x, cSkip)), cOut), basis), z.shape);
    },
  };
}

let network: (config: UnetConfig) => DenoisingNetwork<object>;
vi.mock("./parts/unet.ts", async (original) => ({
  ...(await original<object>()),
  unet: (config: UnetConfig) => network(config),
}));

/** Means and deviations of bands, far from those of standardised ones. */
const MOMENTS = {
  low: { mean: [0.2], std: [0.4] },
  detail: { mean: [0.03, -0.02, 0.01], std: [0.2, 0.15, 0.05] },
};
const shapeOf = (side: number): ImageShape => ({ channels: 1, height: side, width: side });

function sgmOf(formulation: ProcessName): System {
  network = () => best(PIXELS, formulation, 0.5);
  const image = shapeOf(SIDE);
  return sgm.system(
    atOnce(sgm.resolve(sgm.choose({ formulation, batch: BATCH }, image), image as never, {})),
  );
}

function wsgmOf(formulation: ProcessName): System {
  network = ({ conditioning }) => best(conditioning > 0 ? DETAILS : LOW, formulation, 1);
  const image = shapeOf(2 * SIDE);
  // What it measures of any images gives way to the moments.
  const pixels = { ...image, count: 1, read: () => undefined };
  const model = atOnce(
    wsgm.resolve(wsgm.choose({ formulation, batch: BATCH, levels: 1 }, image), pixels as never, {}),
  );
  const [level] = (model as unknown as { readonly levels: readonly object[] }).levels;
  return wsgm.system({ ...model, levels: [{ ...level, moments: MOMENTS }] } as never);
}

/** One 2 x 2 block a place: the bands of images [n, 8, 8] in units of the law, [n, 4, D]. */
function standardBands(images: Float64Array, centred: boolean): Float64Array {
  const bands = new Float64Array(images.length);
  const [mean, std] = [
    [...MOMENTS.low.mean, ...MOMENTS.detail.mean],
    [...MOMENTS.low.std, ...MOMENTS.detail.std],
  ];
  for (let at = 0; at < images.length / 4; at++) {
    const [image, y, x] = [Math.floor(at / D), Math.floor((at % D) / SIDE), at % SIDE];
    const pixel = (dy: number, dx: number) => images[image * 4 * D + (2 * y + dy) * 2 * SIDE + 2 * x + dx]!;
    const [a, b, c, d] = [pixel(0, 0), pixel(0, 1), pixel(1, 0), pixel(1, 1)];
    const found = [(a + b + c + d) / 4, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2];
    found.forEach((value, band) => {
      bands[(image * 4 + band) * D + (at % D)] = (value - (centred ? 0 : mean[band]!)) / std[band]!;
    });
  }
  return bands;
}

/** Fields [..., D] in the basis. */
function spectra(fields: Float64Array): Float64Array {
  return fields.map((_, at) => {
    const [start, k] = [at - (at % D), at % D];
    return range(D).reduce((sum, x) => sum + BASIS[k * D + x]! * fields[start + x]!, 0);
  });
}

/**
 * What a chain draws, as a linear function of its noise: a row without any, then one for a unit of each number of it; and
 * which rows belong to which step. Everything but the network is the preset's own, in float64.
 */
async function responses(system: System, asked: object): Promise<{ rows: Float64Array[]; of: number[] }> {
  const steps = system.draw.steps(system.draw.choose(asked)) as readonly Diffuse[];
  const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b);
  const draws = steps.map(({ plan, state }) => {
    const noisy = plan.filter(({ noiseAfter, noiseBefore }) => noiseAfter > 0 || noiseBefore > 0);
    return { size: sizeOf(state), steps: noisy.map(({ step }) => step) };
  });
  const of = [
    -1,
    ...draws.flatMap(({ size, steps: noisy }, i) => range(size * (1 + noisy.length)).map(() => i)),
  ];
  const n = of.length;
  let given: Float64Array | undefined;
  for (const [i, step] of steps.entries()) {
    const { size, steps: noisy } = draws[i]!;
    const first = of.indexOf(i);
    /** The units of a block of noise: the start, then each noisy step. */
    const units = (block: number, scale: number, out: Float64Array) => {
      out.fill(0);
      for (let j = 0; j < size; j++) out[(first + block * size + j) * size + j] = scale;
    };
    const before = steps[i - 1]?.gives;
    const at = { given: before && input("given", [n, ...before]) };
    const x = input("x", [n, ...step.state]);
    const told = Object.keys(step.told(step.plan[0]!));
    const scalars = Object.fromEntries(told.map((name) => [name, input(name, [])]));
    const fed = given && { given };
    const predicted = step.predict({ params: {} } as never, x, scalars, at);
    const start = new Float64Array(n * size);
    units(0, step.start, start);
    const end = await runPlan<Float64Array>(
      step.plan,
      (state, call) => {
        const numbers = Object.entries(step.told(call)).map(([name, value]) => [name, [value]]);
        const feeds = { ...fed, x: state, ...Object.fromEntries(numbers) };
        return Float64Array.from(interpret([predicted], feeds)[0]!.data);
      },
      start,
      { noise: (k, out) => units(1 + noisy.indexOf(k), 1, out) },
    );
    given = Float64Array.from(interpret([step.finish(x, at)], { ...fed, x: end })[0]!.data);
  }
  const size = sizeOf(steps.at(-1)!.gives);
  return { rows: range(n).map((row) => given!.slice(row * size, (row + 1) * size)), of };
}

/** Sum of products of the responses `a` and `b` of a channel in the basis: covariances, one an element of it. */
function covariances(a: readonly Float64Array[], b: readonly Float64Array[]): number[] {
  return range(D).map((k) => a.reduce((sum, row, i) => sum + row[k]! * b[i]![k]!, 0));
}

/** Variances and gains of the scales that a wsgm draws: of the low band, and of each band of details given that. */
async function drawnLaw(system: System, asked: object): Promise<{ low: number[]; details: Law }> {
  const { rows, of } = await responses(system, asked);
  const offset = spectra(standardBands(rows[0]!, false));
  expectClose(offset, new Float64Array(4 * D), { atol: 1e-9, what: "the mean of the samples" });
  const bands = rows.slice(1).map((row) =>
    spectra(
      standardBands(
        row.map((v, i) => v - rows[0]![i]!),
        true,
      ),
    ),
  );
  const channel = (band: number, step: number) =>
    bands.flatMap((row, i) => (of[i + 1] === step ? [row.slice(band * D, (band + 1) * D)] : []));
  const low = covariances(channel(0, 0), channel(0, 0));
  // Noise of the details does not move the low band.
  expect(covariances(channel(0, 1), channel(0, 1)).every((value) => value < 1e-18)).toBe(true);
  return {
    low,
    details: {
      variance: [1, 2, 3].map((band) => covariances(channel(band, 1), channel(band, 1))),
      gain: [1, 2, 3].map((band) => covariances(channel(band, 0), channel(0, 0)).map((c, k) => c / low[k]!)),
    },
  };
}

const worst = (found: readonly number[], want: readonly number[]): number =>
  Math.max(...found.map((value, i) => Math.abs(value / want[i]! - 1)));

describe("sgm", () => {
  test.each(["edm", "vp", "ve", "flow", "ou"] as const)(
    "%s: draws the spectrum of the data",
    async (name) => {
      const error = async (sampler: string, steps: number): Promise<number> => {
        const { rows } = await responses(sgmOf(name), { sampler, steps });
        const found = rows.slice(1).map(spectra);
        return worst(covariances(found, found), PIXELS.variance[0]!);
      };
      for (const sampler of ["dpmpp2m", "heun"]) {
        expect(await error(sampler, 128), sampler).toBeLessThan(0.02);
      }
    },
  );
});

describe("wsgm", () => {
  test("edm: draws the spectrum of every scale, and what details owe to the low band", async () => {
    const system = wsgmOf("edm");
    for (const sampler of ["dpmpp2m", "heun"]) {
      const { low, details } = await drawnLaw(system, { sampler, steps: 64 });
      expect(worst(low, LOW.variance[0]!), `${sampler}, low band`).toBeLessThan(0.02);
      for (const band of [0, 1, 2]) {
        expect(
          worst(details.variance[band]!, DETAILS.variance[band]!),
          `${sampler}, band ${band}`,
        ).toBeLessThan(0.02);
        // The start is not about what the low band makes likely, and of that sqrt(v / (v + sigma^2)) never comes.
        const start = system.draw.steps(system.draw.choose({}))[1] as Diffuse;
        const gain = DETAILS.gain[band]!.map((g, k) => {
          const v = DETAILS.variance[band]![k]!;
          return g * (1 - Math.sqrt(v / (v + start.start ** 2)));
        });
        expectClose(details.gain[band]!, gain, { rtol: 0.01, what: `${sampler}, gain of band ${band}` });
      }
    }
  });

  /**
   * Variance and gain that the published chain gives to data of variance v about gain times the low band (Ho et al. 2020,
   * algorithm 2 at the times t_k, with the forward variance beta_k): y' = (y - beta / sqrt(1 - abar) eps) / sqrt(1 - beta)
   * + sqrt(beta) n, no noise in the last step, from y_N of the variance of the noise alone.
   */
  function chain(v: number, times: readonly number[]): { variance: number; gain: number } {
    const last = Math.exp(-2 * times.at(-1)!);
    let [variance, gain] = [1 - last, 0];
    for (let k = times.length - 1; k > 0; k--) {
      const beta = 1 - Math.exp(-2 * (times[k]! - times[k - 1]!));
      const abar = Math.exp(-2 * times[k]!);
      const pull = beta / (v * abar + 1 - abar);
      variance = ((1 - pull) ** 2 * variance) / (1 - beta) + (k > 1 ? beta : 0);
      gain = (gain - pull * (gain - Math.sqrt(abar))) / Math.sqrt(1 - beta);
    }
    return { variance, gain };
  }

  test.each([
    ["quadratic", 1],
    ["quadratic", 7],
    ["uniform", 4],
  ] as const)(
    "ou, %s times, %i steps: draws, at every scale, what the published chain does",
    async (times, steps) => {
      const grid = range(steps + 1).map((k) => 5 * (k / steps) ** (times === "quadratic" ? 2 : 1));
      const { low, details } = await drawnLaw(wsgmOf("ou"), { steps, times });
      expectClose(
        low,
        LOW.variance[0]!.map((v) => chain(v, grid).variance),
        { rtol: 1e-8, what: "low band" },
      );
      for (const band of [0, 1, 2]) {
        const want = DETAILS.variance[band]!.map((v) => chain(v, grid));
        const gain = want.map((each, k) => each.gain * DETAILS.gain[band]![k]!);
        expectClose(
          details.variance[band]!,
          want.map(({ variance }) => variance),
          { rtol: 1e-8, what: `band ${band}` },
        );
        expectClose(details.gain[band]!, gain, { rtol: 1e-8, atol: 1e-10, what: `gain of band ${band}` });
      }
    },
  );

  test("ou: converges to the spectrum of the data at order 1", () => {
    const error = (steps: number): number => {
      const grid = range(steps + 1).map((k) => 5 * (k / steps) ** 2);
      return Math.max(...DETAILS.variance.flat().map((v) => Math.abs(chain(v, grid).variance / v - 1)));
    };
    expect(Math.log2(error(2048) / error(4096))).toBeCloseTo(1, 1);
  });
});

describe("the loss of the best network", () => {
  /** Fields of a law, [BATCH, channels, D], given the low band that they are drawn from. */
  function draw(law: Law, name: string, given?: Float64Array): Float64Array {
    const channels = law.variance.length;
    const noise = rng(5, name).fillNormal(new Float64Array(BATCH * channels * D));
    const low = given && spectra(given);
    const values = noise.map((value, at) => {
      const [image, channel, k] = [Math.floor(at / D / channels), Math.floor(at / D) % channels, at % D];
      return (
        Math.sqrt(law.variance[channel]![k]!) * value +
        (low ? law.gain[channel]![k]! * low[image * D + k]! : 0)
      );
    });
    return values.map((_, at) => {
      const [start, x] = [at - (at % D), at % D];
      return range(D).reduce((sum, k) => sum + BASIS[k * D + x]! * values[start + k]!, 0);
    });
  }

  /** Images of the bands, 8 x 8: bands in units of the law to pixels. */
  function pixelsOf(low: Float64Array, details: Float64Array): Float64Array {
    return Float64Array.from({ length: BATCH * 4 * D }, (_, at) => {
      const [image, row, column] = [Math.floor(at / 4 / D), Math.floor((at % (4 * D)) / 8), at % 8];
      const place = Math.floor(row / 2) * SIDE + Math.floor(column / 2);
      const band = (b: number) =>
        MOMENTS.detail.mean[b]! + MOMENTS.detail.std[b]! * details[(image * 3 + b) * D + place]!;
      const [down, right] = [row % 2 === 0 ? 1 : -1, column % 2 === 0 ? 1 : -1];
      const mean = MOMENTS.low.mean[0]! + MOMENTS.low.std[0]! * low[image * D + place]!;
      return mean + (down * band(0) + right * band(1) + down * right * band(2)) / 2;
    });
  }

  /** The loss of a stage on pixels, with the noise that it would be trained with, and the least possible at those levels. */
  function losses(stage: Stage, law: Law, pixels: Float64Array): { found: number; least: number } {
    const fed = stage.feeds(
      { seed: 1, step: 0, imagesSeen: 0, progress: 0, lrScale: 1 },
      { pixels: new Float32Array() },
    );
    const { score } = stage;
    expect(score!.batch).toBe(64);
    const { inputs } = score!.program;
    let [found, least] = [0, 0];
    for (let part = 0; part < BATCH; part += 64) {
      const cut = (values: ArrayLike<number>) => {
        const size = values.length / BATCH;
        return Float64Array.from({ length: 64 * size }, (_, i) => values[part * size + i]!);
      };
      const feeds = Object.fromEntries(
        Object.keys(inputs).map((name) => [
          name,
          cut(name === "pixels" ? pixels : (fed[name] as Float32Array)),
        ]),
      );
      const traced = Object.fromEntries(
        Object.entries(inputs).map(([name, shape]) => [name, input(name, shape as readonly number[])]),
      );
      const built = score!.program.build({ state: { average: {} }, ...traced } as never) as { score: Tensor };
      found += (interpret([built.score], feeds)[0]!.data[0]! * 64) / BATCH;
      // E|x0 - D|^2 / cOut^2: the variance that is left, v sigma^2 / (v + sigma^2), by the weight of the level.
      feeds["sigma"]!.forEach((sigma, i) => {
        const left = law.variance.flat().map((v) => (v * sigma * sigma) / (v + sigma * sigma));
        least += (left.reduce((a, b) => a + b) / left.length) * (feeds["cOut"]![i]! ** 2 / BATCH);
      });
    }
    return { found, least };
  }

  test.each(["edm", "vp", "ve", "flow", "ou"] as const)("sgm, %s: is the least possible", (name) => {
    const [stage] = sgmOf(name).stages as [Stage];
    const { found, least } = losses(stage, PIXELS, draw(PIXELS, "pixels"));
    // Of 16,384 squares, most of them at levels that hardly count.
    expect(found / least).toBeGreaterThan(0.93);
    expect(found / least).toBeLessThan(1.07);
  });

  test.each(["edm", "ou"] as const)("wsgm, %s: is the least possible at every scale", (name) => {
    const low = draw(LOW, "low");
    const details = draw(DETAILS, "details", low);
    const pixels = pixelsOf(low, details);
    const [first, second] = wsgmOf(name).stages as [Stage, Stage];
    for (const [stage, law] of [
      [first, LOW],
      [second, DETAILS],
    ] as const) {
      const { found, least } = losses(stage, law, pixels);
      expect(found / least, stage.name).toBeGreaterThan(0.93);
      expect(found / least, stage.name).toBeLessThan(1.07);
    }
  });
});
