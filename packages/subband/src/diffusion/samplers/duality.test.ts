import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, test } from "vitest";
import type { Denoiser, State } from "../denoiser.ts";
import { edmSchedule } from "../schedules/edm.ts";
import { vpLinearSchedule } from "../schedules/vp-linear.ts";
import { sample, samplers } from "./samplers.ts";

const SIDE = 6;
const D = SIDE * SIDE;

/** One orthonormal Haar level of a SIDE x SIDE image as a D x D matrix: 2 x 2 blocks [[a, b], [c, d]] to LL, LH, HL, HH. */
function haarMatrix(): Float64Array {
  const matrix = new Float64Array(D * D);
  const half = SIDE / 2;
  const signs = [[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]; // prettier-ignore
  signs.forEach((row, band) =>
    row.forEach((sign, corner) => {
      for (let i = 0; i < half * half; i++) {
        const y = 2 * Math.floor(i / half) + (corner >> 1);
        const x = 2 * (i % half) + (corner & 1);
        matrix[(band * half * half + i) * D + y * SIDE + x] = sign / 2;
      }
    }),
  );
  return matrix;
}

/** `A x` for each D-vector of a flat batch. */
function apply<T extends State>(matrix: Float64Array, x: T): T {
  const out = x.slice().fill(0) as T;
  for (let start = 0; start < x.length; start += D) {
    for (let i = 0; i < D; i++) {
      let sum = 0;
      for (let j = 0; j < D; j++) sum += matrix[i * D + j]! * x[start + j]!;
      out[start + i] = sum;
    }
  }
  return out;
}

/** Inverse of a symmetric positive definite matrix by Gauss-Jordan elimination. */
function inverse(matrix: Float64Array): Float64Array {
  const a = matrix.slice();
  for (let p = 0; p < D; p++) {
    const pivot = a[p * D + p]!;
    a[p * D + p] = 1;
    for (let j = 0; j < D; j++) a[p * D + j] = a[p * D + j]! / pivot;
    for (let i = 0; i < D; i++) {
      if (i === p) continue;
      const factor = a[i * D + p]!;
      a[i * D + p] = 0;
      for (let j = 0; j < D; j++) a[i * D + j] = a[i * D + j]! - factor * a[p * D + j]!;
    }
  }
  return a;
}

/** The ideal denoiser of N(mean, covariance): `x - sigma^2 (C + sigma^2 I)^-1 (x - mean)`. */
function denoiser<T extends State>(mean: Float64Array, covariance: Float64Array): Denoiser<T> {
  const known = new Map<number, Float64Array>();
  return (x, sigma) => {
    let solve = known.get(sigma);
    if (solve === undefined) {
      solve = inverse(covariance.map((value, at) => value + (at % (D + 1) === 0 ? sigma * sigma : 0)));
      known.set(sigma, solve);
    }
    const pulled = apply(solve, x.map((value, at) => value - mean[at % D]!) as T);
    return pulled.map((value, at) => x[at]! - sigma * sigma * value) as T;
  };
}

describe("wavelet / pixel duality", () => {
  const W = haarMatrix();
  const mean = Float64Array.from({ length: D }, (_, at) => Math.sin(at));
  // Correlation falls with distance, as in images.
  const covariance = Float64Array.from({ length: D * D }, (_, at) => {
    const [p, q] = [Math.floor(at / D), at % D];
    return Math.exp(-Math.hypot(Math.floor(p / SIDE) - Math.floor(q / SIDE), (p % SIDE) - (q % SIDE)) / 2);
  });
  // W C W' by two products: apply W to the columns (C is symmetric), then to the rows.
  const halfway = apply(W, covariance);
  const transposed = halfway.map((_, at) => halfway[(at % D) * D + Math.floor(at / D)]!);
  const waveletCovariance = apply(W, transposed);
  const waveletMean = apply(W, mean);

  const count = 2;
  const unit = rng(2, "duality").fillNormal(new Float64Array(count * D));
  const draw = <T extends State>(step: number, out: T): void =>
    void rng(2, "duality-step", step).fillNormal(out);
  const walks = {
    edm: edmSchedule({ sigmaMax: 20 }).sigmas(8),
    "vp-linear": vpLinearSchedule({ betaMax: 8 }).sigmas(8),
  };

  for (const name of Object.keys(samplers)) {
    for (const [walk, sigmas] of Object.entries(walks)) {
      test(`${name} on ${walk}: the same noise through W gives the same path`, async () => {
        const settings = { eta: 0.5, churn: 8 };
        const x = unit.map((value) => sigmas[0]! * value);
        const pixelPath: Float64Array[] = [];
        await sample(name, denoiser<Float64Array>(mean, covariance), x, sigmas, {
          ...settings,
          noise: draw,
          onStep: (report) => void pixelPath.push(apply(W, report.x)),
        });
        const waveletNoise = (step: number, out: Float64Array): void => {
          draw(step, out);
          out.set(apply(W, out));
        };
        await sample(name, denoiser<Float64Array>(waveletMean, waveletCovariance), apply(W, x), sigmas, {
          ...settings,
          noise: waveletNoise,
          onStep: ({ step, x: state }) =>
            expectClose(state, pixelPath[step]!, {
              atol: 1e-9,
              rtol: 0,
              what: `${name}, ${walk}, step ${step}`,
            }),
        });
      });

      test(`${name} on ${walk}: the same in float32, to 1e-5 at the end`, async () => {
        const x = Float32Array.from(unit, (value) => sigmas[0]! * value);
        const options = { eta: 0.5, churn: 8, noise: draw<Float32Array> };
        const pixels = await sample(name, denoiser<Float32Array>(mean, covariance), x, sigmas, options);
        const noise = (step: number, out: Float32Array): void => {
          draw(step, out);
          out.set(apply(W, out));
        };
        const bands = await sample(
          name,
          denoiser<Float32Array>(waveletMean, waveletCovariance),
          apply(W, x),
          sigmas,
          {
            ...options,
            noise,
          },
        );
        expectClose(bands, apply(W, pixels), { atol: 1e-5, rtol: 0, what: `${name}, ${walk}` });
      });
    }
  }
});
