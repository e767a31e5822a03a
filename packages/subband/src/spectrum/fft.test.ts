import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { fft } from "./fft.ts";

/** Powers of two, primes, highly composite and odd sizes. */
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 27, 31, 32, 45, 60, 64, 97, 100, 127, 128, 360];

/** The definition, term by term. */
function dft(re: Float64Array, im: Float64Array): [Float64Array, Float64Array] {
  const n = re.length;
  const out: [Float64Array, Float64Array] = [new Float64Array(n), new Float64Array(n)];
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      const angle = (-2 * Math.PI * ((k * j) % n)) / n;
      out[0][k] = out[0][k]! + re[j]! * Math.cos(angle) - im[j]! * Math.sin(angle);
      out[1][k] = out[1][k]! + re[j]! * Math.sin(angle) + im[j]! * Math.cos(angle);
    }
  }
  return out;
}

describe("fft()", () => {
  for (const size of SIZES) {
    test(`of ${size} points agrees with the definition and inverts`, () => {
      const random = rng(1, "fft", size);
      const [re, im] = [random.fillNormal(new Float64Array(size)), random.fillNormal(new Float64Array(size))];
      const [gotRe, gotIm] = [re.slice(), im.slice()];
      const transform = fft(size);
      const [wantRe, wantIm] = dft(re, im);
      transform.forward(gotRe, gotIm);
      expectClose(gotRe, wantRe, { rtol: 0, atol: 1e-10, what: `size ${size}, real` });
      expectClose(gotIm, wantIm, { rtol: 0, atol: 1e-10, what: `size ${size}, imaginary` });
      transform.inverse(gotRe, gotIm);
      expectClose(gotRe, re, { rtol: 0, atol: 1e-12, what: `size ${size}, real, back` });
      expectClose(gotIm, im, { rtol: 0, atol: 1e-12, what: `size ${size}, imaginary, back` });
    });
  }

  test("keeps its precision at a large prime size: a pure tone has one line", () => {
    const size = 10_007;
    const tone = (part: (angle: number) => number): Float64Array =>
      Float64Array.from({ length: size }, (_, n) => part((2 * Math.PI * ((1234 * n) % size)) / size));
    const [re, im] = [tone(Math.cos), tone(Math.sin)];
    fft(size).forward(re, im);
    expectClose(
      re,
      Float64Array.from({ length: size }, (_, k) => (k === 1234 ? size : 0)),
      { rtol: 0, atol: 1e-8 },
    );
    expectClose(im, new Float64Array(size), { rtol: 0, atol: 1e-8 });
  });

  test("refuses a size that is not a positive integer", () => {
    for (const size of [0, -4, 2.5, Number.NaN])
      expect(() => fft(size), `${size}`).toThrow(`fft size: ${size}`);
  });
});
