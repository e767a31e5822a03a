import {
  compile,
  constant,
  gradients,
  input,
  interpret,
  isNdArray,
  mean,
  type NdArray,
  pack,
  rng,
  square,
  Tensor,
  treeLeaves,
  treeMap,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { attentionUnet, initAttentionUnet, initAttentionUnetStatistics } from "./attention-unet.ts";
import { countParameters, type Params, SHAPES } from "./layers.ts";

const released = (width: number) => initAttentionUnet(SHAPES, { inputs: 6, outputs: 9, width });

/** The k-th array of a tree in order holds 0.3 sin(0.37 i + k), plus 1 where it is a scale. */
function patterned<T>(tree: T): T {
  let k = 0;
  return treeMap(tree, isNdArray, ({ shape, data }, name): NdArray => {
    const offset = name.endsWith("scale") ? 1 : 0;
    const array = { shape, data: data.map((_, i) => offset + 0.3 * Math.sin(0.37 * i + k)) };
    k++;
    return array;
  }) as T;
}

const constants = <T>(tree: T): Params<T> =>
  treeMap(tree, isNdArray, ({ shape, data }) => constant(data, shape)) as Params<T>;

const image = (count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(0.11 * i) + Math.cos(0.0137 * i * i));

/** Sum, sum of squares, and three elements. */
const probe = (y: ArrayLike<number>): number[] => {
  const all = Array.from(y);
  return [
    all.reduce((a, b) => a + b, 0),
    all.reduce((a, b) => a + b * b, 0),
    all[0]!,
    all[Math.floor(all.length / 3)]!,
    all.at(-1)!,
  ];
};

describe("initAttentionUnet()", () => {
  test("has the parameter counts of the released generator", () => {
    const counts = { 64: 36_471_600, 40: 14_253_102, 32: 9_124_728 };
    for (const [width, count] of Object.entries(counts))
      expect(countParameters(released(Number(width))), `width ${width}`).toBe(count);
  });

  test("has them layer by layer at width 64", () => {
    const { down, up, last, output } = released(64);
    expect(down.map(countParameters)).toEqual([22_731, 174_752, 697_664, 2_787_968, 11_146_496]);
    expect(up.map(({ block }) => countParameters(block))).toEqual([
      11_144_960, 7_637_632, 1_910_080, 477_856,
    ]);
    expect(up.map(({ gate }) => countParameters(gate))).toEqual([263_939, 66_435, 16_835, 4_323]);
    expect(countParameters([last, output])).toBe(119_929);
  });

  test("refuses an odd width", () => {
    expect(() => initAttentionUnet(SHAPES, { inputs: 6, outputs: 9, width: 5 })).toThrow(/width 5 is odd/);
  });

  test("draws weights and biases within 1 / sqrt(fan in), a third of whose square is their variance", () => {
    const { down } = initAttentionUnet(rng(1, "attention-unet-test"), { inputs: 6, outputs: 9, width: 16 });
    const weights = [...down[2]!.conv1.weight.data];
    const bound = 1 / Math.sqrt(9 * 32);
    expect(Math.max(...weights.map(Math.abs))).toBeLessThanOrEqual(bound * (1 + 1e-6));
    const variance = weights.reduce((total, w) => total + w * w, 0) / weights.length;
    expectClose([variance], [bound ** 2 / 3], { rtol: 0.03 });
  });
});

describe("attentionUnet()", () => {
  const params = patterned(initAttentionUnet(SHAPES, { inputs: 6, outputs: 9, width: 2 }));
  const fresh = initAttentionUnetStatistics(params);
  const x = image(2 * 6 * 32 * 32);

  test("equals the released PyTorch network in training, statistics included, and at inference", () => {
    // Made once with the released module in float64 (PyTorch 1.13), weights and input by the formulas above.
    const first = attentionUnet(constants(params), constants(fresh), constant(x, [2, 6, 32, 32]), "training");
    const second = attentionUnet(
      constants(params),
      first.statistics,
      constant(x, [2, 6, 32, 32]),
      "inference",
    );
    const watched = [
      first.statistics.down[0]!.norm1,
      first.statistics.down[4]!.norm2,
      first.statistics.up[0]!.gate.psiNorm,
      first.statistics.last.norm2,
    ].flatMap(({ mean, variance }) => [mean, variance]);
    const [train, evaluated, ...statistics] = interpret([first.y, second.y, ...watched], {});
    // Weights are rounded to float32 here: hence the tolerance.
    const close = (got: ArrayLike<number>, want: readonly number[], what: string) =>
      expectClose(probe(got), want, { rtol: 2e-5, atol: 2e-5, what });
    close(train!.data, PYTORCH.training, "training");
    close(evaluated!.data, PYTORCH.inference, "inference");
    statistics.forEach(({ data }, i) => close(data, PYTORCH.statistics[i]!, `statistics ${i}`));
  });

  test("gives the same in ONNX Runtime, and moves the statistics that are kept as state", async () => {
    const state = { params: pack(params), statistics: pack(fresh) };
    const program = await compile(
      node({ threads: 1 }),
      { state, inputs: { x: [2, 6, 32, 32] } },
      ({ state, x }) => {
        const { y, statistics } = attentionUnet(state.params, state.statistics, x, "training");
        return { state: { statistics }, y };
      },
    );
    const { y } = await program.run({ x: Float32Array.from(x) });
    expectClose(probe(y), PYTORCH.training, { rtol: 1e-3, atol: 1e-3 });
    await program.dispose();
  });

  test("has the gradient that finite differences see", () => {
    const small = patterned(initAttentionUnet(SHAPES, { inputs: 2, outputs: 3, width: 2 }));
    const leaves = treeLeaves<NdArray>(small as never, isNdArray);
    const traced = treeMap(small, isNdArray, ({ shape }, name) => input(name, shape)) as Params<typeof small>;
    const feeds = Object.fromEntries(leaves.map(({ name, leaf }) => [name, Float64Array.from(leaf.data)]));
    const picture = constant(image(2 * 2 * 16 * 16 * 2).subarray(0, 2 * 2 * 16 * 32), [2, 2, 16, 32]);
    const statistics = initAttentionUnetStatistics(small);
    const loss = mean(square(attentionUnet(traced, constants(statistics), picture, "training").y));
    const tensors = treeLeaves<Tensor>(traced as never, (v): v is Tensor => v instanceof Tensor);
    const directions = leaves.map(({ leaf }, k) => Float64Array.from(leaf.data, (_, i) => Math.cos(i + k)));
    const value = (step: number) => {
      const moved = leaves.map(({ name, leaf }, k): [string, Float64Array] => [
        name,
        Float64Array.from(leaf.data, (v, i) => v + step * directions[k]![i]!),
      ]);
      return interpret([loss], Object.fromEntries(moved))[0]!.data[0]!;
    };
    const grads = interpret(
      gradients(
        loss,
        tensors.map(({ leaf }) => leaf),
      ),
      feeds,
    );
    // Everything at once: a wrong part would have to be cancelled by another.
    const slope = grads.reduce(
      (total, { data }, k) => total + data.reduce((sum, g, i) => sum + g * directions[k]![i]!, 0),
      0,
    );
    // So small a step because longer ones pass kinks of the rectifiers: the error was seen to shrink with the step.
    expectClose([slope], [(value(1e-8) - value(-1e-8)) / 2e-8], { rtol: 1e-5 });
  });

  test("refuses extents that four poolings do not divide", () => {
    const run = (h: number, w: number) => () =>
      attentionUnet(constants(params), constants(fresh), input("x", [1, 6, h, w]), "inference");
    expect(run(24, 32)).toThrow(/multiples of 16, got \[1,6,24,32\]/);
    expect(run(32, 48)).not.toThrow();
  });
});

/** {@link probe} of output and statistics (mean and variance of each watched normalisation in turn). */
const PYTORCH = {
  training: [2876.75851744, 1013.39100939, 0.2089386756, 0.0323486370901, -0.168820658687],
  inference: [5481.1021558, 3361.79960193, 0.207696270371, 0.0375443765477, 0.398290770584],
  statistics: [
    [0.115366098122, 0.00347813988089, 0.0190193618095, 0.0294623977224, 0.0310324490417],
    [4.07901951406, 4.15970526928, 1.0153508472, 1.0284173858, 1.01855257923],
    [-0.0616764907874, 4.38408149746, -0.147674570313, 0.446488946403, 0.543431114855],
    [102.385174388, 328.830157667, 3.0690851035, 3.45446911415, 3.13374786272],
    [0.0808396180188, 0.00653504384143, 0.0808396180188, 0.0808396180188, 0.0808396180188],
    [1.00878274687, 1.01764263038, 1.00878274687, 1.00878274687, 1.00878274687],
    [0.0281658381041, 0.000793314436106, 0.0281658381041, 0.0281658381041, 0.0281658381041],
    [0.931784644266, 0.86822262329, 0.931784644266, 0.931784644266, 0.931784644266],
  ],
} as const;
