import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { hartley2 } from "../../spectrum/hartley.ts";
import { blockAverages } from "./block-averages.ts";
import { blurMeasurement, type BlurKernel } from "./blur.ts";
import { frequencies, lowFrequencies } from "./frequencies.ts";
import type { ImageExtents, LinearMeasurement } from "./measurement.ts";
import { inpainting, randomPixels } from "./pixels.ts";
import { randomRows } from "./random-rows.ts";

const sizes: readonly ImageExtents[] = [
  [1, 1, 1],
  [1, 4, 4],
  [1, 5, 7],
  [1, 7, 5],
  [3, 6, 4],
  [2, 9, 3],
  [1, 16, 12],
  [3, 13, 11],
];

const random = (purpose: string, length: number): Float64Array =>
  rng(1, purpose).fillNormal(new Float64Array(length));
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Known pixels in a chequered pattern; an image of one pixel knows it. */
const chequered = ([, height, width]: ImageExtents): Uint8Array =>
  Uint8Array.from({ length: height * width }, (_, i) => (Math.floor(i / width) + (i % width) + 1) % 2);

/** An asymmetric kernel, as large as the image allows, with zeros in its transfer function where the sizes are even. */
function kernelFor([, height, width]: ImageExtents): BlurKernel {
  const odd = (n: number): number => Math.min(3, n - 1 + (n % 2));
  const [rows, columns] = [odd(height), odd(width)];
  const values = Float64Array.from({ length: rows * columns }, (_, i) => 1 + (i % 2) + (i === 0 ? 0.3 : 0));
  return { height: rows, width: columns, values };
}

const makers: Readonly<Record<string, (extents: ImageExtents) => LinearMeasurement>> = {
  "inpainting, mask a pixel": (extents) => inpainting(extents, chequered(extents)),
  "inpainting, mask a value": (extents) =>
    inpainting(
      extents,
      random("mask", extents[0] * extents[1] * extents[2]).map((v, i) => (i === 0 || v > 0 ? 255 : 0)),
    ),
  "random values": (extents) => randomPixels(extents, extents[1] === 1 ? 1 : 0.3, 7),
  "random whole pixels": (extents) =>
    randomPixels(extents, extents[1] === 1 ? 1 : 0.3, 7, { wholePixels: true }),
  "block averages, factor 2": (extents) => blockAverages(extents, 2),
  "block averages, factor 4": (extents) => blockAverages(extents, 4),
  "block averages, factor 8": (extents) => blockAverages(extents, 8),
  "low frequencies": (extents) => lowFrequencies(extents, extents[1] === 1 ? 1 : 0.2),
  "all frequencies": (extents) => lowFrequencies(extents, 1),
  blur: (extents) => blurMeasurement(extents, kernelFor(extents)),
  "random rows": (extents) => randomRows(extents, extents[1] === 1 ? 1 : 0.25, 7),
  "all rows": (extents) => randomRows(extents, 1, 7),
};

describe("every measurement", () => {
  const grid = Object.entries(makers).flatMap(([name, make]) =>
    sizes.map((extents) => ({ what: `${name}, [${extents.join(", ")}]`, make, extents })),
  );

  test("has orthonormal columns: M^T M m = m", () => {
    for (const { what, make, extents } of grid) {
      const measurement = make(extents);
      expect(measurement.count, what).toBeGreaterThanOrEqual(1);
      expect(measurement.count, what).toBeLessThanOrEqual(measurement.size);
      const m = random("measured", measurement.count);
      expectClose(measurement.measure(measurement.adjoint(m)), m, { atol: 1e-12, what });
    }
  });

  test("measures by the adjoint of M: <M^T x, m> = <x, M m>", () => {
    for (const { what, make, extents } of grid) {
      const measurement = make(extents);
      const x = random("image", measurement.size);
      const m = random("measured", measurement.count);
      expectClose([dot(measurement.measure(x), m)], [dot(x, measurement.adjoint(m))], { atol: 1e-11, what });
    }
  });

  test("projects by M M^T: as measure then adjoint, idempotent, self-adjoint, and no longer than x", () => {
    for (const { what, make, extents } of grid) {
      const measurement = make(extents);
      const [x, y] = [random("image", measurement.size), random("other", measurement.size)];
      const projected = measurement.project(x);
      expectClose(projected, measurement.adjoint(measurement.measure(x)), { atol: 1e-12, what });
      expectClose(measurement.project(projected), projected, { atol: 1e-12, what: `${what}, twice` });
      const symmetric = [dot(projected, y), dot(x, measurement.project(y))] as const;
      expectClose([symmetric[0]], [symmetric[1]], { atol: 1e-11, what: `${what}, self-adjoint` });
      expect(dot(projected, projected), what).toBeLessThanOrEqual(dot(x, x) * (1 + 1e-12));
    }
  });

  test("has a projector of trace count: it measures no less than it says", () => {
    for (const { what, make, extents } of grid) {
      const measurement = make(extents);
      if (measurement.size > 100) continue;
      let trace = 0;
      for (let i = 0; i < measurement.size; i++) {
        const unit = new Float64Array(measurement.size);
        unit[i] = 1;
        trace += measurement.project(unit)[i]!;
      }
      expectClose([trace], [measurement.count], { what });
    }
  });

  test("leaves its arguments as they were and keeps their precision", () => {
    for (const { what, make, extents } of grid) {
      const measurement = make(extents);
      const x = Float32Array.from(random("image", measurement.size));
      const before = x.slice();
      const m = measurement.measure(x);
      const measured = m.slice();
      for (const result of [m, measurement.adjoint(m), measurement.project(x)])
        expect(result, what).toBeInstanceOf(Float32Array);
      expect(x, what).toEqual(before);
      expect(m, what).toEqual(measured);
      expect(measurement.adjoint(m).length, what).toBe(measurement.size);
      expect(m.length, what).toBe(measurement.count);
    }
  });

  test("refuses images and data of another size", () => {
    for (const { what, make, extents } of grid) {
      const measurement = make(extents);
      for (const run of [
        () => measurement.measure(new Float32Array(measurement.size + 1)),
        () => measurement.project(new Float32Array(measurement.size + 1)),
        () => measurement.adjoint(new Float32Array(measurement.count + 1)),
      ])
        expect(run, what).toThrow(/expected \d+\. Use the extents/);
    }
  });
});

