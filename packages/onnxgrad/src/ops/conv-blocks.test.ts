import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { lowerGraph } from "../onnx/model.ts";
import { rng } from "../random/threefry.ts";
import { compile } from "../runtime/compile.ts";
import { convolutionBlock } from "../runtime/convolution-block.ts";
import { node } from "../runtime/node/node.ts";
import { expectClose } from "../testing/expect-close.ts";
import type { Shape, Tensor } from "../trace/tensor.ts";
import { mul } from "./arithmetic.ts";
import { conv2d } from "./conv.ts";
import type { ConvOptions } from "./conv-geometry.ts";
import { sum } from "./sum.ts";
import { constant, input } from "./source.ts";

const BLOCK = 16;
/** Operators of the blocked kernels. */
const blockedNodes = (outputs: Readonly<Record<string, Tensor>>) =>
  lowerGraph(outputs, { block: BLOCK })
    .builder.nodes.filter(({ domain }) => domain === "com.microsoft.nchwc")
    .map(({ opType }) => opType);

const values = (name: string, shape: Shape) => {
  const random = rng(3, name);
  return Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
};

interface Case {
  readonly what: string;
  readonly x: Shape;
  readonly w: Shape;
  readonly options: ConvOptions;
  readonly bias?: boolean;
}

const CASES: readonly Case[] = [
  { what: "3 x 3", x: [2, 16, 9, 11], w: [32, 16, 3, 3], options: { padding: 1 } },
  { what: "with a bias", x: [1, 32, 8, 8], w: [16, 32, 3, 3], options: { padding: 1 }, bias: true },
  {
    what: "of another padding along each axis",
    x: [2, 16, 10, 9],
    w: [16, 16, 3, 5],
    options: { padding: [2, 1] },
  },
  { what: "dilated", x: [1, 16, 12, 12], w: [32, 16, 3, 3], options: { padding: 2, dilation: 2 } },
  { what: "of stride 2", x: [1, 32, 17, 18], w: [32, 32, 3, 3], options: { padding: 1, stride: 2 } },
];

describe("convolutions by blocks", () => {
  test.each(CASES)("$what: result and gradients are those of float64", async ({ x, w, options, bias }) => {
    const shapes = { x, w, ...(bias === true ? { b: [w[0]!] } : {}) };
    const build = (given: { x: Tensor; w: Tensor; b?: Tensor }) => {
      const y = conv2d(given.x, given.w, { ...options, ...(given.b && { bias: given.b }) });
      const weights = constant(values("loss", y.shape), y.shape);
      const wanted = [given.x, given.w, ...(given.b ? [given.b] : [])];
      const [gx, gw, gb] = gradients(sum(mul(y, weights)), wanted);
      return { y, gx: gx!, gw: gw!, ...(gb && { gb }) };
    };
    const graph = build({ x: input("x", x), w: input("w", w), ...(bias && { b: input("b", [w[0]!]) }) });
    // Forward, and backward unless strides make it a transposed convolution.
    expect(blockedNodes(graph).filter((opType) => opType === "Conv")).toHaveLength(
      options.stride === 2 ? 1 : 2,
    );
    const feeds = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, values(name, shape)]),
    );
    const want = interpret(Object.values(graph), feeds);
    const program = await compile(node({ threads: 1 }), { inputs: shapes }, build as never);
    const found = (await program.run(
      Object.fromEntries(Object.entries(feeds).map(([name, v]) => [name, Float32Array.from(v)])) as never,
    )) as Record<string, Float32Array>;
    Object.keys(graph).forEach((name, i) =>
      expectClose(found[name]!, want[i]!.data, { rtol: 1e-4, atol: 1e-4, what: name }),
    );
    await program.dispose();
  });

  const y = (xShape: Shape, wShape: Shape, options: ConvOptions = {}) => ({
    y: conv2d(input("x", xShape), input("w", wShape), options),
  });

  test("are for weights that vary: those of a model that was trained are ONNX Runtime's own business", () => {
    const fixed = constant(values("w", [16, 16, 3, 3]), [16, 16, 3, 3]);
    const x = input("x", [1, 16, 10, 10]);
    expect(blockedNodes({ y: conv2d(x, fixed) })).toEqual([]);
    expect(blockedNodes({ y: conv2d(x, mul(fixed, 2)) }), "made of constants").toEqual([]);
    expect(blockedNodes(y([1, 16, 10, 10], [16, 16, 3, 3]))).toEqual([
      "ReorderInput",
      "Conv",
      "ReorderOutput",
    ]);
  });

  test("are not for files, nor where blocks do not fit or do not pay", () => {
    const plain: [string, ReturnType<typeof y>][] = [
      ["8 channels", y([1, 8, 10, 10], [16, 8, 3, 3])],
      ["groups", y([1, 32, 10, 10], [32, 16, 3, 3], { groups: 2 })],
      ["1 x 1", y([1, 16, 10, 10], [16, 16, 1, 1])],
      ["few pixels", y([1, 16, 8, 8], [16, 16, 3, 3])],
      ["large weights", y([1, 256, 10, 10], [256, 256, 3, 3])],
    ];
    for (const [what, graph] of plain) expect(blockedNodes(graph), what).toEqual([]);
    const graph = lowerGraph(y([1, 16, 10, 10], [16, 16, 3, 3]));
    expect(graph.builder.nodes.map(({ domain, opType }) => domain + opType)).toEqual(["Conv"]);
  });
});

describe("convolutionBlock()", () => {
  test("is measured: a width that vectors have, or none, and none for other backends", async () => {
    const backend = node({ threads: 1 });
    const block = await convolutionBlock(backend);
    expect([undefined, 4, 8, 16]).toContain(block);
    expect(await convolutionBlock({ ...backend, blocks: false })).toBeUndefined();
    if (block === undefined) return;
    const program = await compile(
      backend,
      { inputs: { x: [1, 16, 10, 10], w: [16, 16, 3, 3] } },
      ({ x, w }) => ({
        y: conv2d(x, w),
      }),
    );
    expect(program.stats.nodes, "programs make use of it").toBeGreaterThan(1);
    await program.dispose();
  });
});
