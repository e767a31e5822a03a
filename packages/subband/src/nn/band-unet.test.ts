import {
  compile,
  constant,
  input,
  interpret,
  isNdArray,
  mul,
  type NdArray,
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
import {
  bandUnet,
  type BandUnetConfig,
  bandUnetConfigOf,
  type BandUnetParams,
  initBandUnet,
} from "./band-unet.ts";
import { countParameters, type Params } from "./layers.ts";

const config: BandUnetConfig = { channels: 1, widths: [4, 6], encoder: [1, 2], decoder: [1, 0] };
const random = rng(8, "band-unet-test");
/** As trained: every convolution matters. */
const params: BandUnetParams = treeMap(
  initBandUnet(random, config) as never,
  isNdArray,
  ({ shape, data }: NdArray) => ({ shape, data: data.map(() => 0.3 * random.normal()) }),
);
const normal = (name: string, size: number) => rng(8, name).fillNormal(new Float64Array(size));
const constants = (tree: BandUnetParams): Params<BandUnetParams> =>
  treeMap(tree as never, isNdArray, ({ shape, data }: NdArray) =>
    constant(data, shape),
  ) as unknown as Params<BandUnetParams>;

/** Bands of images [2, 1, 16, 8] whatever they come from, by name. */
const inputs = {
  low1: [2, 1, 8, 4],
  detail1: [2, 3, 8, 4],
  low2: [2, 1, 4, 2],
  detail2: [2, 3, 4, 2],
} as const;
const at = Object.fromEntries(
  Object.entries(inputs).map(([name, shape]) => [
    name,
    normal(
      name,
      shape.reduce((a: number, b) => a * b, 1),
    ),
  ]),
);
const traced = (p: Params<BandUnetParams>, of: (name: keyof typeof inputs) => Tensor): Tensor =>
  bandUnet(p, [
    { low: of("low1"), detail: of("detail1") },
    { low: of("low2"), detail: of("detail2") },
  ]);
const output = (p: BandUnetParams, feeds: Readonly<Record<string, ArrayLike<number>>>): Float64Array =>
  interpret([traced(constants(p), (name) => input(name, inputs[name]))], feeds)[0]!.data;

describe("bandUnet()", () => {
  test("gives the noise in all four bands of the finest level", () => {
    expect(traced(constants(params), (name) => input(name, inputs[name])).shape).toEqual([2, 4, 8, 4]);
  });

  test("hears of every band, fine and coarse, and keeps images apart", () => {
    const y = output(params, at);
    for (const [name, data] of Object.entries(at)) {
      const changed = output(params, { ...at, [name]: data.map((v, i) => (i === 0 ? v + 1 : v)) });
      expect(changed[0], name).not.toBe(y[0]);
      expect(changed.subarray(y.length / 2), name).toEqual(y.subarray(y.length / 2));
    }
  });

  test("has the gradient that finite differences see, for every parameter", () => {
    const weights = constant(normal("weights", 2 * 4 * 8 * 4), [2, 4, 8, 4]);
    const loss = (p: Params<BandUnetParams>) =>
      sum(
        mul(
          traced(p, (name) => constant(at[name]!, inputs[name])),
          weights,
        ),
      );
    const { value, grads } = valueAndGrad(loss)(
      treeMap(params as never, isNdArray, ({ shape }: NdArray, name) =>
        input(name, shape),
      ) as unknown as Params<BandUnetParams>,
    );
    const leaves = treeLeaves<NdArray>(params as never, isNdArray);
    const named = treeLeaves<Tensor>(grads as never, (each): each is Tensor => each instanceof Tensor);
    const feeds = (moved?: string, step = 0, direction?: Float64Array) =>
      Object.fromEntries(
        leaves.map(({ name, leaf }) => [
          name,
          Float64Array.from(leaf.data, (v, i) => (name === moved ? v + step * direction![i]! : v)),
        ]),
      );
    const evaluated = interpret(
      named.map(({ leaf }) => leaf),
      feeds(),
    );
    expect(named.map(({ name }) => name)).toEqual(leaves.map(({ name }) => name));
    for (const [i, { name }] of named.entries()) {
      const gradient = evaluated[i]!.data;
      const direction = normal(name, gradient.length);
      const slope = gradient.reduce((total, g, j) => total + g * direction[j]!, 0);
      const [above, below] = [1e-6, -1e-6].map(
        (h) => interpret([value], feeds(name, h, direction))[0]!.data[0]!,
      );
      expectClose([slope], [(above! - below!) / 2e-6], { rtol: 1e-4, atol: 1e-6, what: name });
    }
  });

  test("runs in ONNX Runtime as in float64", async () => {
    const program = await compile(node({ threads: 1 }), { inputs }, (given) => ({
      y: traced(constants(params), (name) => given[name]),
    }));
    const feeds = Object.fromEntries(
      Object.entries(at).map(([name, data]) => [name, Float32Array.from(data)]),
    );
    const { y } = await program.run(feeds as never);
    expectClose(y, output(params, at), { rtol: 1e-4, atol: 1e-4 });
    await program.dispose();
  });
});

describe("initBandUnet()", () => {
  test("counts: entries 36cw, exit 36cw, blocks 18w^2 + w, and 1 x 1 between levels", () => {
    const blocks = 18 * (2 * 4 ** 2 + 2 * 6 ** 2) + 2 * 4 + 2 * 6;
    expect(countParameters(params)).toBe(36 * (4 + 6) + 36 * 4 + blocks + 2 * 4 * 6);
  });

  test("starts as a function of the size of its input, near zero", () => {
    const y = output(initBandUnet(rng(1, "band-unet-test"), config), at);
    const rms = Math.sqrt(y.reduce((total, v) => total + v * v, 0) / y.length);
    expect(rms).toBeGreaterThan(0.01);
    expect(rms).toBeLessThan(0.5);
  });
});

describe("bandUnetConfigOf()", () => {
  test("finds the size again", () => {
    expect(bandUnetConfigOf(params)).toEqual(config);
    const colour = { channels: 3, widths: [8], encoder: [0], decoder: [1] };
    expect(bandUnetConfigOf(initBandUnet(random, colour))).toEqual(colour);
  });

  test("refuses arrays that do not fit together", () => {
    const { levels, exit } = params;
    const small = { shape: [4, 5, 3, 3], data: new Float32Array(180) };
    for (const bad of [
      { levels, exit: small },
      { levels: [], exit },
      { levels: levels.toReversed(), exit },
    ])
      expect(() => bandUnetConfigOf(bad)).toThrow(/not a band U-Net/);
  });
});
