import { describe, expect, test } from "vitest";
import { GraphError } from "../errors.ts";
import { interpret } from "../interpret/interpret.ts";
import { input } from "../ops/source.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import { expectClose } from "../testing/expect-close.ts";
import { ndarray, scalar } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import { adam, adamInit, type AdamOptions } from "./adam.ts";
import { clipByGlobalNorm } from "./clip.ts";
import { ema } from "./ema.ts";
import { flatten, unflatten } from "./flat.ts";
import { scheduleFactor } from "./schedule.ts";
import { sgd, sgdInit, type SgdOptions } from "./sgd.ts";

/**
 * Five steps of PyTorch 1.13 (float64) from p = [0.5, -1, 2] with gradient sin(k + i) + 0.5 p_i at step k:
 *
 * for k in range(5):
 *     p.grad = torch.sin(torch.arange(3.) + k) + 0.5 * p.detach(); optimizer.step(); print(p)
 */
const START = [0.5, -1, 2];
type Trajectory = readonly (readonly number[])[];

const ADAM: readonly (readonly [torch: string, AdamOptions, Trajectory])[] = [
  [
    "Adam(lr=0.1)",
    { lr: 0.1 },
    [
      [0.400000004, -1.099999997, 1.900000001],
      [0.3120071255, -1.200100224, 1.80489522],
      [0.2187328291, -1.213442299, 1.727314637],
      [0.1338456661, -1.166208403, 1.666337913],
      [0.09087296341, -1.099335815, 1.603050601],
    ],
  ],
  [
    "Adam(lr=0.05, betas=(0.5, 0.9), eps=1e-3)",
    { lr: 0.05, betas: [0.5, 0.9], epsilon: 1e-3 },
    [
      [0.4501992032, -1.049854002, 1.950026174],
      [0.4001545319, -1.100454441, 1.905335058],
      [0.3473876726, -1.090632309, 1.876800665],
      [0.3082808994, -1.043457272, 1.861519043],
      [0.3089303344, -0.9872601134, 1.835975247],
    ],
  ],
  [
    "AdamW(lr=0.1, weight_decay=0.2)",
    { lr: 0.1, weightDecay: 0.2 },
    [
      [0.390000004, -1.079999997, 1.860000001],
      [0.2941548835, -1.158527383, 1.727946867],
      [0.1949637687, -1.151722166, 1.617027798],
      [0.1064509499, -1.082707545, 1.52626879],
      [0.06237669083, -0.9949602607, 1.435775459],
    ],
  ],
];

const SGD: readonly (readonly [torch: string, SgdOptions, Trajectory])[] = [
  [
    "SGD(lr=0.1)",
    { lr: 0.1 },
    [
      [0.475, -1.034147098, 1.809070257],
      [0.3671029015, -1.073369486, 1.704504744],
      [0.2578180138, -1.033813013, 1.694959756],
      [0.2308151123, -0.9064421126, 1.706104196],
      [0.2949546062, -0.7652275795, 1.648740536],
    ],
  ],
  [
    "SGD(lr=0.1, momentum=0.9, weight_decay=0.05)",
    { lr: 0.1, momentum: 0.9, weightDecay: 0.05 },
    [
      [0.4725, -1.029147098, 1.799070257],
      [0.3376154015, -1.089706139, 1.505172624],
      [0.1067206731, -1.098387439, 1.233560509],
      [-0.1210662203, -0.9701090506, 1.017156205],
      [-0.2437355327, -0.7054100755, 0.7943902903],
    ],
  ],
  [
    "SGD(lr=0.1, momentum=0.9, nesterov=True)",
    { lr: 0.1, momentum: 0.9, nesterov: true },
    [
      [0.4525, -1.064879487, 1.637233489],
      [0.2293830129, -1.164141597, 1.300230414],
      [-0.0698852842, -1.135779654, 1.10357454],
      [-0.2672414471, -0.8982479349, 0.9943384275],
      [-0.2661256192, -0.536162531, 0.8180103902],
    ],
  ],
];

/** The parameters as a tree of two leaves, so that flattening is exercised. */
const params = pack({ a: ndarray([2], START.slice(0, 2)), b: { c: ndarray([1, 1], START.slice(2)) } });
const inputs = { a: [2], c: [1, 1] } as const;
const gradientAt = (p: ArrayLike<number>, k: number) =>
  Array.from(p, (value, i) => Math.sin(k + i) + 0.5 * value);

