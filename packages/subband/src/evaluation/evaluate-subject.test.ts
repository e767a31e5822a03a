import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import type { ImageSource } from "../images/image-source.ts";
import type { DrawStep, HostStep } from "../systems/draw.ts";
import type { Pyramid } from "../systems/system.ts";
import { joinBlocks, splitBlocks } from "../wavelet/haar.ts";
import { evaluateSubject, measureReference } from "./evaluate-subject.ts";
import type { DrawnSubject, ImagesSubject } from "./subject.ts";

const COUNT = 32;
const [HEIGHT, WIDTH] = [16, 8];
const SIZE = HEIGHT * WIDTH;
/** Grey images of white noise, of deviation 0.3. */
const images = rng(1, "images")
  .fillNormal(new Float32Array(COUNT * SIZE))
  .map((v) => 0.3 * v);
const source: ImageSource = {
  ...{ channels: 1, height: HEIGHT, width: WIDTH, count: COUNT },
  read: (index, _, into, offset) => into.set(images.subarray(index * SIZE, (index + 1) * SIZE), offset),
};

/** A step that makes each sample from what it is given and from the number of the image. */
function stepOf(
  { name, gives, level }: Pick<HostStep, "name" | "gives" | "level">,
  calls: number,
  make: (index: number, given: Float32Array) => Float32Array,
): HostStep {
  const size = gives.reduce((a, b) => a * b);
  const open: HostStep["open"] = (_, __, batch) =>
    Promise.resolve({
      run(given, { first = 0 }) {
        const data = new Float32Array(batch * size);
        const each = (given?.length ?? 0) / batch;
        for (let i = 0; i < batch; i++)
          data.set(
            make(first + i, given?.subarray(i * each, (i + 1) * each) ?? new Float32Array()),
            i * size,
          );
        return Promise.resolve({ data, calls: new Array<number>(batch).fill(calls), converged: true });
      },
      dispose: () => Promise.resolve(),
    });
  return { kind: "host", name, gives, level, open };
}

const imageOf = (index: number) => {
  const at = (index % COUNT) * SIZE;
  return images.subarray(at, at + SIZE);
};

/** What a system draws by `steps`. */
function drawn(pyramid: Pyramid, steps: readonly DrawStep[]): DrawnSubject {
  const chosen = { sampler: "none", steps: null };
  const draw = { choose: () => chosen, steps: () => steps, describe: () => [] };
  const system = { image: source, stages: [], pyramid, draw };
  return { kind: "drawn", system, arrays: new Map(), chosen, seed: 2, first: 0, count: COUNT };
}

const pictures = (...indices: number[]): ImagesSubject => ({
  kind: "images",
  source,
  indices: Uint32Array.from(indices),
});
const all = pictures(...Array.from({ length: COUNT }, (_, i) => i));
const host = { backend: node(), seed: 2 };
const evaluate = async (subject: DrawnSubject | ImagesSubject, levels: number) =>
  evaluateSubject(subject, await measureReference(all, host), levels, host);

