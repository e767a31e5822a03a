import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, test } from "vitest";
import { add, mul } from "../ops/arithmetic.ts";
import { clamp } from "../ops/clamp.ts";
import { broadcastTo } from "../ops/sum.ts";
import { cast } from "../ops/compare.ts";
import { conv2d, convTranspose2d } from "../ops/conv.ts";
import { round, silu } from "../ops/elementary.ts";
import { gather } from "../ops/gather.ts";
import { matmul } from "../ops/matmul.ts";
import { batchNormTraining, groupNorm } from "../ops/normalization.ts";
import { avgPool2d, maxPool2d, upsampleNearest2d } from "../ops/pool.ts";
import { mean } from "../ops/reduce.ts";
import { reshape, transpose } from "../ops/reshape.ts";
import { concat, split } from "../ops/concat.ts";
import { padZero } from "../ops/pad.ts";
import { flip, narrow } from "../ops/slice.ts";
import { scaledDotProductAttention } from "../ops/softmax.ts";
import { constant, input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import { inlineState, State, type Traced } from "../runtime/state/state.ts";
import { expectClose } from "../testing/expect-close.ts";
import { type NdArray, ndarray } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import { scope } from "../trace/scope.ts";
import { type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { exportModel } from "./export-model.ts";
import { toOnnx } from "./model.ts";

const backend = node({ threads: 1 });
const random = rng(1, "export-model");
const normal = (shape: Shape, scale = 1): NdArray =>
  ndarray(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => scale * random.normal()),
  );

const template = {
  packed: pack({
    first: normal([8, 3, 3, 3], 0.2),
    qkv: normal([24, 8, 1, 1], 0.3),
    small: normal([8, 8, 3, 3], 0.1),
    back: normal([8, 4, 2, 2], 0.3),
  }),
  shift: normal([1, 4, 1, 1]),
};

/** Convolution, group normalisation, attention, pooling, a convolution small enough to be one product, and its adjoint. */
function network({ packed, shift }: Traced<typeof template>, x: Tensor): Tensor {
  const [n, , h, w] = x.shape as [number, number, number, number];
  const features = silu(groupNorm(conv2d(x, packed.first, { padding: 1 }), 4)); // [n, 8, 8, 6]
  const tokens = transpose(reshape(conv2d(features, packed.qkv), [n, 6, 4, h * w]), [0, 1, 3, 2]);
  const part = (i: number) => narrow(tokens, 1, 2 * i, 2);
  const mixed = scaledDotProductAttention(part(0), part(1), part(2)); // [n, 2, hw, 4]
  const joined = add(features, reshape(transpose(mixed, [0, 1, 3, 2]), features.shape));
  const small = conv2d(avgPool2d(joined, 2), packed.small, { padding: 1 }); // [n, 8, 4, 3]
  const back = concat([convTranspose2d(small, packed.back, { stride: 2 }), x], 1); // [n, 7, 8, 6]
  const fine = upsampleNearest2d(maxPool2d(narrow(back, 1, 0, 4), 2), 2);
  return padZero(add(fine, shift), [
    [0, 0],
    [0, 0],
    [1, 0],
  ]); // [n, 4, 9, 6]
}

const trivial = { x: [2, 4] } as const;

describe("exportModel()", () => {
  test("gives a model of any batch that computes what the program of each batch computes", async () => {
    const state = new State(template);
    const { bytes, inputs, outputs } = exportModel({ inputs: { x: [3, 8, 6] } }, ({ x }) => ({
      y: network(inlineState(state), x),
    }));
    expect([inputs, outputs].map((ports) => ports.map(({ name }) => name))).toEqual([["x"], ["y"]]);
    const session = await backend.createSession(bytes);
    for (const batch of [1, 3, 8, 11]) {
      const x = normal([batch, 3, 8, 6]).data;
      const y = new Float32Array(batch * 4 * 9 * 6);
      await session.run(
        { x: backend.tensor(x, [batch, 3, 8, 6]) },
        { y: backend.tensor(y, [batch, 4, 9, 6]) },
      );
      const program = await compile(backend, { state, inputs: { x: [batch, 3, 8, 6] } }, (traced) => ({
        y: network(traced.state, traced.x),
      }));
      // Batches below 8 take other kernels for the small convolution: sums of 72 products in another order.
      expectClose(y, (await program.run({ x })).y, {
        rtol: 1e-5,
        atol: 1e-5,
        what: `batch ${batch}: exported against compiled`,
      });
      await program.dispose();
    }
    await session.release();
  });

  test("takes int64 inputs: a class for every sample, in any batch", async () => {
    const table = Float64Array.of(1, 2, 10, 20, 100, 200);
    const { bytes } = exportModel(
      { inputs: { x: [2], label: { shape: [], dtype: "int64" }, pair: { shape: [2], dtype: "int64" } } },
      ({ x, label, pair }) => {
        const rows = constant(table, [3, 2]);
        const offset = add(gather(rows, label), mean(gather(rows, pair), [1])); // [n, 2]
        return { y: add(add(x, offset), cast(reshape(label, [-1, 1]), "float32")) };
      },
    );
    const { graph } = fromBinary(ModelProtoSchema, bytes);
    const types = graph!.input.map(({ name, type }) => [
      name,
      (type!.value.value as { elemType: number }).elemType,
    ]);
    // TensorProto.FLOAT and INT64.
    expect(types).toEqual([
      ["x", 1],
      ["label", 7],
      ["pair", 7],
    ]);
    const session = await backend.createSession(bytes);
    for (const batch of [1, 4]) {
      const label = BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % 3));
      const pair = BigInt64Array.from({ length: 2 * batch }, (_, i) => BigInt((i + 1) % 3));
      const x = normal([batch, 2]).data;
      const y = new Float32Array(2 * batch);
      await session.run(
        {
          x: backend.tensor(x, [batch, 2]),
          label: backend.tensor(label, [batch]),
          pair: backend.tensor(pair, [batch, 2]),
        },
        { y: backend.tensor(y, [batch, 2]) },
      );
      const at = (row: bigint, k: number) => table[2 * Number(row) + k]!;
      const want = Array.from(x, (value, i) => {
        const [n, k] = [i >> 1, i & 1];
        const own = at(label[n]!, k) + Number(label[n]!);
        return value + own + (at(pair[2 * n]!, k) + at(pair[2 * n + 1]!, k)) / 2;
      });
      expectClose(y, want, { rtol: 1e-6, what: `batch ${batch}` });
    }
    await session.release();
  });

  test("names the first dimension, and leaves the traced batch nowhere in the file", () => {
    const { bytes } = exportModel({ inputs: { x: [4], noise: [2] }, batch: "images" }, ({ x, noise }) => ({
      y: matmul(concat([x, noise], 1), constant(new Float64Array(18), [6, 3])),
    }));
    const { graph } = fromBinary(ModelProtoSchema, bytes);
    const dims = [...graph!.input, ...graph!.output].map(({ name, type }) => [
      name,
      ...(type!.value.value as { shape: { dim: { value: { value: unknown } }[] } }).shape.dim.map(
        ({ value }) => String(value.value),
      ),
    ]);
    expect(dims).toEqual([
      ["x", "images", "4"],
      ["noise", "images", "2"],
      ["y", "images", "3"],
    ]);
    expect(graph!.initializer.flatMap(({ dims: extents }) => extents.map(Number))).toEqual([6, 3]);
  });

  test("writes bytes for pictures, any batch", async () => {
    const { bytes } = exportModel({ inputs: { x: [3, 1, 2] } }, ({ x }) => ({
      image: transpose(cast(round(clamp(mul(add(x, 1), 127.5), 0, 255)), "uint8"), [0, 2, 3, 1]),
    }));
    const session = await backend.createSession(bytes);
    const image = new Uint8Array(12);
    const x = Float32Array.of(-1, 1, 0, -2, 2, 0.5, 1, 1, 1, -1, -1, -1);
    await session.run({ x: backend.tensor(x, [2, 3, 1, 2]) }, { image: backend.tensor(image, [2, 1, 2, 3]) });
    await session.release();
    // 127.5 goes to the even 128; 1.5 * 127.5 = 191.25.
    expect([...image]).toEqual([0, 128, 255, 255, 0, 191, 255, 255, 0, 255, 0, 0]);
  });

  test.each<[string, (x: Tensor) => Tensor, string]>([
    [
      "a constant for every sample",
      (x) => add(x, constant(new Float64Array(x.shape[0]! * 8), x.shape)),
      "constant: writes the batch into the model (extent 977)",
    ],
    [
      "repeating to the batch",
      (x) => concat([x, broadcastTo(constant(0), [x.shape[0]!, 1, 4])], 1),
      "broadcastTo: repeats a tensor of every sample to [977,1,4]",
    ],
    ["a mean over the batch", (x) => add(x, mean(x, [0])), "mean: cuts or mixes the samples of the batch"],
    [
      "batch normalisation in training",
      (x) =>
        batchNormTraining(reshape(x, [-1, 2, 2, 2]), { scale: constant([1, 1]), shift: constant([0, 0]) }).y,
      "channelMoments: cuts or mixes the samples",
    ],
    ["half of the batch", (x) => narrow(x, 0, 0, 488), "slice: cuts or mixes the samples of the batch"],
    [
      "cutting the batch into parts",
      (x) => split(x, [1, x.shape[0]! - 1], 0)[1]!,
      "split: cuts or mixes the samples of the batch",
    ],
    ["one sample more", (x) => padZero(x, [[0, 1]]), "unslice: cuts or mixes the samples of the batch"],
    ["the batch backwards", (x) => flip(x, [0]), "slice depends on the batch"],
    ["a factor made from the batch", (x) => mul(x, 1 / x.shape[0]!), "mul depends on the batch"],
    [
      "samples side by side",
      (x) => reshape(transpose(x, [1, 0, 2]), [2, -1]),
      '"y" [2,3908] has the batch 977 elsewhere than as its first dimension',
    ],
    ["the batch inside a dimension", (x) => reshape(x, [-1, 4]), '"y" [1954,4] has the batch 977 elsewhere'],
  ])("refuses %s", (_, build, message) => {
    expect(() => exportModel({ inputs: trivial }, ({ x }) => ({ y: build(x) }))).toThrow(message);
  });

  test("names the module in which the batch is fixed", () => {
    const build = ({ x }: { x: Tensor }) => ({
      y: scope("unet", () => scope("middle", () => mul(x, x.shape[0]!))),
    });
    expect(() => exportModel({ inputs: trivial }, build)).toThrow("mul at unet.middle depends on the batch");
    const flat = ({ x }: { x: Tensor }) => ({ y: scope("head", () => mean(x, [0])) });
    expect(() => exportModel({ inputs: trivial }, flat)).toThrow(
      "mean at head: cuts or mixes the samples of the batch, which must be free to change; inputs [977,2,4]. Treat every sample alone.",
    );
  });
});

describe("toOnnx() with dynamicBatch", () => {
  test("refuses a batch spread over two dimensions", () => {
    const x = input("x", [49, 4]);
    expect(() => toOnnx({ y: reshape(x, [7, 7, 4]) }, { dynamicBatch: { traced: 7, name: "n" } })).toThrow(
      "reshape: spreads the batch over the dimensions [7,7,4]",
    );
  });
});

describe("inlineState()", () => {
  test("gives constants of the present values in the state's structure", () => {
    const state = new State({ packed: pack({ w: ndarray([2], [1, 2]) }), b: ndarray([1], [3]) });
    const { packed, b } = inlineState(state);
    const valuesOf = ({ node: { attrs } }: Tensor) => [...(attrs as { values: Float64Array }).values];
    state.entries.get("b")!.current[0] = 9;
    expect([valuesOf(packed.w), valuesOf(b)]).toEqual([[1, 2], [3]]);
    expect(packed.w.shape).toEqual([2]);
  });
});
