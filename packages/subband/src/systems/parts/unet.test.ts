import {
  concat,
  constant,
  input,
  interpret,
  isNdArray,
  type NdArray,
  rng,
  type Tensor,
  treeMap,
} from "onnxgrad";
import { describe, expect, test } from "vitest";
import { iddpmUnet } from "../../nn/iddpm-unet.ts";
import { type Params, SHAPES } from "../../nn/layers.ts";
import { unet, unetConfig, type UnetName } from "./unet.ts";

const NAMES: readonly UnetName[] = ["score", "improved"];
const config = (name: UnetName, height: number, width: number, conditioning = 0) =>
  unetConfig({ unet: name, channels: 2, conditioning, features: 8, height, width });

/** Every parameter as a constant, moved from where it starts, since the last layers start as zero. */
function moved<P>(tree: P): Params<P> {
  const random = rng(3, "moved");
  return treeMap(tree, isNdArray, ({ shape, data }: NdArray): Tensor =>
    constant(
      data.map((value) => value + 0.1 * random.normal()),
      shape,
    ),
  ) as Params<P>;
}

describe("unetConfig()", () => {
  test("has the released multipliers and attention of improved-diffusion, SGM and WSGM", () => {
    const sizes = [
      [64, 0],
      [128, 0],
      [256, 0],
      [32, 0],
      [64, 3],
      [32, 3],
    ] as const;
    expect(
      sizes.map(([side, conditioning]) => {
        const { multipliers, attention } = config("improved", side, side, conditioning);
        return [multipliers.join(), attention.map((i) => side / 2 ** i).join()];
      }),
    ).toEqual([
      ["1,2,3,4", "16,8"],
      ["1,2,2,4,4", "16,8"],
      ["1,1,2,2,4,4", "16,8"],
      ["1,2,2,2", "16,8"],
      ["2,2,4,4", "16,8"],
      ["2,4,4", "16,8"],
    ]);
  });

  test.each(NAMES)("%s: fits extents of every even size", (name) => {
    for (const conditioning of [0, 1])
      for (const [height, width] of [
        [2, 2],
        [4, 6],
        [10, 8],
        [14, 34],
        [48, 40],
        [130, 128],
        [66, 70],
      ] as const) {
        const { multipliers } = config(name, height, width, conditioning);
        const unit = 2 ** (multipliers.length - 1);
        const what = `${height}x${width}: ${multipliers.join()}`;
        expect([height % unit, width % unit], what).toEqual([0, 0]);
        expect(Math.min(height, width) / unit, what).toBeGreaterThanOrEqual(2);
      }
  });
});

describe("unet()", () => {
  test.each(NAMES)("%s: depends on what it denoises, on the noise and on what it is given", (name) => {
    const network = unet(config(name, 4, 4, 1));
    const params = moved(network.init(rng(1, "network")));
    const [x, given, noise] = [input("x", [1, 2, 4, 4]), input("given", [1, 1, 4, 4]), input("noise", [1])];
    const y = network.run(params, x, { noise, given });
    const numbers = (of: string, size: number) => rng(2, of).fillNormal(new Float64Array(size));
    const feeds = { x: numbers("x", 32), given: numbers("given", 16), noise: [0.3] };
    const run = (other: Partial<typeof feeds>) => interpret([y], { ...feeds, ...other })[0]!.data;
    const base = run({});
    for (const other of [{ x: numbers("y", 32) }, { given: numbers("z", 16) }, { noise: [0.4] }])
      expect(Math.max(...base.map((value, i) => Math.abs(value - run(other)[i]!)))).toBeGreaterThan(1e-3);
  });

  test("improved-diffusion's is told a thousand times the scalar, with four heads", () => {
    const size = config("improved", 4, 4, 1);
    const network = unet(size);
    const params = moved(network.init(rng(1, "network"))) as never;
    const [x, given] = [input("x", [1, 2, 4, 4]), input("given", [1, 1, 4, 4])];
    const outputs = [
      network.run(params, x, { noise: constant(0.25, [1]), given }),
      iddpmUnet(params, { x: concat([x, given], 1), time: constant(250, [1]) }, { heads: 4 }),
    ];
    const feeds = { x: rng(2, "x").fillNormal(new Float64Array(32)), given: new Float64Array(16).fill(0.7) };
    const [a, b] = interpret(outputs, feeds);
    expect(a!.data).toEqual(b!.data);
  });

  test("gives shapes without drawing numbers", () => {
    const shapes = (random: typeof SHAPES) => {
      const found: string[] = [];
      treeMap(unet(config("improved", 8, 8)).init(random), isNdArray, ({ shape }: NdArray, name) => {
        found.push(`${name} ${shape.join()}`);
        return shape;
      });
      return found;
    };
    expect(shapes(SHAPES)).toEqual(shapes(rng(1, "network")));
  });
});
