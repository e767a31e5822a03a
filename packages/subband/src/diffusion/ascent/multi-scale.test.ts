import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { joinMeans, splitMeans } from "../../wavelet/haar-means.ts";
import { planes } from "../../wavelet/planes.ts";
import { lowRankResidual } from "./exact-residuals.testing.ts";
import { type DetailScale, releasedSynthesis, synthesise, synthesiseDetails } from "./multi-scale.ts";

/** The inverse Haar transform of flat low-pass images [count, 2, h, w]. */
const haar =
  (count: number, h: number, w: number) =>
  (low: Float32Array, details: Float32Array): Float32Array =>
    joinMeans({ low: planes(low, [count, 2, h, w]), details: planes(details, [count, 6, h, w]) }).data;

/** Details that follow from the low-pass: each band is a multiple of the square of each channel. */
function detailsOf(low: Float32Array, count: number): Float32Array {
  const size = low.length / count;
  return Float32Array.from({ length: 3 * low.length }, (_, i) => {
    const [image, band, at] = [Math.floor(i / (3 * size)), Math.floor(i / size) % 3, i % size];
    return (0.1 + 0.2 * band) * low[image * size + at]! ** 2;
  });
}

/** The residual of details that are known exactly given the low-pass: all of the difference is noise. */
const certain =
  (count: number): DetailScale["residual"] =>
  (low) => {
    const known = detailsOf(low, count);
    return (details) => details.map((value, i) => value - known[i]!);
  };

const scalesFor = (count: number): DetailScale[] => [
  { residual: certain(count), inverse: haar(count, 3, 4) },
  { residual: certain(count), inverse: haar(count, 6, 8) },
];
const lowImages = rng(1, "low")
  .fillNormal(new Float32Array(3 * 24))
  .map((value) => 0.5 + 0.2 * value);

describe("synthesiseDetails()", () => {
  test("gives each scale the finished image of the coarser one, for every image and channel", async () => {
    const { x, converged } = await synthesiseDetails(lowImages, scalesFor(3), { seed: 1, count: 3 });
    const middle = haar(3, 3, 4)(lowImages, detailsOf(lowImages, 3));
    const want = haar(3, 6, 8)(middle, detailsOf(middle, 3));
    expect(converged).toBe(true);
    expect(x.length).toBe(3 * 2 * 12 * 16);
    expectClose(x, want, { atol: 1e-5 });
  });

  test("is super-resolution: the low-pass of the result is the given one", async () => {
    const scales = scalesFor(3).map((scale) => ({
      ...scale,
      // Uncertain details: half of what is seen is taken for noise.
      residual: () => (details: Float32Array) => details.map((value) => 0.5 * value),
    }));
    const { x } = await synthesiseDetails(lowImages, scales, { seed: 1, count: 3 });
    const once = splitMeans(planes(x, [3, 2, 12, 16])).low;
    expectClose(splitMeans(once).low.data, lowImages, { atol: 1e-6 });
    expect(Math.max(...splitMeans(planes(x, [3, 2, 12, 16])).details.data.map(Math.abs))).toBeGreaterThan(
      1e-3,
    );
  });

  test("draws the details of a Gaussian that depends on the low-pass, with its mean and variance", async () => {
    const count = 300;
    const [d, low] = [3 * 16, new Float32Array(count * 16)];
    for (let i = 0; i < low.length; i++) low[i] = Math.floor(i / 16) % 2; // images of 0 and of 1
    const basis = Float64Array.from({ length: d }, () => 1 / Math.sqrt(d));
    const centred = lowRankResidual<Float32Array>({ mean: new Float64Array(d), variances: [0.3], basis });
    const shift = (details: Float32Array, condition: Float32Array): Float32Array =>
      details.map((value, i) => value - 0.4 * condition[Math.floor(i / d) * 16]!);
    let drawn = new Float32Array(0);
    const scale: DetailScale = {
      residual: (condition) => (details) => centred(shift(details, condition)),
      inverse: (condition, details) => ((drawn = Float32Array.from(details)), condition),
    };
    const details = { beta: 0.3, h0: 0.1, rising: false, sigma0: 2 };
    await synthesiseDetails(low, [scale], { seed: 6, count }, { details });
    const along = shift(drawn, low);
    const coordinates = Array.from({ length: count }, (_, i) =>
      along.subarray(i * d, (i + 1) * d).reduce((sum, value, j) => sum + value * basis[j]!, 0),
    );
    for (const parity of [0, 1]) {
      const values = coordinates.filter((_, i) => i % 2 === parity);
      const average = values.reduce((a, b) => a + b) / values.length;
      const variance = values.reduce((sum, v) => sum + (v - average) ** 2, 0) / (values.length - 1);
      const what = `low-pass of ${parity}`;
      // 4 standard errors of 150 samples, and the h / 2 of variance that steps of 0.1 lose.
      expectClose([average], [0], { atol: 4 * Math.sqrt(0.3 / 150) + 0.01, what: `mean, ${what}` });
      expectClose([variance], [0.3], { rtol: 4 * Math.sqrt(2 / 150) + 0.05, what: `variance, ${what}` });
    }
  });

  test("refuses a low-pass that is not whole images", async () => {
    await expect(synthesiseDetails(new Float32Array(7), [], { seed: 1, count: 2 })).rejects.toThrow(
      "low-pass: 7 values; expected a positive multiple of the 2 images",
    );
  });
});

