import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import { add, div, mul, square } from "../ops/arithmetic.ts";
import { exp, leakyRelu, pow, sin, softplus } from "../ops/elementary.ts";
import { cast, greater, stopGradient } from "../ops/compare.ts";
import { conv2d } from "../ops/conv.ts";
import { mean } from "../ops/reduce.ts";
import { sum } from "../ops/sum.ts";
import { reshape } from "../ops/reshape.ts";
import { input } from "../ops/source.ts";
import { adam, adamInit } from "../optim/adam.ts";
import { rng } from "../random/threefry.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import { expectClose } from "../testing/expect-close.ts";
import { ndarray } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import { reachable, type Tensor } from "../trace/tensor.ts";
import { gradients, valueAndGrad } from "./gradients.ts";

const evaluate = (tensors: readonly Tensor[], feeds: Record<string, number[]>) =>
  interpret(tensors, feeds).map(({ data }) => [...data]);

describe("gradients()", () => {
  test("of x^3 are 3x^2, 6x, 6 and 0", () => {
    const x = input("x", []);
    const orders = [pow(x, 3)];
    for (let n = 0; n < 4; n++) orders.push(gradients(orders.at(-1)!, [x])[0]!);
    expectClose(evaluate(orders, { x: [1.7] }).flat(), [1.7 ** 3, 3 * 1.7 ** 2, 6 * 1.7, 6, 0], {
      rtol: 1e-12,
      atol: 1e-12,
    });
  });

  test("of what the output does not depend on are zeros of its shape", () => {
    const [x, unused] = [input("x", [2]), input("unused", [3, 2])];
    const grads = gradients(sum(x), [x, unused]);
    expect(grads.map(({ shape }) => shape)).toEqual([[2], [3, 2]]);
    expect(evaluate(grads, { x: [1, 2] })).toEqual([
      [1, 1],
      [0, 0, 0, 0, 0, 0],
    ]);
  });

  test("add up over all uses of a shared subexpression, which is differentiated once", () => {
    const x = input("x", []);
    const shared = exp(x);
    const [grad] = gradients(add(mul(shared, shared), sin(shared)), [x]);
    // d/dx (e^2x + sin e^x) = 2 e^2x + e^x cos e^x
    const e = Math.exp(0.3);
    expectClose(evaluate([grad!], { x: [0.3] })[0]!, [2 * e * e + e * Math.cos(e)], { rtol: 1e-12 });
    expect(reachable([grad!]).filter(({ op }) => op.name === "exp")).toHaveLength(1);
  });

  test("of a chain of doublings stay linear in its length", () => {
    const x = input("x", []);
    let y = x;
    for (let i = 0; i < 40; i++) y = add(y, y);
    const [grad] = gradients(y, [x]);
    expect(evaluate([grad!], { x: [1] })).toEqual([[2 ** 40]]);
    expect(reachable([grad!]).length).toBeLessThan(100);
  });

  test("do not pass stopGradient, casts or comparisons", () => {
    const x = input("x", [2]);
    const [grad] = gradients(sum(mul(x, stopGradient(x))), [x]);
    expect(evaluate([grad!], { x: [3, -5] })).toEqual([[3, -5]]);
    const [blocked] = gradients(sum(cast(greater(x, 0), "float32")), [x]);
    expect(evaluate([blocked!], { x: [3, -5] })).toEqual([[0, 0]]);
  });

  test("reach tensors in the middle of the graph, alone or together with the inputs", () => {
    const x = input("x", [2]);
    const middle = square(x);
    const loss = sum(mul(middle, x));
    const [toMiddle, toInput] = gradients(loss, [middle, x]);
    expect(evaluate([toMiddle!, toInput!], { x: [2, 3] })).toEqual([
      [2, 3],
      [12, 27],
    ]);
    expect(evaluate(gradients(loss, [middle]), { x: [2, 3] })).toEqual([[2, 3]]);
  });

  test("of a scalar to itself are one", () => {
    const x = input("x", []);
    expect(evaluate(gradients(x, [x]), {})).toEqual([[1]]);
  });

  test("of an output with elements are weighted by the cotangent", () => {
    const x = input("x", [3]);
    const grads = gradients(square(x), [x], input("g", [3]));
    expect(evaluate(grads, { x: [1, 2, 3], g: [1, 10, 100] })).toEqual([[2, 40, 600]]);
  });

  test("sum over what was broadcast", () => {
    const [scale, x] = [input("scale", [2, 1]), input("x", [3])];
    const [toScale, toX] = gradients(sum(mul(scale, x)), [scale, x]);
    expect(evaluate([toScale!, toX!], { scale: [2, 3], x: [1, 10, 100] })).toEqual([
      [111, 111],
      [5, 5, 5],
    ]);
  });

  test("give a Hessian-vector product by differentiating once more", () => {
    // f = sum(x)^3: every second derivative is 6 sum(x).
    const [x, v] = [input("x", [3]), input("v", [3])];
    const [grad] = gradients(pow(sum(x), 3), [x]);
    const [product] = gradients(sum(mul(grad!, v)), [x]);
    const want = 6 * 6 * (1 - 2 + 4);
    expectClose(evaluate([product!], { x: [1, 2, 3], v: [1, -2, 4] })[0]!, [want, want, want], {
      rtol: 1e-12,
    });
  });
});