describe("inpainting()", () => {
  test("keeps the known pixels of every channel and zeroes the rest", () => {
    const measurement = inpainting([2, 1, 3], [1, 0, 255]);
    expect([...measurement.project(new Float64Array([1, 2, 3, 4, 5, 6]))]).toEqual([1, 0, 3, 4, 0, 6]);
    expect([...measurement.measure(new Float64Array([1, 2, 3, 4, 5, 6]))]).toEqual([1, 3, 4, 6]);
  });

  test("refuses a mask of another size and one that hides everything", () => {
    expect(() => inpainting([3, 4, 4], new Uint8Array(15))).toThrow("mask: 15 values; expected 4 x 4 = 16");
    expect(() => inpainting([3, 4, 4], new Uint8Array(16))).toThrow("mask: hides the whole image");
  });
});

describe("randomPixels()", () => {
  test("keeps exactly floor(share n) values, or whole pixels, as a function of the seed", () => {
    for (const share of [0.1, 0.2, 0.333, 0.5, 1]) {
      expect(randomPixels([3, 7, 5], share, 1).count, `values, ${share}`).toBe(Math.floor(share * 105));
      const whole = randomPixels([3, 7, 5], share, 1, { wholePixels: true });
      expect(whole.count, `pixels, ${share}`).toBe(3 * Math.floor(share * 35));
      const kept = whole.project(new Float64Array(105).fill(1));
      expect(kept.subarray(0, 35), `pixels, ${share}`).toEqual(kept.subarray(70));
    }
    const kept = (seed: number): Float64Array =>
      randomPixels([1, 8, 8], 0.5, seed).project(new Float64Array(64).fill(1));
    expect(kept(1)).toEqual(kept(1));
    expect(kept(1)).not.toEqual(kept(2));
  });
});

describe("blockAverages()", () => {
  test("measures sums over the square root of the area; the picture holds the means, at borders too", () => {
    const measurement = blockAverages([1, 3, 5], 2);
    expect(measurement.lowExtents).toEqual([1, 2, 3]);
    const x = Float64Array.from({ length: 15 }, (_, i) => i);
    const means = [(0 + 1 + 5 + 6) / 4, (2 + 3 + 7 + 8) / 4, (4 + 9) / 2, (10 + 11) / 2, (12 + 13) / 2, 14];
    const m = measurement.measure(x);
    const roots = [2, 2, Math.SQRT2, Math.SQRT2, Math.SQRT2, 1];
    expectClose(
      m,
      means.map((mean, i) => mean * roots[i]!),
      { rtol: 1e-12 },
    );
    expectClose(measurement.toPicture(m), means, { rtol: 1e-12 });
    expectClose(measurement.fromPicture(measurement.toPicture(m)), m, { rtol: 1e-12 });
  });

  test("of factor s is a sum over s where it divides, in every channel (as published)", () => {
    for (const factor of [2, 4, 8]) {
      const x = random("image", 2 * 8 * 16);
      const got = blockAverages([2, 8, 16], factor).measure(x);
      const [rows, columns] = [8 / factor, 16 / factor];
      const want = got.map((_, k) => {
        const [channel, at] = [Math.floor(k / (rows * columns)), k % (rows * columns)];
        let sum = 0;
        for (let dy = 0; dy < factor; dy++)
          for (let dx = 0; dx < factor; dx++) {
            const y = Math.floor(at / columns) * factor + dy;
            sum += x[(channel * 8 + y) * 16 + (at % columns) * factor + dx]!;
          }
        return sum / factor;
      });
      expectClose(got, want, { rtol: 1e-12, what: `factor ${factor}` });
    }
  });

  test("refuses factors that are no integer of at least 2", () => {
    for (const factor of [0, 1, -2, 2.5, Number.NaN])
      expect(() => blockAverages([1, 4, 4], factor), `factor ${factor}`).toThrow(UserError);
  });
});