describe("synthesise()", () => {
  /** A low-pass that varies in two blocks of values about 0.5. */
  const low = {
    size: 24,
    residual: lowRankResidual<Float32Array>({
      mean: new Float64Array(24).fill(0.5),
      variances: [0.5, 0.5],
      basis: Float64Array.from(
        { length: 48 },
        (_, i) => (Math.floor(i / 12) % 3 === 0 ? 1 : 0) / Math.sqrt(12),
      ),
    }),
  };

  test("draws the low-pass, then the details on top of it", async () => {
    const { x, iterations } = await synthesise(low, scalesFor(2), { seed: 1, count: 2 });
    const middle = splitMeans(planes(x, [2, 2, 12, 16])).low;
    const coarse = splitMeans(middle).low.data;
    expectClose(x, haar(2, 6, 8)(middle.data, detailsOf(middle.data, 2)), { atol: 1e-5 });
    expectClose(middle.data, haar(2, 3, 4)(coarse, detailsOf(coarse, 2)), { atol: 1e-5 });
    expect(iterations.map((row) => row.length)).toEqual([2, 2, 2]);
  });

  test("an image depends on (seed, index) only, and its bands have noise of their own", async () => {
    const noisy = (count: number): DetailScale[] =>
      scalesFor(count).map((scale) => ({
        ...scale,
        residual: () => (details: Float32Array) => details.map((value) => 0.5 * value),
      }));
    const draw = async (first: number, count: number): Promise<Float32Array> =>
      (await synthesise(low, noisy(count), { seed: 4, first, count })).x;
    const whole = await draw(0, 3);
    expectClose([...(await draw(0, 1)), ...(await draw(1, 2))], whole, { atol: 0, rtol: 0 });
    const starts: Float32Array[] = [];
    const watched: DetailScale = {
      residual: () => (details) => (starts.push(details.slice()), details),
      inverse: (condition) => condition,
    };
    await synthesiseDetails(
      lowImages,
      [watched, watched],
      { seed: 4, count: 3 },
      { details: { beta: 1, h0: 1 } },
    );
    expect(starts[0]).not.toEqual(starts.at(-2));
  });

  test("stretches each low-pass to [0, 0.8] with the settings of the released code, and not by default", async () => {
    const rangeOf = async (settings: Parameters<typeof synthesise>[3]): Promise<number[]> => {
      const { x } = await synthesise(low, [], { seed: 2, count: 2 }, settings);
      return [0, 24].flatMap((from) => {
        const image = x.subarray(from, from + 24);
        return [Math.min(...image), Math.max(...image)];
      });
    };
    const fast = { ...releasedSynthesis.low, beta: 0.5, rising: true };
    expectClose(await rangeOf({ ...releasedSynthesis, low: fast }), [0, 0.8, 0, 0.8]);
    const plain = await rangeOf({ low: fast });
    expect(Math.abs(plain[0]!) + Math.abs(plain[1]! - 0.8)).toBeGreaterThan(0.05);
  });

  test("reports every step with its band, coarsest first, and takes settings scale by scale", async () => {
    const bands: string[] = [];
    const [coarse, fine] = scalesFor(1);
    const { iterations } = await synthesise(
      low,
      [coarse!, { ...fine!, settings: { beta: 1 } }],
      { seed: 1, count: 1 },
      { details: { beta: 1, h0: 1 }, onStep: ({ band }) => void bands.push(band) },
    );
    expect([...new Set(bands)]).toEqual(["low", "details-2", "details-1"]);
    expect(iterations[1]).toEqual([1]);
    expect(Math.abs(iterations[2]![0]! - 32)).toBeLessThanOrEqual(1); // 32 from level 1; the start is near it
    expect(bands.length).toBe(iterations.flat().reduce((a, b) => a + b));
  });
});
