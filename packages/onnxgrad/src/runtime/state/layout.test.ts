import { describe, expect, test } from "vitest";
import { adamInit } from "../../optim/adam.ts";
import { full, ndarray } from "../../trace/ndarray.ts";
import { pack } from "../../trace/packed.ts";
import { layoutOf, State } from "./state.ts";

const params = pack({ weight: ndarray([2, 3], [1, 2, 3, 4, 5, 6]), bias: full([3], -0) });
const tree = { params, adam: adamInit(params), rate: full([1], 7) };
const shapes = (state: State) => [...state.tensors()].map(([name, { shape }]) => [name, shape]);

describe("layoutOf()", () => {
  test("keeps names and shapes, and a state of it begins as zeros", () => {
    const blank = new State(layoutOf(tree));
    expect(shapes(blank)).toEqual(shapes(new State(tree)));
    for (const { data } of blank.tensors().values()) expect(data.every((value) => value === 0)).toBe(true);
  });

  test("a state of it takes up what another holds", () => {
    const blank = new State(layoutOf(tree));
    blank.load(new State(tree).tensors());
    expect(blank.tree()).toEqual(new State(tree).tree());
  });

  test("takes no memory: of a billion numbers nothing is allocated, and of their state nothing is touched", () => {
    const large = layoutOf({ w: { shape: [20_000, 50_000], data: new Float32Array(0) } });
    const before = process.memoryUsage.rss();
    const [w] = [...new State(large).tensors().values()];
    expect(w!.data).toHaveLength(1e9);
    expect(process.memoryUsage.rss() - before).toBeLessThan(500e6);
  });
});

test("pack() copies every bit, the sign of zeros too", () => {
  expect(params.tree.bias.data).toEqual(Float32Array.of(-0, -0, -0));
  expect(params.size).toBe(9);
});
