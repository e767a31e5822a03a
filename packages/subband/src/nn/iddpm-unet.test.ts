import {
  compile,
  constant,
  gradients,
  input,
  interpret,
  isNdArray,
  mul,
  type NdArray,
  rng,
  sum,
  type Tensor,
  treeLeaves,
  treeMap,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import golden from "../../../../tests/support/iddpm-golden.json" with { type: "json" };
import { iddpmUnet, type IddpmUnetConfig, type IddpmUnetParams, initIddpmUnet } from "./iddpm-unet.ts";
import { countParameters, type Params, SHAPES } from "./layers.ts";

const released = { channels: 3, conditioning: 0, width: 128, blocks: 3, heads: 4, scaleShiftNorm: true };
/** Of 9 detail channels, given 3 of the low band. */
const details = { ...released, channels: 9, conditioning: 3 };
const tiny: IddpmUnetConfig = {
  ...{ channels: 2, conditioning: 0, width: 4, multipliers: [1, 2], blocks: 1 },
  ...{ attention: [], heads: 2, scaleShiftNorm: true },
};

/** Element i is sin(0.0137 i^2 + k), as in make-iddpm-golden.py. */
const chirp = (size: number, k = 0) =>
  Float64Array.from({ length: size }, (_, i) => Math.sin(0.0137 * i * i + k));
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The parameters that make-iddpm-golden.py makes. */
function goldenParams(config: IddpmUnetConfig): IddpmUnetParams {
  const params = initIddpmUnet(SHAPES, config);
  const names = treeLeaves<NdArray>(params as never, isNdArray)
    .map(({ name }) => name)
    .sort();
  return treeMap(params, isNdArray, ({ shape }, name): NdArray => {
    const size = sizeOf(shape);
    const scale = shape.length === 1 ? 0.1 : Math.sqrt(2 / (size / shape[0]!));
    const offset = name.endsWith("scale") ? 1 : 0;
    const data = Float32Array.from(chirp(size, names.indexOf(name)), (v) => scale * v + offset);
    return { shape, data };
  }) as IddpmUnetParams;
}

describe("initIddpmUnet()", () => {
  test("has the parameters of SGM and WSGM as released for 128 x 128", () => {
    const sgm = { ...released, multipliers: [1, 2, 2, 4, 4], attention: [3, 4] };
    const wsgm = [
      { ...details, multipliers: [2, 2, 4, 4], attention: [2, 3] }, // 64 x 64
      { ...details, multipliers: [2, 4, 4], attention: [1, 2] }, // 32 x 32
      { ...released, multipliers: [1, 2, 2, 2], attention: [1, 2] }, // the low band, 32 x 32
    ];
    const counts = [sgm, ...wsgm].map((config) => countParameters(initIddpmUnet(SHAPES, config)));
    expect(counts).toEqual([160_299_267, 156_317_961, 142_144_265, 52_542_979]);
    // What the authors of WMGM state for the three of WSGM: 351 M.
    expect(Math.round((counts[1]! + counts[2]! + counts[3]!) / 1e6)).toBe(351);
  });

  test("counts by hand: every layer of the smallest network", () => {
    const conv = (i: number, o: number, k = 3) => o * (i * k * k + 1);
    const block = (i: number, o: number) =>
      2 * i + conv(i, o) + 17 * 2 * o + 2 * o + conv(o, o) + (i === o ? 0 : conv(i, o, 1));
    const attention = 2 * 8 + conv(8, 24, 1) + conv(8, 8, 1);
    const expected =
      5 * 16 +
      17 * 16 +
      conv(2, 4) + // prettier-ignore
      block(4, 4) +
      conv(4, 4) +
      block(4, 8) +
      2 * block(8, 8) +
      attention +
      block(8 + 8, 8) +
      block(8 + 4, 8) +
      conv(8, 8) +
      block(8 + 4, 4) +
      block(4 + 4, 4) +
      2 * 4 +
      conv(4, 2);
    expect(countParameters(initIddpmUnet(SHAPES, tiny))).toBe(expected);
  });

  test("starts as zero, and refuses odd widths and heads that divide no channels", () => {
    const params = initIddpmUnet(rng(1, "iddpm"), tiny);
    const y = iddpmUnet(constants(params), { x: image([1, 2, 4, 4]), time: constant(3, [1]) }, tiny);
    expect(interpret([y], {})[0]!.data.every((v) => v === 0)).toBe(true);
    expect(() => initIddpmUnet(SHAPES, { ...tiny, width: 5 })).toThrow(/width 5 is odd/);
    expect(() => initIddpmUnet(SHAPES, { ...tiny, heads: 3 })).toThrow(
      /3 heads do not divide the 8 channels/,
    );
  });
});

const constants = <T>(tree: T): Params<T> =>
  treeMap(tree, isNdArray, ({ shape, data }) => constant(data, shape)) as Params<T>;
const image = (shape: readonly number[]) => constant(chirp(sizeOf(shape)), shape);

describe("iddpmUnet()", () => {
  test.each(golden.cases)(
    "gives PyTorch's output and gradients (scaleShiftNorm $config.scaleShiftNorm, conditioning $config.conditioning)",
    async ({ config, output, inputGradient, gradients: expected }) => {
      const leaves = treeLeaves<NdArray>(goldenParams(config) as never, isNdArray);
      const shapes = Object.fromEntries(
        leaves.map(({ name, leaf }) => [name.replaceAll(".", "_"), leaf.shape]),
      );
      const feeds = Object.fromEntries(
        leaves.map(({ name, leaf }) => [name.replaceAll(".", "_"), leaf.data]),
      );
      const imageShape = [2, config.channels, 4, 8];
      const givenShape = [2, config.conditioning, 4, 8];
      const program = await compile(
        node({ threads: 1 }),
        { inputs: { ...shapes, image: imageShape } },
        (args) => {
          const inputs = args as Readonly<Record<string, Tensor>>;
          const params = treeMap(
            goldenParams(config),
            isNdArray,
            (_, name) => inputs[name.replaceAll(".", "_")]!,
          );
          const y = iddpmUnet(
            params as never,
            {
              x: inputs["image"]!,
              time: constant([3, 700], [2]),
              ...(config.conditioning > 0 && {
                conditioning: constant(chirp(sizeOf(givenShape), 1), givenShape),
              }),
            },
            config,
          );
          const weights = Float64Array.from({ length: y.size }, (_, i) => Math.sin(i));
          const names = [...Object.keys(shapes), "image"];
          const grads = gradients(
            sum(mul(y, constant(weights, y.shape))),
            names.map((name) => inputs[name]!),
          );
          return { y, ...Object.fromEntries(names.map((name, i) => [`grad_${name}`, grads[i]!])) };
        },
      );
      const found = (await program.run({
        ...feeds,
        image: Float32Array.from(chirp(sizeOf(imageShape))),
      } as never)) as Readonly<Record<string, Float32Array>>;
      await program.dispose();
      // Float32 through some thirty convolutions.
      expectClose(found["y"]!, output, { rtol: 1e-4, atol: 1e-4, what: "output" });
      expectClose(found["grad_image"]!, inputGradient, { rtol: 1e-4, atol: 1e-3, what: "gradient of x" });
      for (const { name } of leaves) {
        const gradient = found[`grad_${name.replaceAll(".", "_")}`]!;
        const along = chirp(gradient.length);
        const watched = [
          gradient.reduce((a, b) => a + b, 0),
          gradient.reduce((a, b, i) => a + b * along[i]!, 0),
        ];
        expectClose(watched, expected[name as keyof typeof expected]!, {
          rtol: 1e-3,
          atol: 1e-3,
          what: name,
        });
      }
    },
  );

  test("refuses extents that its halvings do not divide", () => {
    const params = constants(initIddpmUnet(SHAPES, tiny));
    const run = (h: number, w: number) => () =>
      iddpmUnet(params, { x: input("x", [1, 2, h, w]), time: constant(0, [1]) }, tiny);
    expect(run(4, 5)).toThrow(/multiples of 2, got \[1,2,4,5\]/);
    expect(run(4, 6)).not.toThrow();
  });
});