describe("lowFrequencies()", () => {
  test("keeps waves within the box and removes those outside, in any phase", () => {
    const [height, width] = [12, 15];
    const measurement = lowFrequencies([1, height, width], 0.2); // |ky| <= 2, |kx| <= 3
    expect(measurement.count).toBe(5 * 7);
    for (const [ky, kx, inside] of [
      [0, 0, true],
      [2, 3, true],
      [-2, 3, true],
      [3, 0, false],
      [0, 4, false],
      [6, 7, false],
    ] as const) {
      const wave = Float64Array.from({ length: height * width }, (_, i) =>
        Math.cos(0.7 + 2 * Math.PI * ((ky * Math.floor(i / width)) / height + (kx * (i % width)) / width)),
      );
      const want = inside ? wave : new Float64Array(wave.length);
      expectClose(measurement.project(wave), want, { atol: 1e-12, what: `frequency ${ky}, ${kx}` });
    }
  });

  test("holds the asked share where the box can, unlike the published mask (18.8 % for 20 %)", () => {
    for (const [extents, share] of [
      [[3, 60, 60], 0.2],
      [[1, 64, 64], 0.1],
      [[1, 101, 67], 0.25],
    ] as const) {
      const { count, size } = lowFrequencies(extents, share);
      expectClose([count / size], [share], { rtol: 0.06, what: `[${extents.join(", ")}], share ${share}` });
    }
  });

  test("the published mask is refused by name: it keeps -k without k", () => {
    const keep = Uint8Array.from({ length: 64 }, (_, i) => {
      const [y, x] = [Math.floor(i / 8), i % 8];
      return (y < 2 || y >= 6) && (x < 2 || x >= 6) ? 1 : 0; // rows 0, 1 and -2, -1
    });
    expect(() => frequencies([1, 8, 8], keep)).toThrow("keeps [0, 6] without its mirror image");
    expect(() => frequencies([1, 8, 8], keep.subarray(1))).toThrow("expected 8 x 8 = 64");
    expect(() => frequencies([1, 8, 8], new Uint8Array(64))).toThrow("keeps nothing");
  });
});

