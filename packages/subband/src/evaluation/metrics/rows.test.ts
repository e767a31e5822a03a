import { describe, expect, test } from "vitest";
import { copyRows, rows, rowsOf } from "./rows.ts";

const D = 3;
const data = Float32Array.from({ length: 7 * D }, (_, i) => Math.sin(i) * 10 ** (i % 9));
const metric = rows(D, (state) => copyRows(state, 0, state.count));
const part = (from: number, to: number) =>
  metric.add(metric.start(), data.subarray(from * D, to * D), to - from);

describe("rows()", () => {
  test("merged in order are those of the whole, to the bit, however they are cut", () => {
    for (const cuts of [[], [1], [0, 4], [1, 2, 3, 4, 5, 6], [7]]) {
      const edges = [0, ...cuts, 7];
      const parts = edges.slice(1).map((to, i) => part(edges[i]!, to));
      const merged = parts.reduce((a, b) => metric.merge(a, metric.decode(metric.encode(b))), metric.start());
      expect(merged.count).toBe(7);
      expect(metric.result(merged), `cut at ${cuts.join()}`).toEqual(data);
      for (let first = 0; first < 7; first++)
        for (let count = 0; first + count <= 7; count++)
          expect(copyRows(merged, first, count), `cut at ${cuts.join()}, ${count} from ${first}`).toEqual(
            data.slice(first * D, (first + count) * D),
          );
    }
  });

  test("are a copy of what was given", () => {
    const given = data.slice();
    const state = metric.add(metric.start(), given, 7);
    given.fill(0);
    expect(metric.result(state)).toEqual(data);
  });

  test("refuse numbers that are none, rows of other features, and a file of something else", () => {
    expect(() => metric.add(metric.start(), data, 6)).toThrow("21 features; expected 6 rows of 3.");
    expect(() => rowsOf(Float32Array.of(1, Infinity), 2)).toThrow("Feature 0 of image 1 is Infinity");
    expect(() => metric.merge(part(0, 7), rowsOf(new Float32Array(4), 2))).toThrow(
      "Rows of 3 and of 2 features have no distance",
    );
    expect(() => metric.decode(new Map())).toThrow('"rows" is missing or of another size');
    expect(() => rows(4, String).decode(metric.encode(part(0, 7)))).toThrow('"rows" is missing');
  });
});
