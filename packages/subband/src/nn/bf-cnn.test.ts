import {
  compile,
  constant,
  conv2d,
  gradients,
  input,
  interpret,
  isNdArray,
  mul,
  type NdArray,
  pack,
  relu,
  reshape,
  rng,
  sum,
  Tensor,
  treeLeaves,
  treeMap,
  valueAndGrad,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { biasFreeScale, initGain, momentumOf } from "./bf-batch-norm.ts";
import {
  bfCnn,
  type BfCnnConfig,
  type BfCnnParams,
  type BfCnnStatistics,
  conditionalConfig,
  flatConfig,
  foldBfCnn,
  foldedBfCnn,
  initBfCnn,
  initBfCnnStatistics,
  kernelsOf,
  lowPassConfig,
  RECEPTIVE_FIELDS,
  receptiveFieldOf,
} from "./bf-cnn.ts";
import { countParameters, type Params } from "./layers.ts";

const still = { ...rng(0, "bf-cnn-test"), normal: () => 0 };
const values = (tensor: Tensor, feeds: Record<string, ArrayLike<number>> = {}): Float64Array =>
  interpret([tensor], feeds)[0]!.data;
const constants = <P>(tree: P): Params<P> =>
  treeMap(tree, isNdArray, ({ shape, data }: NdArray) => constant(data, shape)) as Params<P>;
const normal = (name: string, size: number) => rng(4, name).fillNormal(new Float64Array(size));

/** A network of few channels, with gains of either sign and deviations that look trained. */
function small(config: Partial<BfCnnConfig> = {}): { params: BfCnnParams; statistics: BfCnnStatistics } {
  const random = rng(5, "bf-cnn-test");
  const params = initBfCnn(random, {
    inputs: 1,
    outputs: 1,
    kernels: [3, 1, 3, 3],
    width: 4,
    ...config,
  });
  const gains = params.gains.map(({ shape, data }) => ({ shape, data: data.map(() => random.normal()) }));
  const { deviations } = initBfCnnStatistics(params);
  const spread = ({ shape, data }: NdArray) => ({ shape, data: data.map(() => 0.5 + random.uniform()) });
  return { params: { ...params, gains }, statistics: { deviations: deviations.map(spread) } };
}

describe("kernelsOf()", () => {
  test("sees the receptive field that it is named by, with 3 x 3 kernels at both ends", () => {
    for (const [field, at] of [
      [5, [0, 20]],
      [9, [0, 8, 16, 20]],
      [13, [0, 4, 8, 12, 16, 20]],
      [23, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]],
      [43, Array.from({ length: 21 }, (_, l) => l)],
    ] as const) {
      const kernels = kernelsOf(field);
      expect(
        kernels.flatMap((kernel, l) => (kernel === 3 ? [l] : [])),
        `field ${field}`,
      ).toEqual(at);
      expect(receptiveFieldOf(kernels), `field ${field}`).toBe(field);
    }
    expect(receptiveFieldOf(lowPassConfig(1).kernels)).toBe(41);
  });

  test("refuses other receptive fields with those it knows", () => {
    expect(() => kernelsOf(40)).toThrow("receptive field: 40. Known: 5, 9, 13, 23, 43.");
  });
});