describe("blurMeasurement()", () => {
  const box = (rows: number, columns: number): BlurKernel => ({
    height: rows,
    width: columns,
    values: new Float64Array(rows * columns).fill(1),
  });

  test("blurs by periodic convolution with the normalised kernel", () => {
    const extents = [2, 5, 6] as const;
    const kernel = { height: 3, width: 5, values: random("kernel", 15).map(Math.abs) };
    const sum = kernel.values.reduce((a, b) => a + b);
    const x = random("image", 60);
    const want = x.map((_, at) => {
      const [channel, y, column] = [Math.floor(at / 30), Math.floor((at % 30) / 6), at % 6];
      let total = 0;
      for (let dy = -1; dy <= 1; dy++)
        for (let dx = -2; dx <= 2; dx++)
          total +=
            (kernel.values[(dy + 1) * 5 + dx + 2]! / sum) *
            x[channel * 30 + ((y - dy + 5) % 5) * 6 + ((column - dx + 6) % 6)]!;
      return total;
    });
    expectClose(blurMeasurement(extents, kernel).blur(x), want, { rtol: 1e-11 });
  });

  test("gets the measured values of the sharp image from the blurred one, for kernels with and without zeros", () => {
    for (const extents of sizes) {
      for (const kernel of [kernelFor(extents), box(1, 1), box(Math.min(extents[1], 3) | 1, 1)]) {
        if (kernel.height > extents[1] || kernel.width > extents[2]) continue;
        const measurement = blurMeasurement(extents, kernel);
        const x = random("image", measurement.size);
        expectClose(measurement.measureBlurred(measurement.blur(x)), measurement.measure(x), {
          atol: 1e-11,
          what: `[${extents.join(", ")}], kernel ${kernel.height} x ${kernel.width}`,
        });
      }
    }
  });

  test("counts frequencies that the kernel removes as unmeasured", () => {
    // A box of 3 on 12 pixels has the gain (1 + 2 cos(2 pi k / 12)) / 3: zero at k = 4 and 8.
    const measurement = blurMeasurement([1, 12, 1], box(3, 1));
    expect(measurement.count).toBe(10);
    const wave = Float64Array.from({ length: 12 }, (_, i) => Math.cos((2 * Math.PI * 4 * i) / 12 + 1));
    expectClose(measurement.project(wave), new Float64Array(12), { atol: 1e-12 });
    const want = [...Array(12).keys()]
      .filter((k) => k !== 4 && k !== 8)
      .map((k) => Math.abs(1 + 2 * Math.cos((2 * Math.PI * k) / 12)) / 3);
    expectClose(measurement.gains, want, { rtol: 1e-10 });
    expect(blurMeasurement([1, 12, 1], box(3, 1), { leastGain: 0.5 }).count).toBe(5); // |k| <= 2
  });

  test("tells the noise of each measured value", () => {
    const measurement = blurMeasurement([1, 12, 1], box(3, 1), { leastGain: 0.2 });
    const sigma = 0.1;
    const draws = 4000;
    const squares = new Float64Array(measurement.count);
    for (let i = 0; i < draws; i++) {
      const noise = rng(2, "blur-noise", i)
        .fillNormal(new Float64Array(12))
        .map((value) => sigma * value);
      measurement.measureBlurred(noise).forEach((value, k) => (squares[k]! += value * value));
    }
    expectClose(
      squares.map((square) => Math.sqrt(square / draws)),
      measurement.noiseOf(sigma),
      { rtol: 4 / Math.sqrt(2 * draws) },
    );
  });

  test("refuses kernels that are even, larger than the image, of zero sum or not finite", () => {
    const refused = (kernel: BlurKernel, message: string): void =>
      expect(() => blurMeasurement([1, 5, 5], kernel), message).toThrow(message);
    refused(box(2, 3), "kernel: 2 x 3; expected odd extents");
    refused(box(7, 3), "kernel: 7 x 3; expected at most the image's 5 x 5");
    refused({ height: 1, width: 3, values: [-1, 0, 1] }, "sums to zero");
    refused({ height: 1, width: 3, values: [0, 0, 0] }, "sums to zero");
    refused({ height: 1, width: 3, values: [1, Number.NaN, 1] }, "not finite");
    refused({ height: 1, width: 3, values: [1, 1] }, "expected as many values, got 2");
    expect(() => blurMeasurement([1, 5, 5], box(1, 1), { leastGain: 0 })).toThrow("leastGain: 0");
  });
});

describe("randomRows()", () => {
  test("spreads a single pixel over all measured values, which no plain frequency of an image does", () => {
    const measurement = randomRows([1, 32, 32], 0.2, 3);
    expect(measurement.count).toBe(204);
    const unit = new Float64Array(1024);
    unit[500] = 1;
    const m = measurement.measure(unit);
    // Hartley entries are at most sqrt(2 / n).
    expect(Math.max(...m.map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(2 / 1024) + 1e-12);
    // A constant image has one Hartley coefficient; with random signs its energy spreads evenly: 20 % is measured.
    const flat = new Float64Array(1024).fill(1);
    const plain = flat.slice();
    hartley2(32, 32)(plain);
    expectClose([plain[0]! ** 2], [1024]);
    const measured = dot(measurement.measure(flat), measurement.measure(flat)) / 1024;
    expect(Math.abs(measured - 204 / 1024)).toBeLessThan(0.1); // 4 standard errors of sqrt(2 / 204) * 0.2 is 0.08
  });

  test("is a function of the seed, and quick at 3 x 64 x 64", () => {
    const x = random("image", 3 * 64 * 64);
    expect(randomRows([3, 64, 64], 0.1, 5).measure(x)).toEqual(randomRows([3, 64, 64], 0.1, 5).measure(x));
    expect(randomRows([3, 64, 64], 0.1, 5).measure(x)).not.toEqual(
      randomRows([3, 64, 64], 0.1, 6).measure(x),
    );
  });
});

describe("extents and shares out of range", () => {
  test("are told with what is allowed", () => {
    for (const extents of [
      [0, 4, 4],
      [1, -1, 4],
      [1, 4, 2.5],
    ] as const)
      for (const [name, make] of Object.entries(makers).filter(([name]) => !name.includes("mask a value")))
        expect(() => make(extents), `${name}, [${extents.join(", ")}]`).toThrow(
          "expected positive integers [channels, height, width]",
        );
    for (const share of [0, -0.1, 1.1, Number.NaN, 0.001])
      for (const make of [randomPixels, randomRows, lowFrequencies])
        expect(() => make([1, 4, 4], share, 1), `${make.name}, ${share}`).toThrow(
          "expected a share in (0, 1]",
        );
  });
});
