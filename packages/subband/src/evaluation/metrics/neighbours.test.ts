import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { goldenSets, NEIGHBOURS_GOLDEN } from "./neighbours-golden.testing.ts";
import { type NeighbourFigures, neighbours } from "./neighbours.ts";
import { normalRows, pickRows } from "./rows.testing.ts";
import { copyRows, type Rows, rowsOf } from "./rows.ts";

const backend = node();
const figures = (a: Rows, b: Rows, k?: number): Promise<NeighbourFigures> =>
  neighbours(backend, b, k === undefined ? {} : { k }).result(a);
const FOUR = ["precision", "recall", "density", "coverage"] as const;

describe("neighbours()", () => {
  for (const golden of NEIGHBOURS_GOLDEN)
    for (const want of golden.balls)
      test(`equals numpy: ${golden.name}, k = ${want.k}`, async () => {
        const [a, b] = goldenSets(golden);
        const found = await figures(a, b, want.k);
        const list = (each: Readonly<Record<(typeof FOUR)[number], number>>) =>
          FOUR.map((name) => each[name]);
        expectClose(list(found), list(want), { rtol: 1e-14, atol: 0, what: FOUR.join() });
        expect(found).toMatchObject({ k: want.k, generated: a.count, real: b.count });
      });

  test("of real images: density 1, coverage 1 - 2^-k, precision as recall (Naeem et al. 2020, lemmas 1 and 2)", async () => {
    const [n, k] = [2000, 3];
    const found = await figures(normalRows(1, n, 6), normalRows(2, n, 6), k);
    expect(found.density).toBeCloseTo(1, 1);
    expect(found.coverage).toBeCloseTo(1 - 2 ** -k, 1);
    expect(found.precision).toBeCloseTo(found.recall, 1);
  });

  test("of a set and itself all are 1, density aside; of sets far apart all are 0", async () => {
    const set = normalRows(1, 200, 4);
    expect(await figures(set, set)).toMatchObject({ precision: 1, recall: 1, coverage: 1, k: 5 });
    const away = normalRows(2, 200, 4, (value) => value + 1000);
    expect(await figures(away, set)).toMatchObject({ precision: 0, recall: 0, density: 0, coverage: 0 });
  });

  test("a ball does not hold its surface", async () => {
    // On a line at 0, 1, ..., 9 every ball reaches to the next point; 10 lies on the surface of that of 9.
    const line = (...at: readonly number[]) => rowsOf(Float32Array.from(at), at.length);
    const real = line(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    expect(await figures(line(10, 11), real, 1)).toMatchObject({ precision: 0, density: 0, coverage: 0 });
    expect(await figures(line(9.75, 20), real, 1)).toMatchObject({
      precision: 0.5,
      density: 0.5,
      coverage: 0.1,
      recall: 1, // the ball of 20 reaches to 9.75, that of 9.75 beyond 0
    });
  });

  test("generated images that are few real ones, again and again, are precise and cover little", async () => {
    const real = normalRows(1, 500, 4);
    const collapsed = pickRows(
      real,
      Array.from({ length: 500 }, (_, i) => i % 10),
    );
    const found = await figures(collapsed, real);
    expect(found.precision).toBe(1);
    expect(found.coverage).toBeLessThan(0.2);
    expect(found.recall).toBe(0); // copies are at 0 from each other: their balls are empty
  });

  test("as a figure counted in parts it is that of the whole, to the bit", async () => {
    const [a, b] = goldenSets(NEIGHBOURS_GOLDEN[1]!);
    const figure = neighbours(backend, b);
    const part = (from: number, to: number) =>
      figure.add(figure.start(), copyRows(a, from, to - from), to - from);
    const merged = figure.merge(part(0, 1), figure.decode(figure.encode(part(1, a.count))));
    const whole = await figure.result(a);
    expect(await figure.result(merged)).toEqual(whole);
    expect(await figure.result(merged)).toEqual(whole); // the balls of the reference are kept
  });

  test("refuses sets with fewer images than balls need", async () => {
    await expect(figures(normalRows(1, 5, 2), normalRows(2, 9, 2))).rejects.toThrow(
      "Balls to 5 neighbours of 5 images: at least 6 are needed.",
    );
  });
});
