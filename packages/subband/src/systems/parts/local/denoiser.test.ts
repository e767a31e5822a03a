import {
  constant,
  full,
  input,
  interpret,
  isNdArray,
  mul,
  narrow,
  type NdArray,
  rng,
  type Tensor,
  treeMap,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { bfCnn, conditionalConfig, flatConfig, initBfCnn, initBfCnnStatistics } from "../../../nn/bf-cnn.ts";
import type { BfCnnNetwork } from "../../../nn/bf-cnn-network.ts";
import type { Params } from "../../../nn/layers.ts";
import { wavedec2 } from "../../../wavelet/wavedec.ts";
import {
  analyseLevel,
  compileDenoiser,
  compileResidual,
  conditionalResidual,
  denoiseBands,
  synthesiseLevel,
} from "./denoiser.ts";
import { initBandUnet } from "../../../nn/band-unet.ts";
import {
  levelsOf,
  localModel,
  hasNoisyCondition,
  requirePyramid,
  restoreModel,
  storeModel,
  summarise,
  unetModel,
} from "./model.ts";

const normal = (name: string, size: number) => rng(6, name).fillNormal(new Float64Array(size));
const values = (tensor: Tensor, x: ArrayLike<number>): Float64Array => interpret([tensor], { x })[0]!.data;

const constants = <P>(tree: P): Params<P> =>
  treeMap(tree, isNdArray, ({ shape, data }: NdArray) => constant(data, shape)) as Params<P>;

/** A narrow network whose gains and deviations look trained. */
function network(config: Parameters<typeof initBfCnn>[1], seed: number): BfCnnNetwork {
  const random = rng(seed, "local-denoiser-test");
  const params = initBfCnn(random, { ...config, width: 4 });
  const redraw = (draw: () => number) => (array: NdArray) => ({ ...array, data: array.data.map(draw) });
  return {
    params: { ...params, gains: params.gains.map(redraw(() => random.normal())) },
    statistics: {
      deviations: initBfCnnStatistics(params).deviations.map(redraw(() => 0.5 + random.uniform())),
    },
  };
}

function model(channels: 1 | 3, levels: number, noisyCondition = false) {
  const details = Array.from({ length: levels }, (_, j) =>
    network(conditionalConfig(channels, 5, noisyCondition), j + 1),
  );
  return localModel(network(flatConfig(channels, 9), 0), details);
}

describe("analyseLevel()", () => {
  test("takes local means and differences of blocks, and synthesiseLevel() takes them back", () => {
    const x = input("x", [1, 1, 2, 2]);
    const { low, detail } = analyseLevel(x, "haar");
    const [a, b, c, d] = [3, 5, 7, 17];
    expectClose(values(low, [a, b, c, d]), [8], { rtol: 1e-12 });
    expectClose(values(detail, [a, b, c, d]), [-4, -3, 2], { rtol: 1e-12 });
    expectClose(values(synthesiseLevel(low, detail, "haar"), [a, b, c, d]), [a, b, c, d], { rtol: 1e-12 });
  });

  test("is the orthonormal transform over 2^(j + 1) at scale j, and halves the noise a level", () => {
    const x = input("x", [1, 1, 8, 16]);
    const at = normal("x", 128);
    const [a2, d2, d1] = wavedec2({ data: at, shape: [8, 16] }, "haar", "symmetric", 2);
    const first = analyseLevel(x, "haar");
    const second = analyseLevel(first.low, "haar");
    const over = (bands: readonly { readonly data: ArrayLike<number> }[], by: number) =>
      bands.flatMap(({ data }) => Array.from(data, (v) => v / by));
    expectClose(values(first.detail, at), over(d1!, 2), { atol: 1e-12, what: "scale 0" });
    expectClose(values(second.detail, at), over(d2!, 4), { atol: 1e-12, what: "scale 1" });
    expectClose(values(second.low, at), over([a2], 4), { atol: 1e-12, what: "low band" });
  });
});

describe("denoiseBands()", () => {
  test("with residuals that know the noise gives the clean image, from the coarse to the fine", () => {
    const clean = normal("clean", 2 * 3 * 8 * 4);
    const noise = normal("noise", clean.length);
    const shape = [2, 3, 8, 4];
    const known = (array: Float64Array) => {
      const first = analyseLevel(constant(array, shape), "haar");
      return { first, second: analyseLevel(first.low, "haar") };
    };
    const [noiseBands, cleanBands] = [known(noise), known(clean)];
    const seen: string[] = [];
    const conditional = (name: string, level: typeof noiseBands.first, low: Tensor) => (x: Tensor) => {
      seen.push(name);
      expect(x.shape[1], name).toBe(12);
      // What it is given first is the denoised low band.
      const feeds = Float64Array.from(clean, (v, i) => v + noise[i]!);
      const given = values(x, feeds);
      const plane = x.shape[2]! * x.shape[3]!;
      expectClose(given.subarray(0, 3 * plane), values(low, []).subarray(0, 3 * plane), {
        atol: 1e-9,
        what: name,
      });
      return level.detail;
    };
    const { image } = denoiseBands(
      () => (seen.push("low"), noiseBands.second.low),
      [
        conditional("level 1", noiseBands.first, cleanBands.first.low),
        conditional("level 2", noiseBands.second, cleanBands.second.low),
      ],
      input("x", shape),
      "haar",
    );
    expect(seen).toEqual(["low", "level 2", "level 1"]);
    expectClose(
      values(
        image,
        clean.map((v, i) => v + noise[i]!),
      ),
      clean,
      { atol: 1e-9 },
    );
  });

  test("with a noisy condition shows the band before it was denoised, between that and the details", () => {
    const at = normal("noisy condition", 3 * 64);
    const x = input("x", [1, 3, 8, 8]);
    const { low, detail } = analyseLevel(x, "haar");
    let seen: Tensor | undefined;
    denoiseBands((y) => mul(y, 0.25), [(both) => narrow((seen = both), 1, 6, 9)], x, "haar", true);
    const want = [mul(low, 0.75), low, detail].flatMap((band) => [...values(band, at)]);
    expectClose(values(seen!, at), want, { atol: 1e-12 });
  });

  test("keeps the low band alone where no network sees noise in it and all the details are noise", () => {
    const at = normal("x", 64);
    const all = (both: Tensor) => narrow(both, 1, 1, 3);
    const { image } = denoiseBands((y) => mul(y, 0), [all, all], input("x", [1, 1, 8, 8]), "haar");
    const block = (i: number) => 16 * Math.floor(i / 32) + 2 * Math.floor((i % 8) / 4); // first of its 4 x 4 in quarters
    const means = at.map((_, i) => {
      const corner = 2 * block(i);
      let total = 0;
      for (let k = 0; k < 16; k++) total += at[corner + 8 * Math.floor(k / 4) + (k % 4)]!;
      return total / 16;
    });
    expectClose(values(image, at), means, { atol: 1e-12 });
  });
});

describe("compileDenoiser()", () => {
  test("runs a batch in ONNX Runtime as the networks do in float64, gray and colour, flat and multi-scale", async () => {
    for (const [channels, levels, noisyCondition] of [
      [1, 0, false],
      [1, 2, false],
      [3, 1, false],
      [3, 1, true],
    ] as const) {
      const what = `${channels} channels, ${levels} levels, noisy condition ${noisyCondition}`;
      const trained = model(channels, levels, noisyCondition);
      const shape = [2, channels, 8, 12] as const;
      const at = normal(what, 2 * channels * 96);
      const whole =
        ({ params, statistics }: BfCnnNetwork) =>
        (x: Tensor) =>
          bfCnn(constants(params), constants(statistics), x, "inference").y;
      const oracle = denoiseBands(
        whole(trained.low),
        trained.details.map(whole),
        input("x", shape),
        "haar",
        noisyCondition,
      );
      const denoiser = await compileDenoiser(node({ threads: 1 }), trained, shape, { bands: true });
      const { image, bands } = await denoiser.run(Float32Array.from(at));
      const { low, details } = bands!;
      const close = { rtol: 1e-3, atol: 1e-3 };
      expectClose(image, values(oracle.image, at), { ...close, what });
      expectClose(low, values(oracle.low, at), { ...close, what: `${what}: low band` });
      for (const [j, detail] of oracle.details.entries())
        expectClose(details[j]!, values(detail, at), { ...close, what: `${what}: level ${j + 1}` });
      await denoiser.dispose();
    }
  });

  test("denoises a brighter image as a brighter image: the whole model is homogeneous of degree 1", async () => {
    const denoiser = await compileDenoiser(node({ threads: 1 }), model(1, 2), [1, 1, 8, 8]);
    const at = Float32Array.from(normal("bright", 64));
    const once = (await denoiser.run(at)).image.slice();
    const { image } = await denoiser.run(at.map((v) => 8 * v));
    expectClose(
      image,
      once.map((v) => 8 * v),
      { rtol: 1e-5, atol: 1e-5 },
    );
    await denoiser.dispose();
  });

  test("refuses images that the model does not take, with what it takes", async () => {
    for (const shape of [
      [1, 3, 8, 8],
      [1, 1, 8, 10],
      [1, 1, 6, 8],
    ] as const)
      await expect(compileDenoiser(node(), model(1, 2), shape), String(shape)).rejects.toThrow(
        /channels and \d+ x \d+ pixels: this model takes 1 channels and extents that are multiples of 4/,
      );
  });
});

describe("conditionalResidual()", () => {
  test("puts the low band of each image before its details", async () => {
    const each = network(conditionalConfig(1, 5), 3);
    const compiled = await compileResidual(node({ threads: 1 }), each, [2, 4, 3, 5]);
    const low = Float32Array.from(normal("low", 30));
    const details = Float32Array.from(normal("details", 90));
    const both = new Float32Array([
      ...low.subarray(0, 15),
      ...details.subarray(0, 45),
      ...low.subarray(15),
      ...details.subarray(45),
    ]);
    const want = (await compiled.residual(both)).slice();
    const found = await conditionalResidual(compiled.residual, low, 2)(details);
    expect([...found]).toEqual([...want]);
    await compiled.dispose();
  });
});

describe("restoreModel()", () => {
  test("gives back what storeModel() stored, flat and multi-scale", () => {
    for (const [channels, levels, noisyCondition] of [
      [1, 0, false],
      [3, 2, false],
      [3, 2, true],
    ] as const) {
      const trained = model(channels, levels, noisyCondition);
      expect(hasNoisyCondition(trained)).toBe(noisyCondition);
      const stored = storeModel(trained, { note: "x" });
      expect(stored.metadata["note"]).toBe("x");
      expect(restoreModel(stored), `${channels} channels, ${levels} levels`).toEqual(trained);
    }
  });

  test("names the networks from the low-pass band to the finest details", () => {
    const rows = summarise(model(1, 2)).map(({ role, level, receptiveField }) => [
      role,
      level,
      receptiveField,
    ]);
    expect(rows).toEqual([
      ["low", 2, 9],
      ["details", 2, 5],
      ["details", 1, 5],
    ]);
  });

  test("refuses tensors that are no whole model", () => {
    const { tensors, metadata } = storeModel(model(1, 1));
    const without = (part: string) => new Map([...tensors].filter(([name]) => !name.includes(part)));
    const cases: [name: string, act: () => unknown, message: RegExp][] = [
      ["a run", () => restoreModel({ tensors, metadata: {} }), /not a local model/],
      [
        "the future",
        () => restoreModel({ tensors, metadata: { ...metadata, format: "subband-local-2" } }),
        /newer version/,
      ],
      [
        "a level less",
        () => restoreModel({ tensors: without("details.0"), metadata }),
        /stated architecture/,
      ],
      [
        "one more",
        () => restoreModel({ tensors: new Map([...tensors, ["x", full([1], 0)]]), metadata }),
        /stated architecture/,
      ],
      [
        "a weight less",
        () => restoreModel({ tensors: without("low.params.weights.20"), metadata }),
        /20 convolutions/,
      ],
      [
        "no gains",
        () => restoreModel({ tensors: without("details.0.params.gains"), metadata }),
        /with 0 gains/,
      ],
      [
        "a low-pass network of details",
        () => localModel(network(conditionalConfig(1, 5), 1), []),
        /denoises details/,
      ],
      [
        "levels of two kinds",
        () => localModel(model(1, 0).low, [...model(1, 1, true).details, ...model(1, 1).details]),
        /details of levels 1 and 2 differ in whether they see the noisy low-pass band/,
      ],
      [
        "mixed channels",
        () => localModel(model(3, 0).low, model(1, 1).details),
        /details of 1 channels.*has 3/,
      ],
    ];
    for (const [name, act, message] of cases) expect(act, name).toThrow(message);
  });
});

describe("a U-Net model", () => {
  const unet = (channels: 1 | 3) =>
    unetModel(
      initBandUnet(rng(9, "unet-model"), { channels, widths: [4, 6], encoder: [1, 1], decoder: [1, 2] }),
    );

  test("denoises images of gray and of colour by f(a x) = a f(x), and gives the bands of what it made", async () => {
    for (const channels of [1, 3] as const) {
      const shape = [2, channels, 8, 12] as const;
      const denoiser = await compileDenoiser(node({ threads: 1 }), unet(channels), shape, { bands: true });
      const noisy = Float32Array.from(normal("unet", 2 * channels * 96));
      const once = await denoiser.run(noisy);
      const image = once.image.slice();
      const [low, detail2] = [once.bands!.low.slice(), once.bands!.details[1]!.slice()];
      const first = analyseLevel(input("x", shape), "haar");
      const second = analyseLevel(first.low, "haar");
      expectClose(low, values(second.low, image), { atol: 1e-5, what: `low, ${channels} channels` });
      expectClose(detail2, values(second.detail, image), {
        atol: 1e-5,
        what: `details, ${channels} channels`,
      });
      const twice = await denoiser.run(noisy.map((v) => 2 * v));
      expectClose(
        twice.image,
        image.map((v) => 2 * v),
        { rtol: 1e-4, atol: 1e-5, what: `${channels} channels` },
      );
      await denoiser.dispose();
    }
  });

  test("is stored and restored, has levels, and is no pyramid", async () => {
    const model = unet(3);
    const { tensors, metadata } = storeModel(model, { note: "x" });
    expect(restoreModel({ tensors, metadata })).toEqual(model);
    expect(levelsOf(model)).toBe(2);
    expect(() => requirePyramid(model, "upscaling")).toThrow(/upscaling takes a multi-scale model/);
    await expect(compileDenoiser(node(), model, [1, 3, 8, 6])).rejects.toThrow(/multiples of 4/);
    const lost = new Map(tensors);
    lost.delete("unet.levels.1.encoder.0.second");
    expect(() => restoreModel({ tensors: lost, metadata })).toThrow(/encoder.0.second" is missing/);
  });
});
