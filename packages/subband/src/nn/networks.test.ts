import {
  add,
  compile,
  concat,
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
  type Tensor,
  treeLeaves,
  treeMap,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { conditionalDiscriminator, initConditionalDiscriminator } from "./conditional-discriminator.ts";
import { detailGenerator, initDetailGenerator, noiseExtents } from "./detail-generator.ts";
import { countParameters, type Params } from "./layers.ts";
import { initScoreUnet, scoreUnet } from "./score-unet.ts";

/** Every parameter as a constant, jittered so that layers which start at zero take part. */
function jittered<P>(tree: P, scale = 0.1): Params<P> {
  const random = rng(9, "jitter");
  return treeMap(tree, isNdArray, ({ shape, data }: NdArray) =>
    constant(
      data.map((v) => v + scale * random.normal()),
      shape,
    ),
  ) as Params<P>;
}

const score = { channels: 3, width: 8, multipliers: [1, 2], blocks: 1, attention: [0] };
const normal = (name: string, size: number) => rng(2, name).fillNormal(new Float64Array(size));

/** The float64 interpreter and ONNX Runtime evaluate the same network; `build` gets its inputs by name. */
async function both(
  shapes: Readonly<Record<string, readonly number[]>>,
  build: (inputs: Readonly<Record<string, Tensor>>) => Tensor,
): Promise<void> {
  const feeds = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      normal(
        name,
        shape.reduce((a, b) => a * b, 1),
      ),
    ]),
  );
  const oracle = interpret(
    [build(Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)])))],
    feeds,
  )[0]!;
  const program = await compile(node({ threads: 1 }), { inputs: shapes, debug: true }, (inputs) => ({
    y: build(inputs as never),
  }));
  const { y } = await program.run(
    Object.fromEntries(Object.entries(feeds).map(([name, data]) => [name, Float32Array.from(data)])),
  );
  // Float32 through some forty layers.
  expectClose(y, oracle.data, { rtol: 2e-4, atol: 2e-4 });
  await program.dispose();
}

describe("scoreUnet()", () => {
  test("runs in ONNX Runtime as in float64", async () => {
    const params = jittered(initScoreUnet(rng(1, "init"), score));
    await both({ x: [2, 3, 8, 4], noise: [2] }, ({ x, noise }) => scoreUnet(params, x!, noise!));
  });
  test("what is known enters as what is denoised does, and does not leave", () => {
    const params = jittered(initScoreUnet(rng(1, "init"), { ...score, conditioning: 2 }));
    const [x, known, noise] = [input("x", [1, 3, 4, 4]), input("known", [1, 2, 4, 4]), constant(0.3, [1])];
    const outputs = [scoreUnet(params, x, noise, known), scoreUnet(params, concat([x, known], 1), noise)];
    const run = (values: ArrayLike<number>) => interpret(outputs, { x: normal("x", 48), known: values });
    const [y, joined] = run(normal("known", 32));
    expect(y!.shape).toEqual([1, 3, 4, 4]);
    expect(y!.data).toEqual(joined!.data);
    expect(y!.data).not.toEqual(run(normal("other", 32))[0]!.data);
  });
  test("starts as zero", () => {
    const params = jittered(initScoreUnet(rng(1, "init"), score), 0);
    const [y] = interpret([scoreUnet(params, input("x", [1, 3, 4, 4]), input("noise", [1]))], {
      x: normal("x", 48),
      noise: [0.3],
    });
    expectClose(y!.data, new Float64Array(48), { atol: 0 });
  });
  test("depends on the noise level, and one level serves a whole batch", () => {
    const params = jittered(initScoreUnet(rng(1, "init"), score));
    const x = input("x", [2, 3, 4, 4]);
    const at = (shape: readonly number[], noise: readonly number[]) =>
      interpret([scoreUnet(params, x, input("noise", shape))], { x: normal("x", 96), noise })[0]!.data;
    expectClose(at([1], [0.5]), at([2], [0.5, 0.5]), { atol: 1e-9 });
    expect(Math.abs(at([1], [0.5])[0]! - at([1], [-0.5])[0]!)).toBeGreaterThan(1e-4);
  });
});

