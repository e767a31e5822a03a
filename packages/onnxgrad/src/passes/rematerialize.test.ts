import { describe, expect, test } from "vitest";
import { gradients, valueAndGrad } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { add, mul, square } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { exp, leakyRelu, relu, silu, sin } from "../ops/elementary.ts";
import { groupNorm } from "../ops/normalization.ts";
import { mean } from "../ops/reduce.ts";
import { sum } from "../ops/sum.ts";
import { reshape } from "../ops/reshape.ts";
import { input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { reachable, type Tensor } from "../trace/tensor.ts";
import { peakBytes } from "./liveness.ts";
import { optimize } from "./optimize.ts";
import { rematerialize } from "./rematerialize.ts";
import { verify } from "./verify.ts";

const LAYERS = 4;
/** 128 KB, twice what the pass leaves alone. */
const SHAPE = [2, 4, 64, 64];
const BYTES = 4 * SHAPE.reduce((a, b) => a * b, 1);

type Layer = (x: Tensor, i: number) => Tensor;

const affine = (i: number) => ({ scale: input(`scale${i}`, [4]), shift: input(`shift${i}`, [4]) });
/** 1 x 1, which the interpreter does quickly. */
const conv = (x: Tensor, i: number) => conv2d(x, input(`w${i}`, [4, 4, 1, 1]));

/** A loss through `LAYERS` layers and its gradients with respect to all inputs but x. */
function trainingStep(layer: Layer): Tensor[] {
  const loss = mean(square(Array.from({ length: LAYERS }).reduce<Tensor>((x, _, i) => layer(x, i), image())));
  const parameters = inputsOf([loss]).filter(({ node }) => (node.attrs as { name: string }).name !== "x");
  return optimize([loss, ...gradients(loss, parameters)]);
}

const image = () => input("x", SHAPE);
const inputsOf = (outputs: readonly Tensor[]) =>
  reachable(outputs).flatMap(({ op, outputs: made }) => (op.name === "input" ? made : []));

function expectSameValues(got: readonly Tensor[], want: readonly Tensor[]): void {
  const feeds = Object.fromEntries(
    inputsOf(want).map((tensor) => {
      const { name } = tensor.node.attrs as { name: string };
      return [name, rng(1, name).fillNormal(new Float64Array(tensor.size))];
    }),
  );
  const [a, b] = [interpret(got, feeds), interpret(want, feeds)];
  a.forEach(({ data }, i) => expect(data, `output ${i}`).toEqual(b[i]!.data));
}

describe("peakBytes()", () => {
  test("counts what must exist at the same time, changes of shape and inputs not", () => {
    const x = input("x", [100]);
    // exp(x) lives until the sum; sin(x) beside it, then the sum beside both.
    expect(peakBytes([add(reshape(exp(x), [10, 10]), reshape(sin(x), [10, 10]))])).toBe(3 * 400);
    expect(peakBytes([sin(exp(sin(exp(x))))])).toBe(2 * 400);
    expect(peakBytes([x])).toBe(0);
  });
});

describe("rematerialize()", () => {
  test("keeps one tensor a layer of normalisation, silu and convolution instead of three", () => {
    const step = trainingStep((x, i) => conv(silu(groupNorm(x, 2, affine(i))), i));
    const next = rematerialize(step);
    verify(next);
    expectSameValues(next, step);
    // Of the last layer everything exists where the peak is; of the others two tensors less each.
    expect(peakBytes(step) - peakBytes(next)).toBeGreaterThanOrEqual(2 * (LAYERS - 2) * BYTES);
  });
  test("recomputes an activation from its convolution's output", () => {
    const step = trainingStep((x, i) => relu(mul(conv(x, i), 0.5)));
    const next = rematerialize(step);
    verify(next);
    expectSameValues(next, step);
    // The gradient's mask, a byte an element, is beside the others where the peak is.
    expect(peakBytes(next)).toBeLessThanOrEqual(peakBytes(step) - BYTES + BYTES / 4 + 4);
  });
  test("copies no heavy operation", () => {
    const heavy = (outputs: readonly Tensor[]) =>
      reachable(outputs).filter(({ op }) => /^(conv2d|matmul|standardize|sum)/.test(op.name)).length;
    const step = trainingStep((x, i) => conv(silu(groupNorm(x, 2, affine(i))), i));
    expect(heavy(rematerialize(step))).toBe(heavy(step));
  });
  test("is undone by common-subexpression elimination, so it comes after it", () => {
    const step = trainingStep((x, i) => conv(silu(groupNorm(x, 2, affine(i))), i));
    expect(reachable(optimize(rematerialize(step)))).toHaveLength(reachable(step).length);
  });
  test("keeps the values of a gradient of a gradient", () => {
    const x = image();
    const { value, grads } = valueAndGrad((w: Tensor) => {
      const score = (t: Tensor) => sum(square([1, 2, 3, 4].reduce((h) => leakyRelu(conv2d(h, w), 0.2), t)));
      const [slope] = gradients(score(x), [x]);
      return add(score(x), sum(square(slope!)));
    })(input("w", [4, 4, 1, 1]));
    const step = optimize([value, grads]);
    const next = rematerialize(step);
    verify(next);
    expectSameValues(next, step);
    expect(peakBytes(next)).toBeLessThanOrEqual(peakBytes(step));
  });
  test("leaves alone what is small and what needs no memory across its peak", () => {
    const small = input("small", [8]);
    const chain = [sin(exp(small)), sin(exp(image()))];
    expect(rematerialize(chain)).toEqual(chain);
  });
});