describe("initBfCnn()", () => {
  test("has as many parameters as the published networks, for each receptive field, flat and conditional", () => {
    const published: Record<number, [flat: number, conditional: number]> = {
      5: [80_192, 83_072],
      9: [145_728, 148_608],
      13: [211_264, 214_144],
      23: [375_104, 377_984],
      43: [702_784, 705_664],
    };
    for (const field of RECEPTIVE_FIELDS) {
      const counts = [flatConfig(1, field), conditionalConfig(1, field)].map((config) =>
        countParameters(initBfCnn(still, config)),
      );
      expect(counts, `field ${field}`).toEqual(published[field]);
    }
    expect(countParameters(initBfCnn(still, lowPassConfig(1)))).toBe(665_856);
  });

  test("has two more input and output channels a colour channel, four times and three times for details", () => {
    const [gray, colour] = [1, 3].map((channels) =>
      countParameters(initBfCnn(still, conditionalConfig(channels, 13))),
    );
    expect(colour! - gray!).toBe((8 + 6) * 9 * 64);
    const [flatGray, flatColour] = [1, 3].map((channels) =>
      countParameters(initBfCnn(still, flatConfig(channels, 13))),
    );
    expect(flatColour! - flatGray!).toBe((2 + 2) * 9 * 64);
  });

  test("draws weights of variance 2 / fan-in and gains of deviation 2 / 576", () => {
    const { weights, gains } = initBfCnn(rng(1, "bf-cnn-init"), flatConfig(1, 43));
    const deviation = (data: Float32Array) =>
      Math.sqrt(data.reduce((total, v) => total + v * v, 0) / data.length);
    expect(deviation(weights[3]!.data) / Math.sqrt(2 / 576)).toBeCloseTo(1, 1);
    const all = Float32Array.from(gains.flatMap(({ data }) => [...data]));
    expect(deviation(all) / (2 / 576)).toBeCloseTo(1, 1);
  });
});

describe("initGain()", () => {
  test("clamps to 0.025 in size", () => {
    let sign = 1;
    const extreme = { ...still, normal: () => 1e9 * (sign = -sign) };
    expect(initGain(extreme, 2).data).toEqual(Float32Array.of(-0.025, 0.025));
  });
});

describe("biasFreeScale()", () => {
  /** Channel 0 holds 1, 3, 5, 7 (variance 5) and channel 1 holds 2, 2, 4, 8 (variance 6), in two images of 1 x 2. */
  const images = constant([1, 3, 2, 2, 5, 7, 4, 8], [2, 2, 1, 2]);
  const gain = constant([2, -0.5]);
  const running = constant([4, 10]);

  test("is the gain over the batch's deviation about the mean in training", () => {
    const { scale, deviation } = biasFreeScale(gain, running, images, "training");
    expectClose(values(scale), [2 / Math.sqrt(5 + 1e-5), -0.5 / Math.sqrt(6 + 1e-5)], { rtol: 1e-12 });
    expectClose(values(deviation), [3.6 + 0.1 * Math.sqrt(5 + 1e-5), 9 + 0.1 * Math.sqrt(6 + 1e-5)], {
      rtol: 1e-12,
    });
  });

  test("moves the running deviation by another share where one is given", () => {
    const { deviation } = biasFreeScale(gain, running, images, "training", constant([0.25], []));
    expectClose(values(deviation), [3 + 0.25 * Math.sqrt(5 + 1e-5), 7.5 + 0.25 * Math.sqrt(6 + 1e-5)], {
      rtol: 1e-12,
    });
  });

  test("is the gain over the running deviation at inference, which stays", () => {
    const { scale, deviation } = biasFreeScale(gain, running, images, "inference");
    expectClose(values(scale), [0.5, -0.05], { rtol: 1e-12 });
    expect(deviation).toBe(running);
  });

  test("refuses to train on one value a channel and says what to do", () => {
    const one = input("x", [1, 2, 1, 1]);
    expect(() => biasFreeScale(gain, running, one, "training")).toThrow(/\[1,2,1,1\].*larger batches/);
    expect(() => biasFreeScale(gain, running, one, "inference")).not.toThrow();
  });
});

