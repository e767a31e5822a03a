import { describe, expect, test } from "vitest";
import {
  backend,
  bothWays,
  nodesOf,
  normal,
  type Shapes,
  write,
} from "../../../../tests/support/imported-models.ts";
import { UserError } from "../errors.ts";
import { gradients, valueAndGrad } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { add, mul, square, sub } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { silu } from "../ops/elementary.ts";
import { groupNorm } from "../ops/normalization.ts";
import { avgPool2d, upsampleNearest2d } from "../ops/pool.ts";
import { sum } from "../ops/sum.ts";
import { reshape, transpose } from "../ops/reshape.ts";
import { resizeBilinear2d } from "../ops/resize.ts";
import { concat } from "../ops/concat.ts";
import { narrow } from "../ops/slice.ts";
import { scaledDotProductAttention } from "../ops/softmax.ts";
import { constant, input } from "../ops/source.ts";
import { adam, adamInit } from "../optim/adam.ts";
import { compile } from "../runtime/compile.ts";
import { expectClose } from "../testing/expect-close.ts";
import { full } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import type { Shape, Tensor } from "../trace/tensor.ts";
import { exportModel } from "./export-model.ts";
import { importModel, type ImportOptions } from "./import-model.ts";
import type { ModelBuilder } from "./model.ts";

const IMAGE: Shape = [2, 4, 6, 5];
const big = (...values: number[]) => values.map(BigInt);

/** A small ResNet: stem with max pooling, a block with and one without a projection, global pooling, a linear layer. */
function resnet(b: ModelBuilder): string {
  const weight = (name: string, shape: Shape) =>
    b.floats(
      shape,
      normal(name, shape).map((v) => 0.3 * v),
    );
  const conv = (name: string, x: string, [out, from, k]: readonly [number, number, number], stride: number) =>
    b.emit("Conv", [x, weight(name, [out, from, k, k])], {
      attrs: {
        strides: big(stride, stride),
        pads: big(k >> 1, k >> 1, k >> 1, k >> 1),
        kernel_shape: big(k, k),
      },
    })[0]!;
  const norm = (name: string, x: string, c: number) => {
    const positive = (key: string) =>
      b.floats(
        [c],
        normal(`${name}.${key}`, [c]).map((v) => Math.abs(v) + 0.5),
      );
    return b.emit("BatchNormalization", [
      x,
      positive("scale"),
      weight(`${name}.shift`, [c]),
      weight(`${name}.mean`, [c]),
      positive("var"),
    ])[0]!;
  };
  const relu = (x: string) => b.emit("Relu", [x])[0]!;
  const block = (name: string, x: string, from: number, to: number, stride: number) => {
    const first = relu(norm(`${name}.n1`, conv(`${name}.c1`, x, [to, from, 3], stride), to));
    const second = norm(`${name}.n2`, conv(`${name}.c2`, first, [to, to, 3], 1), to);
    const skip =
      from === to && stride === 1 ? x : norm(`${name}.n3`, conv(`${name}.c3`, x, [to, from, 1], stride), to);
    return relu(b.emit("Add", [second, skip])[0]!);
  };
  const stem = relu(norm("stem", conv("stem", "image", [6, 3, 7], 2), 6));
  const pooled = b.emit("MaxPool", [stem], {
    attrs: { kernel_shape: big(3, 3), strides: big(2, 2), pads: big(1, 1, 1, 1) },
  })[0]!;
  const deep = block("b", block("a", pooled, 6, 6, 1), 6, 8, 2);
  const flat = b.emit("Flatten", [b.emit("GlobalAveragePool", [deep])[0]!])[0]!;
  return b.emit("Gemm", [flat, weight("fc", [10, 8]), weight("fc.bias", [10])], {
    attrs: { transB: 1n },
  })[0]!;
}