describe("adam()", () => {
  test.each(ADAM)("walks the path of PyTorch's %s", async (what, options, path) => {
    const step = await compile(
      node({ threads: 1 }),
      { state: { params, adam: adamInit(params) }, inputs, debug: true },
      ({ state, a, c }) => {
        const next = adam(state.params, { b: { c }, a }, state.adam, options);
        return { state: { params: next.params, adam: next.state } };
      },
    );
    for (const [k, want] of path.entries()) {
      const g = gradientAt(step.state.tree().params.data, k);
      await step.run({ a: g.slice(0, 2), c: g.slice(2) });
      // In float32, 1 - 0.999 is off by 1.3e-5, its root by 6e-6: of five updates of 0.1 each that is 3e-6.
      expectClose(step.state.tree().params.data, want, { rtol: 1e-6, atol: 4e-6, what: `${what} step ${k}` });
    }
    expect(step.state.tree().adam.step.data[0]).toBe(path.length);
    await step.dispose();
  });

  test("takes the learning rate as a fed scalar", async () => {
    const step = await compile(
      node({ threads: 1 }),
      { state: { params, adam: adamInit(params) }, inputs: { ...inputs, lr: [] } },
      ({ state, a, c, lr }) => {
        const next = adam(state.params, { a, b: { c } }, state.adam, { lr, weightDecay: 0.2 });
        return { state: { params: next.params, adam: next.state } };
      },
    );
    const g = gradientAt(START, 0);
    await step.run({ a: g.slice(0, 2), c: g.slice(2), lr: 0.1 });
    expectClose(step.state.tree().params.data, ADAM[2]![2][0]!, { rtol: 1e-5, atol: 2e-6 });
    await step.dispose();
  });
});

describe("sgd()", () => {
  test.each(SGD)("walks the path of PyTorch's %s", async (what, options, path) => {
    const step = await compile(
      node({ threads: 1 }),
      { state: { params, velocity: sgdInit(params) }, inputs, debug: true },
      ({ state, a, c }) => {
        const next = sgd(state.params, { a, b: { c } }, state.velocity, options);
        return { state: { params: next.params, velocity: next.velocity } };
      },
    );
    for (const [k, want] of path.entries()) {
      const g = gradientAt(step.state.tree().params.data, k);
      await step.run({ a: g.slice(0, 2), c: g.slice(2) });
      expectClose(step.state.tree().params.data, want, { rtol: 1e-6, atol: 1e-6, what: `${what} step ${k}` });
    }
    await step.dispose();
  });
});

describe("clipByGlobalNorm()", () => {
  const grads = { a: input("a", [2]), b: [input("b", [1, 1])] };
  const clip = (maxNorm: number, a: number[], b: number[]) => {
    const { grads: clipped, norm } = clipByGlobalNorm(grads, maxNorm);
    return interpret([clipped.a, clipped.b[0]!, norm], { a, b }).map(({ data }) => [...data]);
  };
  test("scales a gradient of norm 13 to norm 6.5 and gives 13", () => {
    const [a, b, norm] = clip(6.5, [3, -4], [12]);
    expectClose([...a!, ...b!, ...norm!], [1.5, -2, 6, 13], { rtol: 1e-9 });
  });
  test("scales gradients whose squares are beyond float32, and the smallest, by their norm", async () => {
    const program = await compile(node({ threads: 1 }), { inputs: { a: [2], b: [1] } }, ({ a, b }) => {
      const { grads: clipped, norm } = clipByGlobalNorm({ a, b }, 1);
      return { a: clipped.a, b: clipped.b, norm };
    });
    for (const size of [1e-35, 1e-25, 1e-9, 1, 1e18, 1e20, 1e30, 1e37]) {
      const { a, b, norm } = await program.run({ a: [3 * size, -4 * size], b: [12 * size] });
      const kept = Math.min(1, 1 / (13 * size));
      const expected = [3, -4, 12, 13 / kept].map((v) => v * size * kept);
      expectClose([...a, ...b, ...norm], expected, { rtol: 1e-6, atol: 0, what: `size ${size}` });
    }
    await program.dispose();
  });
  test("gives no zeros for what cannot be scaled: an infinite gradient, a norm beyond float32, NaN", async () => {
    const program = await compile(node({ threads: 1 }), { inputs: { a: [3] } }, ({ a }) => ({
      a: clipByGlobalNorm({ a }, 1).grads.a,
    }));
    for (const a of [
      [Infinity, 1, 2],
      [3e38, 3e38, 3e38],
      [1, NaN, 2],
    ])
      expect([...(await program.run({ a })).a], String(a)).toEqual([NaN, NaN, NaN]);
    await program.dispose();
  });
  test("refuses a bound that is not positive, where it is traced", () => {
    for (const bound of [-1, 0, -0, NaN, -Infinity, 1e-50, 1e39]) {
      expect(() => clipByGlobalNorm(grads, bound), String(bound)).toThrow(GraphError);
      expect(() => clipByGlobalNorm(grads, bound), String(bound)).toThrow(
        `clipByGlobalNorm: maxNorm is ${bound}. Give a positive number`,
      );
    }
    expect(clip(Infinity, [3, -4], [12])).toEqual([[3, -4], [12], [13]]);
  });
  test("leaves a gradient within the norm, and a zero gradient, as it is", () => {
    expect(clip(13.5, [3, -4], [12])).toEqual([[3, -4], [12], [13]]);
    expect(clip(1, [0, 0], [0])).toEqual([[0, 0], [0], [0]]);
  });
});

