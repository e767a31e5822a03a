import {
  atOnce,
  constant,
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
import { initBandUnet } from "../../../nn/band-unet.ts";
import { foldBfCnn, foldedBfCnn, initBfCnn, initBfCnnStatistics } from "../../../nn/bf-cnn.ts";
import type { BfCnnNetwork } from "../../../nn/bf-cnn-network.ts";
import type { Params } from "../../../nn/layers.ts";
import { analyseMeans } from "../../../wavelet/mean-bands.ts";
import { planes } from "../../../wavelet/planes.ts";
import { wavedec2 } from "../../../wavelet/wavedec.ts";
import { wavelet } from "../../../wavelet/wavelets.ts";
import { greatestDetails, resolveLocalConfig } from "../../local/config.ts";
import { macsPerPixel } from "./cost.ts";
import { analyseLevels, compileDenoiser, denoiseBands, unetResidual } from "./denoiser.ts";
import { localModel, requireHaar, restoreModel, storeModel, unetModel } from "./model.ts";
import { resolveLocalUnetConfig } from "../../local-unet/config.ts";

const WAVELETS = ["haar", "db2", "db5", "sym4", "coif1"] as const;
const normal = (name: string, size: number) => rng(7, name).fillNormal(new Float64Array(size));
const values = (tensor: Tensor, x: ArrayLike<number>): Float64Array => interpret([tensor], { x })[0]!.data;

/** A narrow network that takes a good part of what it sees for noise. */
function network(inputs: number, outputs: number, seed: number): BfCnnNetwork {
  const config = { inputs, outputs, kernels: [3, 1, 3, 3], width: 4 };
  const params = initBfCnn(rng(seed, "local-wavelets-test"), config);
  const gains = params.gains.map((gain) => ({ ...gain, data: gain.data.map(() => 0.5) }));
  return { params: { ...params, gains }, statistics: initBfCnnStatistics(params) };
}
const pyramid = (name: string, levels = 2) =>
  localModel(
    network(1, 1, 0),
    Array.from({ length: levels }, (_, j) => network(4, 3, j + 1)),
    name,
  );
const unet = (name: string) =>
  unetModel(
    initBandUnet(rng(9, "unet"), { channels: 1, widths: [4, 6], encoder: [1, 1], decoder: [1, 1] }),
    name,
  );

describe("bands of any orthogonal wavelet", () => {
  test("no noise seen: the image comes back through three levels, shorter than the filter too", () => {
    for (const name of WAVELETS)
      for (const [h, w] of [
        [8, 16],
        [24, 40],
      ] as const) {
        const at = normal("x", 2 * h * w);
        const none = (seen: Tensor) => mul(seen, 0);
        const noDetails = (seen: Tensor) => narrow(none(seen), 1, 2, 6);
        const x = input("x", [1, 2, h, w]);
        const { image } = denoiseBands(none, [noDetails, noDetails, noDetails], x, name);
        expectClose(values(image, at), at, { atol: 1e-10, what: `${name}, ${w} x ${h}` });
      }
  });

  test("white noise halves a level in every band, and a constant stays one", () => {
    // The deviation of a coefficient is the root of the sum of its squared weights: its response to each pixel alone.
    const [h, w] = [8, 16];
    const pixels = Float64Array.from({ length: (h * w) ** 2 }, (_, i) => (i % (h * w + 1) === 0 ? 1 : 0));
    for (const name of WAVELETS) {
      const bands = analyseLevels(input("x", [h * w, 1, h, w]), 3, name);
      for (const [j, { low, detail }] of bands.entries())
        for (const [band, tensor] of Object.entries({ low, detail })) {
          const found = values(tensor, pixels);
          const count = found.length / (h * w);
          const deviations = Array.from({ length: count }, (_, i) => {
            let total = 0;
            for (let p = 0; p < h * w; p++) total += found[p * count + i]! ** 2;
            return Math.sqrt(total);
          });
          const want = deviations.map(() => 0.5 ** (j + 1));
          expectClose(deviations, want, { rtol: 1e-10, what: `${name}, level ${j + 1}, ${band}` });
        }
      const flat = analyseLevels(input("x", [1, 1, h, w]), 3, name).at(-1)!;
      const half = new Float64Array(h * w).fill(0.5);
      expectClose(values(flat.low, half), [0.5, 0.5], { rtol: 1e-9, what: name });
      expectClose(values(flat.detail, half), new Float64Array(6), { atol: 1e-9, what: name });
    }
  });

  test("agree with the typed arrays, level by level", () => {
    const shape = [2, 3, 16, 24] as const;
    const at = normal("bands", 2 * 3 * 16 * 24);
    for (const name of WAVELETS) {
      const bands = analyseLevels(input("x", shape), 2, name);
      const [, , finest] = wavedec2(planes(at, shape), name, "periodization", 2);
      // All three channels of cH of the first image, over 2: the normalisation.
      const cH = Array.from(finest![0].data.subarray(0, 3 * 8 * 12), (v) => v / 2);
      expectClose(values(bands[0]!.detail, at).subarray(0, cH.length), cH, { atol: 1e-12, what: name });
      let low = planes(at, shape);
      for (const [j, level] of bands.entries()) {
        const arrays = analyseMeans(low, name);
        const what = `${name}, level ${j + 1}`;
        expectClose(values(level.low, at), arrays.low.data, { atol: 1e-12, what });
        expectClose(values(level.detail, at), arrays.details.data, { atol: 1e-12, what });
        ({ low } = arrays);
      }
    }
  });
});

describe("compileDenoiser() of any orthogonal wavelet", () => {
  const [h, w] = [12, 20];
  const at = normal("x", h * w);
  /** Symmetric continuation by the definition: index folded into the image. */
  const mirroredBy = (margin: number) => {
    const fold = (i: number, n: number) => {
      const m = (((i - margin) % (2 * n)) + 2 * n) % (2 * n);
      return m < n ? m : 2 * n - 1 - m;
    };
    const across = w + 2 * margin;
    return Float64Array.from(
      { length: across * (h + 2 * margin) },
      (_, i) => at[fold(Math.floor(i / across), h) * w + fold(i % across, w)]!,
    );
  };
  const inside = (whole: Float64Array, margin: number) =>
    Float64Array.from(
      { length: h * w },
      (_, i) => whole[(margin + Math.floor(i / w)) * (w + 2 * margin) + margin + (i % w)]!,
    );

  test.each(WAVELETS)("%s: continues images by mirroring, and keeps what is inside", async (name) => {
    const margin = name === "haar" ? 0 : 4 * wavelet(name).decLo.length;
    const x = input("x", [1, 1, h + 2 * margin, w + 2 * margin]);
    const trained = { pyramid: pyramid(name), unet: unet(name) };
    const residual = ({ params, statistics }: BfCnnNetwork) => {
      const weights = foldBfCnn(params, statistics).map(({ shape, data }) => constant(data, shape));
      return (y: Tensor) => foldedBfCnn(weights, y);
    };
    const params = treeMap(trained.unet.network as never, isNdArray, ({ shape, data }: NdArray) =>
      constant(data, shape),
    ) as unknown as Params<typeof trained.unet.network>;
    const wide = mirroredBy(margin);
    const noise = values(unetResidual(params, x, name), wide);
    const want = {
      pyramid: values(
        denoiseBands(residual(trained.pyramid.low), trained.pyramid.details.map(residual), x, name).image,
        wide,
      ),
      unet: wide.map((value, i) => value - noise[i]!),
    };
    for (const kind of ["pyramid", "unet"] as const) {
      const denoiser = await compileDenoiser(node({ threads: 1 }), trained[kind], [1, 1, h, w], {
        bands: true,
      });
      const found = await denoiser.run(Float32Array.from(at));
      const { low, details } = found.bands!;
      const what = `${name}, ${kind}`;
      expectClose(found.image, inside(want[kind], margin), { atol: 2e-5, what });
      expect([low.length, ...details.map(({ length }) => length)], what).toEqual([15, 3 * 60, 3 * 15]);
      expect(Math.max(...found.image.map((value, i) => Math.abs(value - at[i]!))), what).toBeGreaterThan(
        0.01,
      );
      await denoiser.dispose();
    }
  });

  test("opposite borders do not see each other", async () => {
    const backend = node({ threads: 1 });
    const model = pyramid("db4", 1);
    const shape = [1, 1, 8, 64] as const;
    const x = Float32Array.from(normal("borders", 8 * 64));
    const other = x.map((value, i) => (i % 64 > 59 ? value + 1 : value));
    const change = async (borders: "mirror" | "wrap") => {
      const denoiser = await compileDenoiser(backend, model, shape, { borders });
      const first = (await denoiser.run(x)).image.slice();
      const second = (await denoiser.run(other)).image.slice();
      await denoiser.dispose();
      return Math.max(...first.map((value, i) => (i % 64 < 4 ? Math.abs(value - second[i]!) : 0)));
    };
    const [mirror, wrap] = [await change("mirror"), await change("wrap")];
    expect(wrap).toBeGreaterThan(0.02);
    expect(mirror).toBeLessThan(1e-3 * wrap);
  });
});

describe("models of any orthogonal wavelet", () => {
  test("are stored and restored with its name; a flat one has none", () => {
    for (const model of [pyramid("db2"), unet("sym4")]) {
      const stored = storeModel(model);
      expect(stored.metadata["architecture"]).toContain(`"wavelet":"${model.wavelet}"`);
      expect(restoreModel(stored)).toEqual(model);
    }
    expect(localModel(network(1, 1, 0), [], "db2").wavelet).toBe("haar");
    expect(pyramid("db1").wavelet).toBe("haar");
  });

  test("of a wavelet that is not known, or not orthogonal, are refused in one line", () => {
    const { tensors, metadata } = storeModel(pyramid("db2"));
    for (const name of ["db99", "bior2.2", "constructor"]) {
      const architecture = metadata["architecture"]!.replace("db2", name);
      expect(() => restoreModel({ tensors, metadata: { ...metadata, architecture } }), name).toThrow(
        new RegExp(`^a model of the wavelet "${name}", which is not known here .* Update subband\\.$`),
      );
    }
    expect(() => pyramid("bior2.2")).toThrow(
      /^wavelet "bior2\.2" is biorthogonal: .* Give an orthogonal one/,
    );
    expect(() => unet("dbz")).toThrow(/^unknown wavelet: "dbz"\. Did you mean "db\d+"\?/);
  });

  test("are refused where a low-pass band has to be means of blocks", () => {
    requireHaar(pyramid("haar"), "upscaling");
    expect(() => requireHaar(unet("db2"), "upscaling")).toThrow(
      /^upscaling takes a model of the Haar wavelet; this one is of db2\./,
    );
  });

  test("cost what they cost by Haar", () => {
    expect(macsPerPixel(pyramid("sym4"))).toBe(macsPerPixel(pyramid("haar")));
    expect(macsPerPixel(unet("sym4"))).toBe(macsPerPixel(unet("haar")));
  });
});

describe("configurations", () => {
  const shape = { channels: 1, height: 32, width: 32, levels: 1 } as const;

  test("keep the wavelet, Haar unless told", () => {
    expect(resolveLocalConfig(shape, [0.5]).wavelet).toBe("haar");
    expect(resolveLocalConfig({ ...shape, wavelet: "coif2" }, [0.5]).wavelet).toBe("coif2");
    expect(resolveLocalUnetConfig(shape).wavelet).toBe("haar");
    expect(resolveLocalUnetConfig({ ...shape, wavelet: "db1" }).wavelet).toBe("haar");
  });

  test("refuse what has no such wavelet", () => {
    const edmLow = { lowMean: [0], lowStd: [1] };
    const resolve = (more: object) => () => resolveLocalConfig({ ...shape, wavelet: "db2", ...more }, [0.5]);
    expect(resolve({ levels: 0 })).toThrow(/^wavelet: db2; a flat denoiser .* Leave --wavelet out/);
    expect(resolve({ edmLow })).toThrow(/^wavelet: db2; .*Leave out --wavelet or --edm-low\.$/);
    expect(resolve({ wavelet: "rbio1.3" })).toThrow(/is biorthogonal/);
  });

  test("the greatest details are those of the wavelet's own bands", () => {
    const image = Float32Array.from(normal("image", 32 * 32));
    const measured = atOnce(greatestDetails({ ...shape, count: 1, wavelet: "db2" }, () => image));
    const { details } = analyseMeans(planes(image, [1, 32, 32]), "db2");
    expectClose(measured, [Math.max(...details.data.map(Math.abs)) / 2], { rtol: 1e-6 });
  });
});