describe("an imported ResNet", () => {
  const shape: Shape = [2, 3, 20, 24];
  const inputs: Shapes = { image: shape };
  const image = normal("image", shape);

  test("computes what ONNX Runtime does with the file", async () => {
    const { onnx, ours } = await bothWays(inputs, resnet, { image });
    expectClose(onnx, ours, { rtol: 1e-4, atol: 1e-5, what: "logits" });
  });

  test("has the gradient with respect to its input that finite differences have", () => {
    const x = input("image", shape);
    const [y] = Object.values(importModel(write(inputs, resnet)).apply({ image: x })) as [Tensor];
    const loss = sum(mul(y, constant(normal("projection", y.shape), y.shape)));
    const [gradient] = gradients(loss, [x]);
    const exact = interpret([gradient!], { image })[0]!.data;
    const at = [0, 100, 777, 1439, 2000, 2879];
    const step = 1e-6;
    const estimate = at.map((i) => {
      const [up, down] = [1, -1].map((sign) => {
        const moved = Float64Array.from(image);
        moved[i]! += sign * step;
        return interpret([loss], { image: moved })[0]!.data[0]!;
      }) as [number, number];
      return (up - down) / (2 * step);
    });
    expectClose(
      at.map((i) => exact[i]!),
      estimate,
      { rtol: 1e-5, atol: 1e-7, what: "d loss / d image" },
    );
    expect(Math.max(...exact.map(Math.abs))).toBeGreaterThan(0.01);
  });

  test("gives values inside it, and leaves out what they do not need", () => {
    const bytes = write(inputs, resnet);
    const [stem, pooled] = ["Conv", "MaxPool"].map(
      (type) => nodesOf(bytes).find(({ opType }) => opType === type)!.output[0]!,
    );
    const made = importModel(bytes, { outputs: [stem!, pooled!] }).apply({ image: input("image", shape) });
    expect(Object.values(made).map((each) => each.shape)).toEqual([
      [2, 6, 10, 12],
      [2, 6, 5, 6],
    ]);
  });

  test("guides the training of an image through ONNX Runtime", async () => {
    const features = importModel(write(inputs, resnet));
    const traced = Object.values(features.apply({ image: input("image", shape) }));
    const wanted = interpret(traced, { image })[0]!;
    const start = pack({ pixels: full(shape, 0) });
    const step = await compile(backend, { state: { image: start, adam: adamInit(start) } }, ({ state }) => {
      const { value: loss, grads } = valueAndGrad(({ pixels }: typeof state.image) => {
        const [y] = Object.values(features.apply({ image: pixels })) as [Tensor];
        return sum(square(sub(y, constant(wanted.data, wanted.shape))));
      })(state.image);
      const next = adam(state.image, grads, state.adam, { lr: 0.05 });
      return { state: { image: next.params, adam: next.state }, loss };
    });
    const losses: number[] = [];
    for (let k = 0; k < 40; k++) losses.push((await step.run({})).loss[0]!);
    await step.dispose();
    expect(losses.at(-1)!).toBeLessThan(0.2 * losses[0]!);
  });
});

describe("a model that we exported", () => {
  test("comes back as it was, for a batch of its own", () => {
    const weight = (name: string, shape: Shape) =>
      constant(
        normal(name, shape).map((v) => 0.3 * v),
        shape,
      );
    const network = (x: Tensor): Tensor => {
      const [n, , h, w] = x.shape as [number, number, number, number];
      const affine = { scale: weight("scale", [8]), shift: weight("shift", [8]) };
      const features = silu(groupNorm(conv2d(x, weight("first", [8, 3, 3, 3]), { padding: 1 }), 4, affine));
      const qkv = reshape(conv2d(features, weight("qkv", [24, 8, 1, 1])), [n, 6, 4, h * w]);
      const part = (i: number) => narrow(transpose(qkv, [0, 1, 3, 2]), 1, 2 * i, 2);
      const mixed = scaledDotProductAttention(part(0), part(1), part(2));
      const joined = add(features, reshape(transpose(mixed, [0, 1, 3, 2]), features.shape));
      return concat([upsampleNearest2d(avgPool2d(joined, 2), 2), resizeBilinear2d(x, h, w)], 1);
    };
    const { bytes } = exportModel({ inputs: { x: [3, 8, 6] } }, ({ x }) => ({ y: network(x) }));
    // As readFile gives them.
    const model = importModel(Buffer.from(bytes));
    expect(model.inputs).toEqual([{ name: "x", dtype: "float32", shape: [undefined, 3, 8, 6] }]);
    expect(model.outputs).toEqual(["y"]);
    const x = input("x", [3, 3, 8, 6]);
    const values = { x: normal("x", x.shape) };
    const [back, there] = interpret([model.apply({ x })["y"]!, network(x)], values);
    expect(back!.shape).toEqual(there!.shape);
    expectClose(back!.data, there!.data, { rtol: 1e-5, atol: 1e-5, what: "y" });
  });
});