describe.each(["middle", "input"] as const)("detailGenerator() with noise at its %s", (noiseAt) => {
  const generator = { channels: 3, noiseAt, noiseChannels: 4, widths: [8, 12], blocks: 1 };
  const noiseShape = [2, ...noiseExtents(generator, 4, 4)];
  const shapes = { low: [2, 3, 4, 4], noise: noiseShape, level: [1], augmentation: [2] };
  const noiseSize = noiseShape.reduce((a, b) => a * b);
  test("takes it at the extents of the bands, or of its coarsest features", () => {
    expect(noiseShape).toEqual(noiseAt === "middle" ? [2, 4, 2, 2] : [2, 4, 4, 4]);
  });
  test("runs in ONNX Runtime as in float64, three bands a channel", async () => {
    const params = jittered(initDetailGenerator(rng(1, "init"), generator));
    await both(shapes, (given) => {
      const y = detailGenerator(params, given as never);
      expect(y.shape).toEqual([2, 9, 4, 4]);
      return y;
    });
  });
  test("hardly heeds the noise at first, and the low band fully", () => {
    const params = jittered(initDetailGenerator(rng(1, "init"), generator), 0);
    const given = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]),
    ) as never as Parameters<typeof detailGenerator>[1];
    const [byLow, byNoise] = gradients(mean(square(detailGenerator(params, given))), [
      given.low,
      given.noise,
    ]).map((g) => mean(square(g)));
    const feeds = {
      low: normal("low", 96),
      noise: normal("noise", noiseSize),
      level: [1],
      augmentation: [0, 0.1],
    };
    const [low, noise] = interpret([byLow!, byNoise!], feeds);
    // There are more numbers of noise in the middle, a number of which is worth more.
    expect(noise!.data[0]! / low!.data[0]!).toBeLessThan(noiseAt === "middle" ? 0.6 : 0.1);
    expect(noise!.data[0]!).toBeGreaterThan(0);
  });
  test("gives every parameter a gradient", () => {
    const tree = initDetailGenerator(rng(1, "init"), generator);
    const params = jittered(tree);
    const isTensor = (value: unknown): value is Tensor =>
      typeof value === "object" && value !== null && "node" in value;
    const given = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]),
    ) as never as Parameters<typeof detailGenerator>[1];
    const leaves = treeLeaves<Tensor>(params as never, isTensor);
    const grads = gradients(
      mean(square(detailGenerator(params, given))),
      leaves.map(({ leaf }) => leaf),
    );
    const norms = interpret(
      grads.map((g) => mean(square(g))),
      { low: normal("low", 96), noise: normal("noise", noiseSize), level: [1], augmentation: [0, 0.1] },
    );
    const idle = leaves.filter((_, i) => !(norms[i]!.data[0]! > 0)).map(({ name }) => name);
    expect(idle).toEqual([]);
    expect(countParameters(tree)).toBe(pack(tree).data.length);
  });
});

describe("conditionalDiscriminator()", () => {
  test("runs in ONNX Runtime as in float64, one score a patch", async () => {
    const params = jittered(initConditionalDiscriminator(rng(1, "init"), { inputs: 12, widths: [8, 12] }));
    await both({ bands: [2, 12, 4, 8] }, ({ bands }) => {
      const scores = conditionalDiscriminator(params, bands!, constant(1, [1]));
      expect(scores.shape).toEqual([2, 1, 2, 4]);
      return scores;
    });
  });
  test("judges each sample alone", () => {
    const params = jittered(initConditionalDiscriminator(rng(1, "init"), { inputs: 4, widths: [8, 8] }));
    const first = conditionalDiscriminator(params, input("bands", [2, 4, 4, 4]), constant(1, [1]));
    const run = (change: number) => {
      const bands = normal("bands", 128);
      bands.fill(change, 64);
      return interpret([add(first, 0)], { bands })[0]!.data.subarray(0, 4);
    };
    expectClose(run(0), run(5), { atol: 1e-12 });
  });
});
