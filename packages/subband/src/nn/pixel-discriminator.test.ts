import {
  compile,
  constant,
  gradients,
  interpret,
  isNdArray,
  mean,
  type NdArray,
  pack,
  type Rng,
  rng,
  square,
  type Tensor,
  treeMap,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { countParameters, type Params } from "./layers.ts";
import {
  dropoutMask,
  dropoutShape,
  initPixelDiscriminator,
  initPixelDiscriminatorStatistics,
  pixelDiscriminator,
} from "./pixel-discriminator.ts";

const still: Rng = { ...rng(0, "pixel-discriminator-test"), uniform: () => 0.5, normal: () => 0 };

/** The k-th array of the tree in order holds 0.3 sin(0.37 i + k), plus 1 where it is a scale. */
function patterned<T>(tree: T): T {
  let k = 0;
  return treeMap(tree, isNdArray, ({ shape, data }, name): NdArray => {
    const offset = name.endsWith("scale") ? 1 : 0;
    const array = { shape, data: data.map((_, i) => offset + 0.3 * Math.sin(0.37 * i + k)) };
    k++;
    return array;
  }) as T;
}

const constants = <T>(tree: T): Params<T> =>
  treeMap(tree, isNdArray, ({ shape, data }) => constant(data, shape)) as Params<T>;

describe("initPixelDiscriminator()", () => {
  test("has the parameter count of the released discriminator at width 64", () => {
    expect(countParameters(initPixelDiscriminator(still, { channels: 3, width: 64 }))).toBe(42_632_257);
  });
});

describe("pixelDiscriminator()", () => {
  const config = { channels: 3, width: 2 };
  const params = patterned(initPixelDiscriminator(still, config));
  const fresh = initPixelDiscriminatorStatistics(params);
  const images = constant(
    Float64Array.from({ length: 3 * 3 * 40 * 24 }, (_, i) => Math.sin(0.11 * i) + Math.cos(0.0137 * i * i)),
    [3, 3, 40, 24],
  );

  test("equals the released PyTorch network over two training passes, the second with dropout, and at inference", () => {
    const shape = dropoutShape(config, 3);
    const mask = constant(
      Array.from({ length: 3 * 32 }, (_, i) => (i % 3 === 0 ? 0 : 2)),
      shape,
    );
    const first = pixelDiscriminator(constants(params), constants(fresh), images, "training");
    const second = pixelDiscriminator(constants(params), first.statistics, images, "training", mask);
    const third = pixelDiscriminator(constants(params), second.statistics, images, "inference");
    const deep = (pass: typeof first) => pass.statistics.blocks[4]!.shortcutNorm;
    const outputs = interpret(
      [first.y, second.y, third.y, deep(first).variance, deep(second).mean, deep(second).variance],
      {},
    ).map(({ data }) => data);
    // Made once with the released module in float64 (PyTorch 1.13), weights and input by the formulas above.
    const close = (i: number, want: readonly number[], what: string) =>
      expectClose(outputs[i]!, want, { rtol: 1e-5, atol: 1e-5, what });
    close(0, [4.925408383287068, -9.556617462079101, 0.03893014868113712], "first pass");
    close(1, [6.58922408402045, -12.522549703511169, -0.4342990057280379], "second pass, dropout");
    close(2, [-11.960163405683947, -5.961559138785121, -5.51061485641069], "inference");
    const sums = outputs.slice(3).map((data) => data.reduce((a, b) => a + b, 0));
    expectClose(sums, [73.3193176334, -0.376357235947, 81.7067035035], { rtol: 1e-5, what: "statistics" });
  });

  test("has the gradient that the reference has, in ONNX Runtime", async () => {
    const weights = (p: Params<typeof params>) => [p.input.weight, p.blocks[4]!.shortcut, p.hidden.weight];
    const slopes = (p: Params<typeof params>, s: Params<typeof fresh>, x: Tensor) =>
      gradients(mean(square(pixelDiscriminator(p, s, x, "training").y)), weights(p)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
    const size = [2, 3, 32, 32];
    const pixels = rng(2, "pixels").fillNormal(new Float32Array(2 * 3 * 32 * 32));
    const program = await compile(
      node({ threads: 1 }),
      { state: { params: pack(params), fresh: pack(fresh) }, inputs: { x: size } },
      ({ state, x }) => {
        const [input, shortcut, hidden] = slopes(state.params, state.fresh, x);
        return { input, shortcut, hidden };
      },
    );
    const got = await program.run({ x: pixels });
    const want = interpret(slopes(constants(params), constants(fresh), constant(pixels, size)), {});
    (["input", "shortcut", "hidden"] as const).forEach((name, i) => {
      const scale = Math.max(...want[i]!.data.map(Math.abs));
      expectClose(got[name], want[i]!.data, { rtol: 1e-3, atol: 1e-3 * scale, what: name });
    });
    await program.dispose();
  });

  test("depends on each mask value: dropping every feature leaves the bias of the last layer", () => {
    const none = constant(new Float64Array(3 * 32), dropoutShape(config, 3));
    const { y } = pixelDiscriminator(constants(params), constants(fresh), images, "inference", none);
    const bias = params.score.bias.data[0]!;
    expectClose(interpret([y], {})[0]!.data, [bias, bias, bias]);
  });
});

describe("dropoutMask()", () => {
  test("drops the asked share, keeps the mean and repeats itself", () => {
    const draw = () => dropoutMask(rng(5, "dropout", 7), 20_000, 0.25);
    const mask = draw();
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(4 / 3)]));
    const dropped = mask.filter((v) => v === 0).length / mask.length;
    expect(Math.abs(dropped - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / mask.length));
    expect(draw()).toEqual(mask);
  });
});
