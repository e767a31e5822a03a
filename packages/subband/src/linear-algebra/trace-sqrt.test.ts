import { expectClose } from "onnxgrad/testing";
import { describe, test } from "vitest";
import { decaying, withEigenvalues } from "./matrices.testing.ts";
import { traceSqrt } from "./trace-sqrt.ts";

const SLOW = process.env["SLOW"] === "1";

/** The k-th eigenvalue of either matrix: the two share their eigenvectors, so that the trace is sum sqrt(a_k b_k). */
const SPECTRA: Readonly<Record<string, (d: number) => readonly [Float64Array, Float64Array]>> = {
  "well conditioned": (d) => [decaying(d, 1), decaying(d, 0.5, 4)],
  "condition 1e10": (d) => [decaying(d, 10), decaying(d, 10, 3)],
  "small where the other is large": (d) => [decaying(d, 10), decaying(d, 10).reverse()],
  "a quarter of full rank": (d) => [decaying(d, 3).fill(0, d / 4), decaying(d, 2)],
  "halves that hardly meet": (d) => [decaying(d, 1).fill(0, d / 2), decaying(d, 1).fill(0, 0, d / 2 - 1)],
};

describe("traceSqrt()", () => {
  for (const d of SLOW ? [64, 256, 1024, 2048] : [64, 256])
    for (const [name, spectra] of Object.entries(SPECTRA))
      test(
        `${d} x ${d}, ${name}: equals sum sqrt(a b) where A and B share their eigenvectors`,
        { timeout: 600_000 },
        () => {
          const [a, b] = spectra(d);
          const want = a.reduce((sum, value, i) => sum + Math.sqrt(value * b[i]!), 0);
          const got = traceSqrt(withEigenvalues(a, 1), withEigenvalues(b, 1), d);
          expectClose([got], [want], { rtol: 1e-8, atol: 0 });
        },
      );

  test("of A and A it is tr A, and the order of the two does not matter", () => {
    const [d, a, b] = [40, withEigenvalues(decaying(40, 8), 1), withEigenvalues(decaying(40, 3), 2)];
    const trace = decaying(d, 8).reduce((sum, value) => sum + value, 0);
    expectClose([traceSqrt(a, a, d)], [trace], { rtol: 1e-13 });
    expectClose([traceSqrt(a, b, d)], [traceSqrt(b, a, d)], { rtol: 1e-13 });
    expectClose([traceSqrt(a, new Float64Array(d * d), d)], [0], { atol: 0 });
  });
});
