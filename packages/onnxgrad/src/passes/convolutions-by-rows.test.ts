import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { lowerGraph } from "../onnx/model.ts";
import { add, mul, square } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import type { ConvOptions } from "../ops/conv-geometry.ts";
import { leakyRelu, relu } from "../ops/elementary.ts";
import { sum } from "../ops/sum.ts";
import { constant, input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { compile } from "../runtime/compile.ts";
import { convolutionBlock } from "../runtime/convolution-block.ts";
import { node } from "../runtime/node/node.ts";
import { expectClose } from "../testing/expect-close.ts";
import { reachable, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { convolutionsByRows } from "./convolutions-by-rows.ts";
import { verify } from "./verify.ts";

const BLOCK = 16;
const backend = node({ threads: 1 });

const normals = (name: string, shape: Shape, scale = 1) =>
  rng(7, name)
    .fillNormal(new Float64Array(sizeOf(shape)))
    .map((value) => value * scale);

/** Weights [o, c, kh, kw] that keep features of about the same size. */
const weight = (shape: Shape) =>
  constant(normals("w", shape, (2 * shape[0]!) ** 0.5 / sizeOf(shape) ** 0.5), shape);

/** Root of the mean square. */
const sizeOfValues = (values: Float64Array) =>
  Math.sqrt(values.reduce((total, value) => total + value ** 2, 0) / values.length);

const opsOf = (outputs: readonly Tensor[]) =>
  reachable(outputs)
    .map(({ op }) => op.name)
    .filter((name) => name !== "constant");

/** A convolution, an activation and a convolution, all by rows between the images. */
const CHAIN = ["input", "conv2dByRows", "relu", "conv2dByRows", "imageFromRows"];

interface Case {
  readonly what: string;
  readonly x: Shape;
  readonly build: (x: Tensor) => Tensor;
  /** Convolutions by rows. */
  readonly count: number;
}

const conv = (
  x: Tensor,
  out: number,
  kernel: readonly [number, number],
  options: ConvOptions = {},
  bias = false,
) =>
  conv2d(x, weight([out, x.shape[1]!, ...kernel]), {
    ...options,
    ...(bias && { bias: constant(normals("b", [out]), [out]) }),
  });

const CASES: readonly Case[] = [
  {
    what: "two, other numbers of channels, a bias each",
    x: [2, 48, 8, 10],
    build: (x) => conv(relu(conv(x, 64, [3, 3], { padding: 1 }, true)), 48, [3, 3], { padding: 1 }, true),
    count: 2,
  },
  {
    what: "four with other activations, or none",
    x: [1, 48, 12, 7],
    build: (x) =>
      [relu, (h: Tensor) => leakyRelu(h, 0.2), (h: Tensor) => h].reduce(
        (h, activation) => conv(activation(h), 48, [3, 3], { padding: 1 }),
        conv(x, 48, [3, 3], { padding: 1 }),
      ),
    count: 4,
  },
  {
    what: "other paddings and kernels",
    x: [1, 48, 10, 9],
    build: (x) => conv(relu(conv(x, 48, [3, 5], { padding: [0, 2] })), 48, [3, 1], { padding: [3, 0] }),
    count: 2,
  },
  {
    what: "strides and dilations along rows",
    x: [2, 48, 8, 16],
    build: (x) =>
      conv(relu(conv(x, 64, [3, 3], { padding: 1, stride: [1, 2] })), 48, [3, 3], {
        padding: [1, 2],
        dilation: [1, 2],
      }),
    count: 2,
  },
  {
    what: "tiles that the rows do not fill, and a last convolution of few channels",
    x: [2, 64, 17, 9],
    build: (x) => conv(relu(conv(x, 64, [3, 3], { padding: 1 })), 3, [3, 3], { padding: 1 }, true),
    count: 2,
  },
  {
    what: "a convolution before that has too few channels, and one after that gives few",
    x: [2, 3, 16, 16],
    build: (x) => {
      const h = relu(
        conv(relu(conv(relu(conv(x, 48, [3, 3], { padding: 1 })), 48, [3, 3], { padding: 1 })), 48, [3, 3], {
          padding: 1,
        }),
      );
      return conv(h, 1, [3, 3], { padding: 1 });
    },
    count: 3,
  },
];

describe("convolutionsByRows", () => {
  test.each(CASES)(
    "$what: the same values, in float64 and by the runtime",
    async ({ x: shape, build, count }) => {
      const direct = build(input("x", shape));
      const rows = convolutionsByRows([direct], BLOCK);
      verify(rows);
      expect(opsOf(rows).filter((name) => name === "conv2dByRows")).toHaveLength(count);
      const x = normals("x", shape);
      const [want] = interpret([direct], { x });
      expectClose(interpret(rows, { x })[0]!.data, want!.data, { rtol: 1e-12, atol: 1e-12 });

      const program = await compile(backend, { inputs: { x: shape } }, (args) => ({ y: build(args.x) }));
      const { y } = await program.run({ x: Float32Array.from(x) });
      expectClose(y, want!.data, { rtol: 0, atol: 2e-5 * sizeOfValues(want!.data) });
      await program.dispose();
    },
  );

  test("keeps features by rows from the first to the last, whatever is returned beside", () => {
    const x = input("x", [1, 48, 8, 8]);
    const same = (h: Tensor) => conv(h, 48, [3, 3], { padding: 1 });
    const y = same(relu(same(x)));
    expect(opsOf(convolutionsByRows([y], BLOCK))).toEqual(CHAIN);
    expect(opsOf(convolutionsByRows([y, relu(x)], BLOCK))).toEqual(["input", "relu", ...CHAIN.slice(1)]);
  });

  test("leaves alone what would not gain", () => {
    const x = input("x", [1, 48, 8, 8]);
    const same = (h: Tensor, options: ConvOptions = { padding: 1 }) => conv(h, 48, [3, 3], options);
    const varying = input("w", [48, 48, 3, 3]);
    const inner = relu(same(x));
    const kept: readonly (readonly [string, ...Tensor[]])[] = [
      ["one convolution", relu(same(x))],
      ["one convolution of a large image", conv2d(input("x", [1, 48, 64, 64]), weight([48, 48, 3, 3]))],
      ["weights that vary", conv2d(relu(conv2d(x, varying, { padding: 1 })), varying, { padding: 1 })],
      ["something else between", same(mul(same(x), 2))],
      ["features that are read elsewhere too", add(same(inner), inner)],
      ["features that are returned", same(inner), inner],
      ["few rows", same(same(input("x", [1, 48, 3, 8])))],
      ["other strides", same(same(x, { padding: 1, stride: 2 }), { padding: 1, stride: 2 })],
      ["channels that do not fill blocks", same(conv(conv(x, 72, [3, 3], { padding: 1 }), 48, [3, 3]))],
      [
        "few channels",
        conv(conv(conv(x, 16, [1, 1]), 48, [3, 3], { padding: 1 }), 16, [3, 3], { padding: 1 }),
      ],
    ];
    for (const [what, ...outputs] of kept)
      convolutionsByRows(outputs, BLOCK).forEach((tensor, i) => expect(tensor, what).toBe(outputs[i]));
  });

  test("large images, learned weights: result and both gradients are those of float64", async () => {
    const shapes = { x: [1, 48, 64, 66], w: [48, 48, 3, 2] };
    const build = ({ x, w }: { x: Tensor; w: Tensor }) => {
      const y = conv2d(x, w, { padding: [2, 0] });
      const [gx, gw] = gradients(sum(square(y)), [x, w]);
      return { y, gx: gx!, gw: gw! };
    };
    const direct = Object.values(build({ x: input("x", shapes.x), w: input("w", shapes.w) }));
    const rows = convolutionsByRows(direct, BLOCK);
    verify(rows);
    expect(opsOf(rows).filter((name) => name === "conv2dByRows")).toHaveLength(2);
    const feeds = { x: normals("x", shapes.x), w: normals("w", shapes.w) };
    const want = interpret(direct, feeds);
    interpret(rows, feeds).forEach(({ data }, i) =>
      expectClose(data, want[i]!.data, { rtol: 1e-12, atol: 1e-9 }),
    );
    const program = await compile(backend, { inputs: shapes }, build);
    const found = await program.run({ x: Float32Array.from(feeds.x), w: Float32Array.from(feeds.w) });
    for (const [i, name] of (["y", "gx", "gw"] as const).entries())
      expectClose(found[name], want[i]!.data, {
        rtol: 0,
        atol: 2e-5 * sizeOfValues(want[i]!.data),
        what: name,
      });
    await program.dispose();
  });

  test("is made use of where there are such kernels, and not in files", async () => {
    const build = (x: Tensor) => CASES[0]!.build(x);
    const graph = { y: build(input("x", CASES[0]!.x)) };
    const plain = lowerGraph(graph).builder.nodes.map(({ opType }) => opType);
    expect(plain).toEqual(["Conv", "Relu", "Conv"]);
    if ((await convolutionBlock(backend)) === undefined) return;
    const program = await compile(backend, { inputs: { x: CASES[0]!.x } }, ({ x }) => ({ y: build(x) }));
    expect(program.stats.nodes).toBeGreaterThan(plain.length);
    await program.dispose();
  });

  // Tiles of four rows and of six.
  test.each([32, 36])("has an error of the same order as the direct sum: %i rows", async (rows) => {
    const shape = [1, 64, rows, 32];
    const network = (x: Tensor) =>
      conv(relu(conv(x, 64, [3, 3], { padding: 1 })), 64, [3, 3], { padding: 1 });
    const x = normals("x", shape);
    const [want] = interpret([network(input("x", shape))], { x });
    const errorOf = async (blocks: boolean) => {
      const program = await compile({ ...backend, blocks }, { inputs: { x: shape } }, (args) => ({
        y: network(args.x),
      }));
      const { y } = await program.run({ x: Float32Array.from(x) });
      await program.dispose();
      return sizeOfValues(want!.data.map((value, i) => value - y[i]!));
    };
    const [byRows, direct] = [await errorOf(true), await errorOf(false)];
    expect(byRows).toBeLessThan(6 * direct);
  });
});
