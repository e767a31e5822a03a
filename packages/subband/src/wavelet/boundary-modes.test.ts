/** @module The boundary modes on four samples, against what PyWavelets' `pad` gives. */
import { describe, expect, test } from "vitest";
import { BOUNDARY_MODES, type BoundaryMode, extendInPlace } from "./boundary-modes.ts";

describe("extendInPlace()", () => {
  test("continues 1 2 4 8 by nine values on each side", () => {
    // Two whole periods of every periodic mode are in sight. The samples stand between the bars.
    const expected: Readonly<Record<BoundaryMode, string>> = {
      zero: "0 0 0 0 0 0 0 0 0 | 1 2 4 8 | 0 0 0 0 0 0 0 0 0",
      constant: "1 1 1 1 1 1 1 1 1 | 1 2 4 8 | 8 8 8 8 8 8 8 8 8",
      symmetric: "1 1 2 4 8 8 4 2 1 | 1 2 4 8 | 8 4 2 1 1 2 4 8 8",
      reflect: "8 4 2 1 2 4 8 4 2 | 1 2 4 8 | 4 2 1 2 4 8 4 2 1",
      periodic: "8 1 2 4 8 1 2 4 8 | 1 2 4 8 | 1 2 4 8 1 2 4 8 1",
      periodization: "8 1 2 4 8 1 2 4 8 | 1 2 4 8 | 1 2 4 8 1 2 4 8 1",
      smooth: "-8 -7 -6 -5 -4 -3 -2 -1 0 | 1 2 4 8 | 12 16 20 24 28 32 36 40 44",
      antisymmetric: "-1 1 2 4 8 -8 -4 -2 -1 | 1 2 4 8 | -8 -4 -2 -1 1 2 4 8 -8",
      antireflect: "-20 -16 -14 -13 -12 -10 -6 -2 0 | 1 2 4 8 | 12 14 15 16 18 22 26 28 29",
    };
    for (const mode of BOUNDARY_MODES) {
      const buffer = new Float64Array(22);
      buffer.set([1, 2, 4, 8], 9);
      extendInPlace(buffer, 9, 4, mode);
      const got = `${buffer.slice(0, 9).join(" ")} | 1 2 4 8 | ${buffer.slice(13).join(" ")}`;
      expect(got.replaceAll("-0", "0"), mode).toBe(expected[mode]);
    }
  });

  test("pads an odd length to an even one for periodization", () => {
    const buffer = new Float64Array(9);
    buffer.set([1, 2, 4], 3);
    extendInPlace(buffer, 3, 3, "periodization");
    expect([...buffer]).toEqual([2, 4, 4, 1, 2, 4, 4, 1, 2]);
  });
});