describe("a model that cannot be imported", () => {
  const image: Shapes = { x0: IMAGE };
  const load = (build: (b: ModelBuilder) => string, options?: ImportOptions) =>
    importModel(write(image, build), options);
  const trace = (
    build: (b: ModelBuilder) => string,
    x: Readonly<Record<string, Tensor>> = { x0: input("x0", IMAGE) },
  ) => load(build).apply(x);
  const relu = (b: ModelBuilder) => b.emit("Relu", ["x0"])[0]!;
  const other = (b: ModelBuilder) => b.emit("NonMaxSuppression", [relu(b)])[0]!;

  test.each<[name: string, code: string, message: string, attempt: () => unknown]>([
    ["bytes of something else", "import/format", "no ONNX model", () => importModel(Uint8Array.of(1, 2, 3))],
    ["nothing", "import/format", "no ONNX model", () => importModel(new Uint8Array(0))],
    [
      "an operator",
      "import/unsupported",
      'node "NonMaxSuppression_1" is NonMaxSuppression, which is not supported. Supported: Abs, Add,',
      () => load(other),
    ],
    [
      "an operator of another domain",
      "import/unsupported",
      "is com.microsoft.FusedConv",
      () => load((b) => b.emit("FusedConv", ["x0"], { domain: "com.microsoft" })[0]!),
    ],
    [
      "an output that is not there",
      "import/output",
      'no value "relu5"',
      () => load(relu, { outputs: ["relu5"] }),
    ],
    [
      "no input",
      "import/input",
      'input "x0" is missing. The model takes "x0" [2,4,6,5]',
      () => trace(relu, {}),
    ],
    [
      "an input of another name beside it",
      "import/input",
      'there is no input "X0". Did you mean "x0"? The model takes "x0" [2,4,6,5]',
      () => trace(relu, { x0: input("x0", [2, 4, 6, 5]), X0: input("x", [2, 4, 6, 5]) }),
    ],
    [
      "another shape",
      "import/input",
      'input "x0" [2,4,6,5] of float32 got [2,4,6,6]',
      () => trace(relu, { x0: input("x0", [2, 4, 6, 6]) }),
    ],
    [
      "a window that is not square",
      "import/node",
      'node "MaxPool_0" (MaxPool): window 2 x 3 is not square',
      () =>
        trace(
          (b) => b.emit("MaxPool", ["x0"], { attrs: { kernel_shape: big(2, 3), strides: big(2, 2) } })[0]!,
        ),
    ],
    [
      "a shape that depends on the input",
      "import/node",
      "must be constant",
      () => trace((b) => b.emit("Reshape", ["x0", b.emit("Cast", ["x0"], { attrs: { to: 7n } })[0]!])[0]!),
    ],
  ])("for %s says what and where", (_, code, message, attempt) => {
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code }));
  });

  test("may have unsupported nodes that are not needed", () => {
    const bytes = write(image, other);
    const [first] = nodesOf(bytes).map(({ output }) => output[0]!);
    const model = importModel(bytes, { outputs: [first!] });
    expect(model.apply({ x0: input("x0", IMAGE) })[first!]!.shape).toEqual(IMAGE);
  });
});
