import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { meanPowerSpectrum2 } from "./power-spectrum.ts";
import { greyImages, radialMean, radialPowerSpectrum, radialSpectrumError } from "./radial.ts";

const SIZES: readonly (readonly [number, number])[] = [[1, 1], [8, 8], [7, 9], [16, 12], [5, 32], [31, 31]]; // prettier-ignore
const noise = (length: number, index = 0): Float64Array =>
  rng(6, "radial", index).fillNormal(new Float64Array(length));

/** Amplitude times a cosine of ky, kx cycles over the image, with a phase. */
function wave(height: number, width: number, ky: number, kx: number, amplitude: number): Float64Array {
  return Float64Array.from({ length: height * width }, (_, i) => {
    const turns = (ky * Math.floor(i / width)) / height + (kx * (i % width)) / width;
    return amplitude * Math.cos(2 * Math.PI * turns + 0.4);
  });
}

describe("meanPowerSpectrum2()", () => {
  test("sums to the mean energy of the images (Parseval), for any size and an odd or even number", () => {
    for (const [height, width] of SIZES) {
      for (const count of [1, 2, 3]) {
        const images = noise(count * height * width, count);
        const energy = images.reduce((sum, value) => sum + value * value, 0) / count;
        const total = meanPowerSpectrum2(images, height, width).reduce((a, b) => a + b);
        expectClose([total], [energy], { rtol: 1e-10, what: `${count} x ${height} x ${width}` });
      }
    }
  });

  test("of several images is the mean of those of each", () => {
    const [height, width, count] = [6, 7, 5];
    const images = noise(count * 42);
    const mean = new Float64Array(42);
    for (let i = 0; i < count; i++) {
      meanPowerSpectrum2(images.subarray(42 * i, 42 * (i + 1)), height, width).forEach((value, k) => {
        mean[k] = mean[k]! + value / count;
      });
    }
    expectClose(meanPowerSpectrum2(images, height, width), mean, { rtol: 1e-10 });
  });

  test("of a pure wave has two lines of a quarter of its squared amplitude times the area", () => {
    for (const [height, width, ky, kx] of [
      [8, 8, 1, 3],
      [9, 7, 2, 0],
      [15, 16, 4, 5],
    ] as const) {
      const want = new Float64Array(height * width);
      want[ky * width + kx] = want[((height - ky) % height) * width + ((width - kx) % width)] =
        (4 * height * width) / 4;
      const got = meanPowerSpectrum2(wave(height, width, ky, kx, 2), height, width);
      expectClose(got, want, { rtol: 1e-10, atol: 1e-10, what: `${height} x ${width}, wave ${ky},${kx}` });
    }
  });

  test("refuses a set that is not whole images", () => {
    expect(() => meanPowerSpectrum2(new Float32Array(63), 8, 8)).toThrow("images: 63 numbers");
    expect(() => meanPowerSpectrum2([], 8, 8)).toThrow("expected a positive multiple of 8 x 8 = 64");
  });
});

describe("radialMean()", () => {
  test("of a constant is that constant, in floor(N / 2) + 1 rings", () => {
    for (const [height, width] of SIZES) {
      const want = new Float64Array(Math.floor(Math.min(height, width) / 2) + 1).fill(3);
      expectClose(radialMean(new Float64Array(height * width).fill(3), height, width), want, {
        what: `${height} x ${width}`,
      });
    }
  });

  test("measures radius in cycles a shorter side: a 16 x 8 wave of 4 cycles along its height is at radius 2", () => {
    const got = radialPowerSpectrum(wave(16, 8, 4, 0, 1), 16, 8);
    expect(got.map((value) => Number(value > 1e-9))).toEqual(Float64Array.of(0, 0, 1, 0, 0));
  });
});

describe("radialPowerSpectrum()", () => {
  test("of white noise is flat at its variance", () => {
    const got = radialPowerSpectrum(
      noise(600 * 32 * 32).map((value) => 0.5 * value),
      32,
      32,
    );
    // Ring r >= 1 averages over 600 images and at least 4 frequencies in pairs: 4 standard errors of 1 / sqrt(1200).
    expectClose(got.subarray(1), new Float64Array(16).fill(0.25), { rtol: 0.12, atol: 0 });
  });

  test("of a wave of k cycles along an axis is all in ring k", () => {
    for (const k of [1, 5, 10, 15]) {
      const got = radialPowerSpectrum(wave(32, 32, 0, k, 1), 32, 32);
      got.forEach((value, ring) => expect(value > 1e-9, `wave ${k}, ring ${ring}`).toBe(ring === k));
    }
  });
});

describe("radialSpectrumError()", () => {
  const real = radialPowerSpectrum(noise(20 * 16 * 16), 16, 16);

  test("is 0 for equal spectra, and |log10 gain| for a gain of power, whatever happens to the mean level", () => {
    expect(radialSpectrumError(real, real)).toBe(0);
    for (const gain of [10, 0.1, 2]) {
      const scaled = real.map((value, ring) => (ring === 0 ? 1e6 : gain * value));
      expectClose([radialSpectrumError(scaled, real)], [Math.abs(Math.log10(gain))], {
        what: `gain ${gain}`,
      });
    }
  });

  test("averages over radii 1..N/2: one ring of 8 ten times too strong counts 1 / 8", () => {
    expectClose(
      [
        radialSpectrumError(
          real.map((value, ring) => (ring === 3 ? 10 * value : value)),
          real,
        ),
      ],
      [1 / 8],
    );
  });

  test("stays finite for constant images", () => {
    const constant = radialPowerSpectrum(new Float64Array(256).fill(0.5), 16, 16);
    expect(Number.isFinite(radialSpectrumError(constant, real))).toBe(true);
  });

  test("refuses spectra of different sizes or of single pixels", () => {
    expect(() => radialSpectrumError(real, real.subarray(1))).toThrow("radial spectra: 9 and 8 bins");
    expect(() => radialSpectrumError([1], [1])).toThrow("2 or more");
  });
});

describe("greyImages()", () => {
  test("weighs channels by BT.601 luma, image by image, and copies one channel", () => {
    const pixels = [1, 2, 10, 20, 100, 200, 0, 1, 0, 1, 0, 1]; // [2, 3, 1, 2]
    const want = [0.299 + 5.87 + 11.4, 0.598 + 11.74 + 22.8, 0, 1];
    expectClose(greyImages(pixels, 3, 1, 2), want);
    expectClose(greyImages(pixels, 1, 1, 2), pixels);
    expect(() => greyImages(pixels, 4, 1, 1)).toThrow("channels: 4; expected 1 or 3");
  });
});
