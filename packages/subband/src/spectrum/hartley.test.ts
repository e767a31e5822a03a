import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, test } from "vitest";
import { fft2 } from "./fft2.ts";
import { hartley2 } from "./hartley.ts";

const sizes = [
  [1, 1],
  [1, 5],
  [4, 4],
  [3, 7],
  [6, 9],
  [8, 5],
] as const;

describe("fft2()", () => {
  test("is the double sum of its definition, and inverse undoes it", () => {
    for (const [height, width] of sizes) {
      const what = `${height} x ${width}`;
      const re = rng(1, "fft2").fillNormal(new Float64Array(height * width));
      const im = rng(2, "fft2").fillNormal(new Float64Array(height * width));
      const wantRe: number[] = [];
      const wantIm: number[] = [];
      for (let k = 0; k < height; k++)
        for (let l = 0; l < width; l++) {
          let [sumRe, sumIm] = [0, 0];
          for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) {
              const angle = -2 * Math.PI * ((k * y) / height + (l * x) / width);
              const [c, s] = [Math.cos(angle), Math.sin(angle)];
              sumRe += re[y * width + x]! * c - im[y * width + x]! * s;
              sumIm += re[y * width + x]! * s + im[y * width + x]! * c;
            }
          wantRe.push(sumRe);
          wantIm.push(sumIm);
        }
      const [gotRe, gotIm] = [re.slice(), im.slice()];
      const transform = fft2(height, width);
      transform.forward(gotRe, gotIm);
      expectClose(gotRe, wantRe, { atol: 1e-12, what: `${what}, real` });
      expectClose(gotIm, wantIm, { atol: 1e-12, what: `${what}, imaginary` });
      transform.inverse(gotRe, gotIm);
      expectClose(gotRe, re, { atol: 1e-13, what: `${what}, real and back` });
      expectClose(gotIm, im, { atol: 1e-13, what: `${what}, imaginary and back` });
    }
  });
});

describe("hartley2()", () => {
  test("has the rows cos + sin over sqrt(n), and is its own inverse, for every size", () => {
    for (const [height, width] of sizes) {
      const what = `${height} x ${width}`;
      const x = rng(3, "hartley").fillNormal(new Float64Array(height * width));
      const want = x.map((_, at) => {
        const [k, l] = [Math.floor(at / width), at % width];
        return x.reduce((sum, value, i) => {
          const angle = 2 * Math.PI * ((k * Math.floor(i / width)) / height + (l * (i % width)) / width);
          return sum + (value * (Math.cos(angle) + Math.sin(angle))) / Math.sqrt(x.length);
        }, 0);
      });
      const got = x.slice();
      const transform = hartley2(height, width);
      transform(got);
      expectClose(got, want, { atol: 1e-12, what });
      transform(got);
      expectClose(got, x, { atol: 1e-12, what: `${what}, twice` });
    }
  });
});