describe("momentumOf()", () => {
  test("is the published tenth for the published batch, and for any other forgets as much an image", () => {
    expectClose([momentumOf(512, 1e9)], [0.1], { rtol: 1e-9 });
    // 64 batches of 8 are one of 512.
    expectClose([(1 - momentumOf(8, 1e9)) ** 64], [0.9], { rtol: 1e-9 });
  });

  test("remembers the last tenth of what was seen while that is less, and ten batches at least", () => {
    expect([0, 8, 99 * 8, 199 * 8].map((seen) => momentumOf(8, seen))).toEqual([0.1, 0.1, 0.1, 0.05]);
    expectClose(
      [0, 512, 1e9].map((seen) => momentumOf(512, seen)),
      [0.1, 0.1, 0.1],
      { rtol: 1e-9, what: "the published batch: as published" },
    );
  });
});

describe("bfCnn()", () => {
  const { params, statistics } = small({ inputs: 4, outputs: 3 });
  const shape = [2, 4, 6, 5];
  const x = input("x", shape);
  const at = normal("x", 240);

  test("is convolution, scale, ReLU as written, and remembers the deviations met, in both phases", () => {
    for (const phase of ["training", "inference"] as const) {
      const [first, ...weights] = constants(params).weights;
      const deviations: Tensor[] = [];
      let h = conv2d(x, first!, { padding: 1 });
      params.gains.forEach((_, i) => {
        const weight = weights[i]!;
        const features = conv2d(h, weight, { padding: (weight.shape[2]! - 1) / 2 });
        const running = constants(statistics).deviations[i]!;
        const { scale, deviation } = biasFreeScale(constants(params).gains[i]!, running, features, phase);
        deviations.push(deviation);
        h = relu(mul(features, reshape(scale, [1, scale.size, 1, 1])));
      });
      const want = conv2d(h, weights.at(-1)!, { padding: 1 });
      const got = bfCnn(constants(params), constants(statistics), x, phase);
      expectClose(values(got.y, { x: at }), values(want, { x: at }), {
        rtol: 1e-11,
        atol: 1e-11,
        what: phase,
      });
      for (const [i, each] of got.statistics.deviations.entries())
        expectClose(values(each, { x: at }), values(deviations[i]!, { x: at }), {
          rtol: 1e-11,
          what: `${phase}, deviation ${i}`,
        });
    }
  });

  test("is homogeneous of degree 1 at inference: f(a x) = a f(x)", () => {
    const y = bfCnn(constants(params), constants(statistics), x, "inference").y;
    const once = values(y, { x: at });
    for (const a of [0.25, 3, 1000])
      expectClose(
        values(y, { x: at.map((v) => a * v) }),
        once.map((v) => a * v),
        { rtol: 1e-9, atol: 1e-9 * a, what: `a = ${a}` },
      );
  });

  test("sees its whole receptive field and nothing beyond", () => {
    const positive = <P>(tree: P) =>
      constants(
        treeMap(tree, isNdArray, ({ shape, data }: NdArray) => ({ shape, data: data.map(Math.abs) })),
      ) as Params<P>; // so that no ReLU blocks the view
    for (const field of [5, 9, 13]) {
      const { params, statistics } = small({ kernels: kernelsOf(field), width: 2 });
      const size = field + 4;
      const image = input("image", [1, 1, size, size]);
      const y = bfCnn(positive(params), positive(statistics), image, "inference").y;
      const pick = new Float64Array(size * size);
      pick[(size * size - 1) / 2] = 1;
      const [gradient] = gradients(y, [image], constant(pick, [1, 1, size, size]));
      const seen = values(gradient!, { image: new Float64Array(size * size).fill(1) });
      const want = seen.map((_, i) =>
        Number([Math.floor(i / size), i % size].every((at) => at > 1 && at < size - 2)),
      );
      expect(
        seen.map((v) => Number(v !== 0)),
        `field ${field}`,
      ).toEqual(want);
    }
  });

  test("has the gradient that finite differences see, in both phases and for every parameter", () => {
    const weights = constant(normal("weights", 180), [2, 3, 6, 5]);
    for (const phase of ["training", "inference"] as const) {
      const loss = (p: Params<BfCnnParams>) => sum(mul(bfCnn(p, constants(statistics), x, phase).y, weights));
      const { grads } = valueAndGrad(loss)(
        treeMap(params, isNdArray, ({ shape }, name) => input(name, shape)) as Params<BfCnnParams>,
      );
      const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
      const named = treeLeaves<Tensor>(grads as never, isTensor);
      const leaves = new Map(
        treeLeaves<NdArray>(params as never, isNdArray).map((each) => [each.name, each.leaf]),
      );
      const feeds = (moved?: string, step = 0, direction?: Float64Array) => ({
        x: at,
        ...Object.fromEntries(
          [...leaves].map(([name, { data }]) => [
            name,
            Float64Array.from(data, (v, i) => (name === moved ? v + step * direction![i]! : v)),
          ]),
        ),
      });
      const evaluated = interpret(
        named.map(({ leaf }) => leaf),
        feeds(),
      );
      const inputs = treeMap(params, isNdArray, ({ shape }, name) =>
        input(name, shape),
      ) as Params<BfCnnParams>;
      const value = loss(inputs);
      for (const [i, { name }] of named.entries()) {
        const gradient = evaluated[i]!.data;
        const direction = normal(name, gradient.length);
        const slope = gradient.reduce((total, g, j) => total + g * direction[j]!, 0);
        const [above, below] = [1e-6, -1e-6].map((h) => values(value, feeds(name, h, direction))[0]!);
        expectClose([slope], [(above! - below!) / 2e-6], {
          rtol: 1e-4,
          atol: 1e-6,
          what: `${phase} ${name}`,
        });
      }
    }
  });

  test("moves all running deviations in training and only then", () => {
    const fresh = constants(statistics);
    const inference = bfCnn(constants(params), fresh, x, "inference").statistics.deviations;
    expect(inference).toEqual(fresh.deviations);
    const training = bfCnn(constants(params), fresh, x, "training").statistics.deviations;
    expect(training).toHaveLength(statistics.deviations.length);
    for (const [i, deviation] of training.entries())
      expect(values(deviation, { x: at })[0], `layer ${i}`).not.toBe(statistics.deviations[i]!.data[0]);
  });

  test("runs in ONNX Runtime as in float64, and trains as packed parameters beside packed statistics", async () => {
    const program = await compile(
      node({ threads: 1 }),
      { state: { params: pack(params), statistics: pack(statistics) }, inputs: { x: shape } },
      ({ state, x }) => {
        const { y, statistics: next } = bfCnn(state.params, state.statistics, x, "training");
        return { y, state: { statistics: next } };
      },
    );
    const { y } = await program.run({ x: Float32Array.from(at) });
    const oracle = bfCnn(constants(params), constants(statistics), x, "training");
    expectClose(y, values(oracle.y, { x: at }), { rtol: 1e-4, atol: 1e-4 });
    for (const [i, deviation] of oracle.statistics.deviations.entries()) {
      const kept = program.state.tensors().get(`statistics.deviations.${i}`)!;
      expectClose(kept.data, values(deviation, { x: at }), { rtol: 1e-5, what: `layer ${i}` });
    }
    await program.dispose();
  });
});

describe("foldBfCnn()", () => {
  test("gives the same function with convolutions and ReLUs alone", () => {
    for (const [inputs, outputs] of [
      [1, 1],
      [12, 9],
    ] as const) {
      const { params, statistics } = small({ inputs, outputs });
      const x = input("x", [2, inputs, 5, 7]);
      const at = { x: normal("fold", 70 * inputs) };
      const whole = bfCnn(constants(params), constants(statistics), x, "inference").y;
      const folded = foldedBfCnn(
        foldBfCnn(params, statistics).map(({ shape, data }) => constant(data, shape)),
        x,
      );
      // Folded weights are rounded to float32 once more.
      expectClose(values(folded, at), values(whole, at), {
        rtol: 1e-5,
        atol: 1e-5,
        what: `${inputs} inputs`,
      });
    }
  });
});
