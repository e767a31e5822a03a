import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { legacyRandn } from "../../../../../tests/support/numpy-random.ts";
import { goldenSets, NEIGHBOURS_GOLDEN } from "./neighbours-golden.testing.ts";
import { normalRows } from "./rows.testing.ts";
import { copyRows, rowsOf, type Rows } from "./rows.ts";
import { slicedDistance, slicedWasserstein } from "./sliced-wasserstein.ts";

const backend = node();

describe("slicedDistance()", () => {
  for (const golden of NEIGHBOURS_GOLDEN)
    test(`equals numpy: ${golden.name}`, async () => {
      const [a, b] = goldenSets(golden);
      const drawn = legacyRandn(golden.directions)(20 * golden.d);
      const along = rowsOf(unit(drawn, golden.d), 20);
      // Of features near 100 float32 keeps 1e-5.
      expectClose([await slicedDistance(backend, a, b, along)], [golden.sliced], { rtol: 1e-5, atol: 1e-5 });
      expectClose([await slicedDistance(backend, b, a, along)], [golden.sliced], { rtol: 1e-5, atol: 1e-5 });
    });

  test("along one axis is the distance of that feature", async () => {
    const a = rowsOf(Float32Array.of(0, 9, 1, 9, 5, 9), 3);
    const b = rowsOf(Float32Array.of(1, 9, 7, 9), 2);
    // 0, 1, 5 against 1, 7 by sixths: 0 and 1 on 1/3, 1 and 1 on 1/6, 1 and 7 on 1/6, 5 and 7 on 1/3.
    const want = Math.sqrt(1 / 3 + 0 + 36 / 6 + 4 / 3);
    expectClose([await slicedDistance(backend, a, b, rowsOf(Float32Array.of(1, 0), 1))], [want], {
      rtol: 1e-6,
    });
  });
});

describe("slicedWasserstein()", () => {
  test("of rows that are moved by mu is |mu| / sqrt(d)", async () => {
    const d = 10;
    const real = normalRows(1, 300, d);
    const moved = rowsOf(
      real.chunks[0]!.map((value, i) => value + (i % d)),
      300,
    );
    const figure = slicedWasserstein(backend, real, { projections: 1000 });
    const { distance } = await figure.result(moved);
    // 285 = 0 + 1 + 4 + ... + 81; the mean of 1,000 squared cosines is known to 4 %, its root to 2 %.
    expectClose([distance], [Math.sqrt(285 / d)], { rtol: 0.06 });
  });

  test("of Gaussians of deviations s and 1 is |s - 1|, of any numbers of rows", async () => {
    const found = await slicedWasserstein(backend, normalRows(1, 9000, 4), { projections: 50 }).result(
      normalRows(2, 4000, 4, (value) => 3 * value),
    );
    expectClose([found.distance], [2], { rtol: 0.05 });
    expect(found).toEqual({
      distance: found.distance,
      projections: 50,
      seed: 0,
      generated: 4000,
      real: 9000,
    });
  });

  test("has other directions for another seed, the same for the same; to itself nothing is far", async () => {
    const [a, b] = [normalRows(1, 300, 5, (value, k) => value + k), normalRows(2, 400, 5)];
    const by = async (seed: number, from: Rows = a) =>
      (await slicedWasserstein(backend, b, { projections: 30, seed }).result(from)).distance;
    expect(await by(1)).toBe(await by(1));
    expect(await by(2)).not.toBe(await by(1));
    expect(await by(1, b)).toBe(0);
  });

  test("as a figure counted in parts it is that of the whole, to the bit", async () => {
    const [a, b] = goldenSets(NEIGHBOURS_GOLDEN[1]!);
    const figure = slicedWasserstein(backend, b, { projections: 20 });
    const part = (from: number, to: number) =>
      figure.add(figure.start(), copyRows(a, from, to - from), to - from);
    const merged = figure.merge(part(0, 600), figure.decode(figure.encode(part(600, a.count))));
    expect(await figure.result(merged)).toEqual(await figure.result(a));
    await expect(figure.result(figure.start())).rejects.toThrow("of 0 images: at least 1 are needed");
  });
});

/** Rows of length 1. */
function unit(drawn: Float64Array, d: number): Float32Array {
  const length = (i: number) => Math.hypot(...drawn.subarray(i * d, (i + 1) * d));
  return Float32Array.from(drawn, (value, at) => value / length(Math.floor(at / d)));
}
