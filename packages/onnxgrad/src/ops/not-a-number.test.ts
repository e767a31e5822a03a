import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import type { Backend } from "../runtime/backend.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import type { Tensor } from "../trace/tensor.ts";
import { conv2d } from "./conv.ts";
import { abs, leakyRelu, relu } from "./elementary.ts";
import { maxPool2d } from "./pool.ts";
import { max, min } from "./reduce.ts";
import { sum } from "./sum.ts";
import { reshape } from "./reshape.ts";
import { constant } from "./source.ts";

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

const CPU: Readonly<Record<string, () => Backend>> = {
  "on one thread": () => node({ threads: 1 }),
  "on two threads": () => node({ threads: 2, shards: 1 }),
  "split over the batch": () => node({ threads: 2, shards: 2 }),
};
const GPU_FORMS: Readonly<Record<string, () => Backend>> = {
  "in the forms for GPUs": () => ({ ...node({ threads: 1 }), processor: "gpu" }),
};

/** Functions with a kink, and their derivatives as PyTorch has them. */
const KINKED: Readonly<
  Record<string, readonly [f: (x: Tensor) => Tensor, derivative: (x: number) => number]>
> = {
  relu: [relu, (x) => (x <= 0 ? 0 : 1)],
  "leakyRelu 0": [(x) => leakyRelu(x, 0), (x) => (x > 0 ? 1 : 0)],
  "leakyRelu 0.2": [(x) => leakyRelu(x, 0.2), (x) => (x > 0 ? 1 : Math.fround(0.2))],
  "leakyRelu 1.5": [(x) => leakyRelu(x, 1.5), (x) => (x > 0 ? 1 : 1.5)],
  abs: [abs, (x) => Number(x > 0) - Number(x < 0)],
};

describe.each(Object.entries({ ...CPU, ...GPU_FORMS }))(
  "the gradient at NaN is PyTorch's, %s:",
  (_, backend) => {
    // ONNX Runtime computes some of these within the convolution before them.
    test.each(Object.entries(KINKED))("%s after a convolution", async (__, [f, derivative]) => {
      const shape = [4, 1, 5, 7];
      const x = Float32Array.from({ length: 140 }, (___, i) => (i % 6 === 0 ? NaN : (i % 5) - 2));
      const program = await compile(backend(), { inputs: { x: shape } }, (given) => {
        const y = f(conv2d(given.x, constant([1], [1, 1, 1, 1])));
        return { loss: sum(y), slope: gradients(sum(y), [given.x])[0]! };
      });
      const { slope } = await program.run({ x });
      await program.dispose();
      expect(Array.from(slope, (v) => v + 0)).toEqual(Array.from(x, derivative));
    });
  },
);

// For GPUs pooling leaves to the device what becomes of NaN.
describe.each(Object.entries(CPU))("the gradient of a window is PyTorch's, %s:", (_, backend) => {
  test.each([
    [2, 2],
    [2, 1],
    [3, 3],
    [3, 2],
  ])("the last NaN or the first maximum takes it, windows of %i with stride %i", async (kernel, stride) => {
    const side = 9;
    const shape = [4, 1, side, side];
    const x = Float32Array.from({ length: 4 * side ** 2 }, (__, i) =>
      i % 7 === 0 || i % 11 === 1 ? NaN : (3 * i) % 4,
    );
    const program = await compile(backend(), { inputs: { x: shape } }, (given) => {
      const y = maxPool2d(given.x, kernel, stride);
      return { loss: sum(y), slope: gradients(sum(y), [given.x])[0]! };
    });
    const { slope } = await program.run({ x });
    await program.dispose();
    const expected = new Float32Array(x.length);
    for (let image = 0; image < 4; image++)
      for (let top = 0; top + kernel <= side; top += stride)
        for (let left = 0; left + kernel <= side; left += stride) {
          const window = Array.from(
            { length: kernel ** 2 },
            (__, tap) => side ** 2 * image + (top + Math.floor(tap / kernel)) * side + left + (tap % kernel),
          );
          const taken = window.reduce((best, at) => (x[at]! > x[best]! || Number.isNaN(x[at]) ? at : best));
          expected[taken]!++;
        }
    expect(slope).toEqual(expected);
  });
});