describe("valueAndGrad()", () => {
  test("keeps the structure of the parameters and hands further results out", () => {
    const params = { w: input("w", [2]), nested: [{ b: input("b", []) }] as const };
    const { value, grads, aux } = valueAndGrad((p: typeof params) => {
      const y = add(square(p.w), p.nested[0].b);
      return { loss: sum(y), y };
    })(params);
    const feeds = { w: [3, 4], b: [1] };
    expect(evaluate([value, grads.w, grads.nested[0].b, aux.y], feeds)).toEqual([
      [27],
      [6, 8],
      [2],
      [10, 17],
    ]);
  });
});

describe("a gradient penalty", () => {
  test("R1 trains: loss and penalty of a small discriminator fall", async () => {
    const random = rng(3, "r1");
    const normal = (shape: number[], scale: number) =>
      ndarray(
        shape,
        random.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))).map((v) => v * scale),
      );
    const params = pack({
      first: normal([8, 1, 3, 3], 0.5),
      second: normal([8, 8, 3, 3], 0.2),
      last: normal([1, 8, 4, 4], 0.2),
    });
    const n = 8;
    const discriminator = (p: { first: Tensor; second: Tensor; last: Tensor }, x: Tensor) => {
      const h1 = leakyRelu(conv2d(x, p.first, { padding: 1 }), 0.2);
      const h2 = leakyRelu(conv2d(h1, p.second, { padding: 1, stride: 2 }), 0.2);
      return reshape(conv2d(h2, p.last), [n]);
    };
    const step = await compile(
      node({ threads: 1 }),
      {
        state: { params, adam: adamInit(params) },
        inputs: { real: [n, 1, 8, 8], fake: [n, 1, 8, 8] },
        debug: true,
      },
      ({ state, real, fake }) => {
        const { value, grads, aux } = valueAndGrad((p: typeof state.params) => {
          const onReal = discriminator(p, real);
          const [slope] = gradients(sum(onReal), [real]);
          const penalty = div(sum(square(slope!)), n);
          const adversarial = add(mean(softplus(mul(onReal, -1))), mean(softplus(discriminator(p, fake))));
          return { loss: add(adversarial, mul(penalty, 0.5)), penalty };
        })(state.params);
        const next = adam(state.params, grads, state.adam, { lr: 3e-3 });
        return { state: { params: next.params, adam: next.state }, loss: value, penalty: aux.penalty };
      },
    );
    const losses: number[] = [];
    for (let i = 0; i < 60; i++) {
      const noise = rng(4, "images", i);
      const real = noise
        .fillNormal(new Float32Array(n * 64))
        .map((v, k) => 0.3 * v + ((k >> 3) & 1 ? 1 : -1));
      const fake = noise.fillNormal(new Float32Array(n * 64));
      losses.push((await step.run({ real, fake })).loss[0]!);
    }
    await step.dispose();
    const average = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length;
    expect(losses.every(Number.isFinite)).toBe(true);
    // Untrained, the adversarial part alone is 2 log 2 = 1.39.
    expect(average(losses.slice(-10))).toBeLessThan(0.5 * average(losses.slice(0, 3)));
    expect(average(losses.slice(-10))).toBeLessThan(1);
  });
});