describe("evaluateSubject()", () => {
  test.each([1, 2])(
    "of %d times the data: the deviation of each band is that, the power its square",
    async (k) => {
      const gives = [1, HEIGHT, WIDTH];
      const whole = stepOf({ name: "image", gives, level: 0 }, 5, (i) => imageOf(i).map((v) => k * v));
      const { figures: found, set } = await evaluate(drawn({ levels: 0 }, [whole]), 0);
      expect(found.bands.map(({ band }) => band)).toEqual(["LL"]);
      expectClose(
        found.bands.map(({ stdRatio }) => stdRatio),
        [k],
        { rtol: 1e-5 },
      );
      expectClose([found.radialSpectrumError], [Math.log10(k * k)], { atol: 1e-6 });
      expect(found).toMatchObject({
        ...{ count: COUNT, generated: COUNT, pictures: COUNT, spread: null },
        cost: { nfeLow: 5, nfeDetail: 0, gmac: null, parameters: 0 },
      });
      expect(set.pictures).toEqual(images.map((v) => k * v));
    },
  );

  test("of true low bands with details of white noise: their deviation, and as much spread at a fixed low band", async () => {
    const deviation = 0.6;
    const rms = 0.2;
    const [low, details] = [[1, HEIGHT / 2, WIDTH / 2], SIZE / 4];
    const steps = [
      stepOf({ name: "low", gives: low, level: 1 }, 3, (i) => {
        const [band, ...rest] = Array.from({ length: 4 }, () => new Float32Array(details));
        splitBlocks(imageOf(i), WIDTH / 2, band!, ...(rest as [Float32Array, Float32Array, Float32Array]));
        return band!.map((v) => v / 2);
      }),
      stepOf({ name: "details", gives: [1, HEIGHT, WIDTH], level: 0 }, 1, (i, given) => {
        const noise = rng(3, "details", i)
          .fillNormal(new Float32Array(3 * details))
          .map((v) => deviation * v);
        const image = new Float32Array(SIZE);
        const [h, v, d] = [0, 1, 2].map((b) => noise.subarray(b * details, (b + 1) * details));
        joinBlocks(
          given.map((value) => 2 * value),
          h!,
          v!,
          d!,
          WIDTH / 2,
          image,
        );
        return image;
      }),
    ];
    const pyramid = { levels: 1, detailRms: [[rms, rms, rms]] };
    const { figures: found } = await evaluate(drawn(pyramid, steps), 1);
    expect(found).toMatchObject({ cost: { nfeLow: 3, nfeDetail: 1 } });
    const ratios = Object.fromEntries(found.bands.map(({ band, stdRatio }) => [band, stdRatio]));
    expectClose([ratios["LL"]!], [1], { rtol: 1e-5, what: "low bands are the true ones" });
    // 1024 coefficients of either have a deviation to 1 / sqrt(2048) = 2.2 %.
    for (const band of ["LH", "HL", "HH"])
      expectClose([ratios[band]!], [deviation / 0.3], { rtol: 0.1, what: band });
    expectClose(found.spread!, [deviation / rms], { rtol: 0.05, what: "spread" });
    // E|X - X'|^2 = 2 0.6^2 and E|X - y|^2 = 0.6^2 + 0.3^2, of 1,024 numbers a band.
    for (const { band, ratio } of found.halves!.calibration!)
      expectClose([ratio], [0.72 / 0.45], { rtol: 0.15, what: `calibration of ${band}` });
    expect(found.halves!.oracles).toBeNull();
  });

  test("of pictures there is neither spread nor cost, and others of the same kind differ from them by chance alone", async () => {
    const numbers = Array.from({ length: COUNT / 2 }, (_, i) => i);
    const reference = await measureReference(pictures(...numbers.map((i) => i + COUNT / 2)), host);
    const { figures } = await evaluateSubject(pictures(...numbers), reference, 1, host);
    expect(figures).toMatchObject({ spread: null, cost: null, generated: COUNT / 2, count: COUNT / 2 });
    // 2,048 numbers a band: the ratio of two deviations is within 1 / sqrt(512) of 1 by one standard error.
    for (const { band, stdRatio } of figures.bands) expectClose([stdRatio], [1], { atol: 0.15, what: band });
    expect(figures.radialSpectrumError).toBeLessThan(3 * figures.radialSpectrumFloor!);
    expect(figures.radialSpectrumError).toBeGreaterThan(figures.radialSpectrumFloor! / 3);
  });

  test("of images whose features all lie elsewhere by mu the distances are those of mu; specks and grids are those of the images", async () => {
    const [n, side, d] = [512, 16, 4];
    const noise = rng(4, "many").fillNormal(new Float32Array(2 * n * side * side));
    const many: ImageSource = {
      ...{ channels: 1, height: side, width: side, count: 2 * n },
      read: (index, _, into, offset) =>
        into.set(noise.subarray(index * side * side, (index + 1) * side * side), offset),
    };
    const from = (first: number): ImagesSubject => ({
      ...{ kind: "images", source: many },
      indices: Uint32Array.from({ length: n }, (_, i) => first + i),
    });
    const mu = [0.5, -0.25, 0, 1];
    // The first pixels of an image; those of the second reading moved.
    let moved = 0;
    const extract = (images: Float32Array, _: unknown, count: number) =>
      Promise.resolve(
        Float32Array.from(
          { length: count * d },
          (__, i) => images[Math.floor(i / d) * side * side + (i % d)]! + moved * mu[i % d]!,
        ),
      );
    const extractor = {
      name: "first",
      dimensions: d,
      side: undefined,
      digest: "",
      open: () => Promise.reject(new Error()),
    };
    const features = { extractor, open: { extract, dispose: () => Promise.resolve() } };
    const reference = await measureReference(from(0), { ...host, features });
    moved = 1;
    const { figures } = await evaluateSubject(from(0), reference, 2, { ...host, features });
    const square = mu.reduce((sum, value) => sum + value * value, 0);
    expect(figures.distances!.name).toBe("fd-first");
    expectClose([figures.distances!.frechet], [square], { rtol: 1e-5, what: "Frechet" });
    // 1,000 directions: the mean square along them deviates by some 3 %.
    expectClose([figures.distances!.slicedWasserstein], [Math.sqrt(square / d)], {
      rtol: 0.1,
      what: "sliced",
    });
    expect(figures.distances!.interval!.low).toBeLessThan(square);
    expect(figures.distances!.interval!.high).toBeGreaterThan(square);
    expect(figures.specks!.ratio).toBe(1);
    expectClose(
      figures.blockiness!.map(({ ratio }) => ratio),
      [1, 1],
      { rtol: 1e-9, what: "blockiness" },
    );
    moved = 0;
    const others = await evaluateSubject(from(n), reference, 2, { ...host, features });
    expect(others.figures.distances!.frechet).toBeLessThan(0.1);
    expect(others.figures.distances!.extrapolated).toBeLessThan(others.figures.distances!.frechet);
    const { kid, kidStandardError } = others.figures.distances!;
    expect(Math.abs(kid)).toBeLessThan(4 * kidStandardError);
    expect(others.figures.distances!.nearestRatio).toBeCloseTo(1, 0);
  });

  test("of true low bands without details the oracles are as far as the run, and at 0 with the details of those pictures", async () => {
    const [n, side, d] = [512, 8, 6];
    const noise = rng(5, "oracles").fillNormal(new Float32Array(n * side * side));
    const pixels = (index: number) => noise.subarray(index * side * side, (index + 1) * side * side);
    const many: ImageSource = {
      ...{ channels: 1, height: side, width: side, count: n },
      read: (index, _, into, offset) => into.set(pixels(index), offset),
    };
    const mean = (index: number) =>
      Float32Array.from({ length: 16 }, (_, i) => {
        const at = 2 * side * Math.floor(i / 4) + 2 * (i % 4);
        const of = pixels(index % n);
        return (of[at]! + of[at + 1]! + of[at + side]! + of[at + side + 1]!) / 4;
      });
    const steps = [
      stepOf({ name: "low", gives: [1, 4, 4], level: 1 }, 1, mean),
      stepOf({ name: "details", gives: [1, side, side], level: 0 }, 1, (_, given) =>
        Float32Array.from(
          { length: side * side },
          (__, i) => given[4 * Math.floor(i / side / 2) + Math.floor((i % side) / 2)]!,
        ),
      ),
    ];
    const subject = drawn({ levels: 1 }, steps);
    const system = { ...subject.system, image: many };
    const extract = (images: Float32Array, _: unknown, count: number) =>
      Promise.resolve(
        Float32Array.from(
          { length: count * d },
          (__, i) => images[Math.floor(i / d) * side * side + (i % d)]!,
        ),
      );
    const extractor = {
      ...{ name: "first", dimensions: d, side: undefined, digest: "" },
      open: () => Promise.reject(new Error()),
    };
    const hosted = { ...host, features: { extractor, open: { extract, dispose: () => Promise.resolve() } } };
    const indices = Uint32Array.from({ length: n }, (_, i) => i);
    const reference = await measureReference({ kind: "images", source: many, indices }, hosted);
    const { figures } = await evaluateSubject({ ...subject, system, count: n }, reference, 1, hosted);
    const { realLow, realDetails, neither, images: counted } = figures.halves!.oracles!;
    expect(counted).toBe(n);
    expect(neither).toBeGreaterThan(1);
    expectClose([realLow, neither], [figures.distances!.frechet, figures.distances!.frechet], { rtol: 1e-6 });
    expect(realDetails).toBeLessThan(1e-6);
    // Details that do not vary.
    expect(figures.halves!.calibration!.map(({ ratio }) => ratio)).toEqual([0, 0, 0]);
  });
});