describe("ema()", () => {
  test("is the weighted mean of closed form, warm-up and plateau", () => {
    const [average, p, step] = [input("average", [2]), input("p", [2]), input("step", [])];
    const next = ema({ x: average }, { x: p }, step, 0.5).x;
    let mean = [1, -1];
    // d = (1 + t) / (10 + t) stays below 0.5 until t = 8: weight of the start is the product of all d.
    let weightOfStart = 1;
    for (let t = 0; t < 12; t++) {
      mean = [...interpret([next], { average: mean, p: [3, 3], step: [t] })[0]!.data];
      weightOfStart *= Math.min(0.5, (1 + t) / (10 + t));
    }
    expectClose(mean, [3 + (1 - 3) * weightOfStart, 3 + (-1 - 3) * weightOfStart], {
      rtol: 1e-12,
      atol: 1e-12,
    });
  });
  test("follows parameters and keeps its state through compiled steps", async () => {
    const step = await compile(
      node({ threads: 1 }),
      { state: { p: scalar(0), average: scalar(0), t: scalar(0) }, inputs: { target: [] } },
      ({ state, target }) => ({ state: { average: ema(state.average, target, state.t, 0.9) } }),
    );
    for (let i = 0; i < 3; i++) await step.run({ target: 1 });
    // t stays 0, d = 0.1 each time: 1 - 0.1^3.
    expectClose(step.state.tree().average.data, [0.999], { rtol: 1e-6 });
    await step.dispose();
  });
});

describe("flatten() and unflatten()", () => {
  const tree = { w: input("w", [2, 2]), b: [input("b", [3])] };
  test("are inverse", () => {
    const flat = flatten(tree);
    expect(flat.shape).toEqual([7]);
    const back = unflatten(flat, tree);
    const feeds = { w: [1, 2, 3, 4], b: [5, 6, 7] };
    expect(interpret([flat, back.w, back.b[0]!], feeds).map(({ data }) => [...data])).toEqual([
      [1, 2, 3, 4, 5, 6, 7],
      feeds.w,
      feeds.b,
    ]);
  });
  test("order leaves by the names of another tree, and refuse what does not match", () => {
    const other = { b: tree.b, w: tree.w };
    expect([...interpret([flatten(other, tree)], { w: [1, 2, 3, 4], b: [5, 6, 7] })[0]!.data]).toEqual([
      1, 2, 3, 4, 5, 6, 7,
    ]);
    expect(() => flatten({ w: tree.w }, tree)).toThrow('flatten: "b.0" is missing, must be [3]');
    expect(() => flatten({ w: tree.b[0], b: tree.b }, tree)).toThrow('flatten: "w" is [3], must be [2,2]');
  });
});

describe("scheduleFactor()", () => {
  test.each<[options: Parameters<typeof scheduleFactor>[1], progress: number, factor: number]>([
    [undefined, 0, 1],
    [undefined, 1, 1],
    [{ warmup: 0.1 }, 0, 0],
    [{ warmup: 0.1 }, 0.05, 0.5],
    [{ warmup: 0.1 }, 0.1, 1],
    [{ decay: 0.5, shape: "linear" }, 0.5, 1],
    [{ decay: 0.5, shape: "linear" }, 0.75, 0.5],
    [{ decay: 0.5, shape: "linear", floor: 0.2 }, 0.75, 0.6],
    [{ decay: 1 }, 0.5, 0.5],
    [{ decay: 1 }, 1 / 3, 0.75],
    [{ decay: 1, floor: 0.1 }, 1, 0.1],
    [{ warmup: 0.1, decay: 0.9 }, 1, 0],
    [{ warmup: 0.5 }, -1, 0],
    [{ decay: 0.5 }, 2, 0],
  ])("%j at %f is %f", (options, progress, factor) => {
    expect(scheduleFactor(progress, options)).toBeCloseTo(factor, 12);
  });
});
