import {
  add,
  compile,
  constant,
  gradients,
  isNdArray,
  mul,
  type NdArray,
  pack,
  sum,
  Tensor,
  treeLeaves,
  treeMap,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import golden from "../../../../tests/support/image-classifier-golden.json" with { type: "json" };
import {
  imageClassifier,
  type ImageClassifierConfig,
  type ImageClassifierParams,
  initImageClassifier,
  initImageClassifierStatistics,
} from "./image-classifier.ts";
import { countParameters, SHAPES } from "./layers.ts";

const config = golden.config as unknown as ImageClassifierConfig;

/** Element i is sin(0.0137 i^2 + k), as in make-image-classifier-golden.py. */
const chirp = (size: number, k = 0) =>
  Float64Array.from({ length: size }, (_, i) => Math.sin(0.0137 * i * i + k));

/** The parameters that make-image-classifier-golden.py makes. */
function goldenParams(): ImageClassifierParams {
  const params = initImageClassifier(SHAPES, config);
  const names = treeLeaves<NdArray>(params as never, isNdArray)
    .map(({ name }) => name)
    .sort();
  return treeMap(params, isNdArray, ({ shape }, name): NdArray => {
    const size = shape.reduce((a, b) => a * b, 1);
    const scale = shape.length === 1 ? 0.1 : Math.sqrt(2 / (size / shape[0]!));
    const offset = name.endsWith("scale") ? 1 : 0;
    const data = Float32Array.from(chirp(size, names.indexOf(name)), (v) => scale * v + offset);
    return { shape, data };
  }) as ImageClassifierParams;
}

describe("initImageClassifier()", () => {
  test("counts by hand: every layer", () => {
    const layer = (i: number, o: number) => 9 * i * o + 2 * o;
    const count = ([a, b, c, d]: readonly number[]) =>
      layer(3, a!) +
      layer(a!, b!) +
      2 * layer(b!, b!) +
      layer(b!, c!) +
      layer(c!, d!) +
      2 * layer(d!, d!) +
      10 * (d! + 1);
    const widths = [24, 48, 96, 192] as const;
    const params = initImageClassifier(SHAPES, { channels: 3, classes: 10, widths });
    expect(countParameters(params)).toBe(count(widths));
    expect(count(widths)).toBe(927_010);
  });
});

describe("imageClassifier()", () => {
  test("gives PyTorch's features, logits, gradients and running statistics, in training and at inference", async () => {
    const params = goldenParams();
    const names = treeLeaves<NdArray>(params as never, isNdArray).map(({ name }) => name);
    const key = (name: string) => `grad_${name.replaceAll(".", "_")}`;
    const program = await compile(
      node({ threads: 1 }),
      {
        state: { params: pack(params), statistics: pack(initImageClassifierStatistics(config)) },
        inputs: { images: [2, 2, 16, 8] },
      },
      ({ state, images }) => {
        const own = state.params;
        const leaves = treeLeaves<Tensor>(own as never, (v): v is Tensor => v instanceof Tensor);
        const trained = imageClassifier(own, state.statistics, images, "training");
        const { features, logits, statistics } = trained;
        const weighed = (x: Tensor, weight: (i: number) => number) =>
          sum(
            mul(
              x,
              constant(
                Float64Array.from({ length: x.size }, (_, i) => weight(i)),
                x.shape,
              ),
            ),
          );
        const loss = add(weighed(logits, Math.sin), weighed(features, Math.cos));
        const grads = gradients(loss, [images, ...leaves.map(({ leaf }) => leaf)]);
        const inferred = imageClassifier(own, statistics, images, "inference");
        const last = statistics.blocks[1]![1];
        return {
          ...{ features, logits, mean: last.mean, variance: last.variance, grad_images: grads[0]! },
          ...{ inferredFeatures: inferred.features, inferredLogits: inferred.logits },
          ...Object.fromEntries(leaves.map(({ name }, i) => [key(name), grads[i + 1]!])),
        };
      },
    );
    const images = Float32Array.from(chirp(2 * 2 * 16 * 8));
    const found = (await program.run({ images })) as Readonly<Record<string, Float32Array>>;
    await program.dispose();
    const close = (name: string, want: readonly number[], what = name) =>
      expectClose(found[name]!, want, { rtol: 1e-4, atol: 1e-5, what });
    close("features", golden.features);
    close("logits", golden.logits);
    close("mean", golden.lastStatistics.mean);
    close("variance", golden.lastStatistics.variance);
    close("inferredFeatures", golden.inference.features);
    close("inferredLogits", golden.inference.logits);
    const watched = (gradient: Float32Array) => {
      const along = chirp(gradient.length);
      return [gradient.reduce((a, b) => a + b, 0), gradient.reduce((a, b, i) => a + b * along[i]!, 0)];
    };
    const wanted: Readonly<Record<string, readonly number[]>> = golden.gradients;
    expect(names.sort()).toEqual(Object.keys(wanted));
    // Gradients in float32 cancel in sums over what a normalisation has made sum to nothing.
    for (const [name, want] of [["images", golden.inputGradient] as const, ...Object.entries(wanted)])
      expectClose(watched(found[key(name)]!), want, { rtol: 1e-3, atol: 1e-3, what: name });
  });
});
