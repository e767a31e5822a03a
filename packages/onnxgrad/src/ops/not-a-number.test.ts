import { describe, expect, test } from "vitest";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import { maxPool2d } from "./pool.ts";
import { max, min } from "./reduce.ts";
import { reshape } from "./reshape.ts";

/** One row for every place that a NaN can have among n numbers, and one without. */
function rowsOf(n: number): number[][] {
  return Array.from({ length: n + 1 }, (_, place) =>
    Array.from({ length: n }, (__, i) => (i === place ? NaN : ((7 * i) % 5) - 2)),
  );
}

describe("an extremum among which one is NaN is NaN, wherever it stands:", () => {
  // ONNX Runtime works on 4, 8 or 16 elements at a time, and on the rest one by one.
  test.each([1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 65])("of %i", async (n) => {
    const rows = rowsOf(n);
    const program = await compile(node({ threads: 1 }), { inputs: { x: [n + 1, n] } }, ({ x }) => ({
      most: max(x, [1]),
      least: min(x, [1]),
      mostAcross: max(reshape(x, [n, n + 1]), [0]),
    }));
    const { most, least, mostAcross } = await program.run({ x: rows.flat() });
    await program.dispose();
    const numbers = rows.at(-1)!;
    const expected = (best: number) => [...Array<number>(n).fill(NaN), best];
    expect([...most], "max").toEqual(expected(Math.max(...numbers)));
    expect([...least], "min").toEqual(expected(Math.min(...numbers)));
    const columns = Array.from({ length: n + 1 }, (_, column) =>
      Math.max(...Array.from({ length: n }, (__, row) => rows.flat()[row * (n + 1) + column]!)),
    );
    expect([...mostAcross], "max over the outer axis").toEqual(columns);
  });

  test.each([
    [2, 2],
    [3, 3],
    [3, 1],
    [2, 3],
  ])("in windows of %i with stride %i", async (kernel, stride) => {
    const side = 18;
    const places = side * side;
    const program = await compile(node({ threads: 1 }), { inputs: { x: [1, 1, side, side] } }, ({ x }) => ({
      y: maxPool2d(x, kernel, stride),
    }));
    const out = Math.floor((side - kernel) / stride) + 1;
    for (let place = 0; place < places; place += 5) {
      const x = Array.from({ length: places }, (_, i) => (i === place ? NaN : (3 * i) % 11));
      const { y } = await program.run({ x });
      const expected = Array.from({ length: out * out }, (_, at) => {
        const [top, left] = [Math.floor(at / out) * stride, (at % out) * stride];
        const window = Array.from(
          { length: kernel * kernel },
          (__, tap) => x[(top + Math.floor(tap / kernel)) * side + left + (tap % kernel)]!,
        );
        return Math.max(...window);
      });
      expect([...y], `NaN at ${place}`).toEqual(expected);
    }
    await program.dispose();
  });
});
