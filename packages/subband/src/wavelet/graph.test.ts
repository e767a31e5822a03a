import {
  add,
  compile,
  concat,
  constant,
  gradients,
  input,
  interpret,
  mul,
  rng,
  square,
  sum,
  type Tensor,
} from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { dwt2 } from "./dwt.ts";
import { dwt2Graph, haarAnalysis, haarSynthesis, idwt2Graph } from "./graph.ts";
import { planes } from "./planes.ts";

const backend = node({ threads: 1 });
const normal = (shape: readonly number[], index = 0): Float64Array =>
  rng(11, "graph-test", index).fillNormal(new Float64Array(shape.reduce((a, b) => a * b)));
const evaluate = (outputs: readonly Tensor[], feeds: Record<string, ArrayLike<number>>): Float64Array[] =>
  interpret(outputs, feeds).map(({ data }) => data);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((total, v, i) => total + v * b[i]!, 0);

/** One to four channels take the dense convolution, six take one channel at a time. */
const SHAPES = [
  [1, 1, 2, 2],
  [2, 3, 8, 6],
  [3, 4, 4, 10],
  [2, 6, 6, 4],
] as const;

describe("haarAnalysis()", () => {
  test("gives the bands of a 2 x 2 block in the order LL, LH, HL, HH, each in PyWavelets' sign", () => {
    const { low, detail } = haarAnalysis(constant([1, 2, 3, 5], [1, 1, 2, 2]));
    const [ll, bands] = evaluate([low, detail], {});
    expectClose(ll!, [5.5]);
    // pywt.dwt2([[1, 2], [3, 5]], "haar"): cH = -2.5, cV = -1.5, cD = 0.5
    expectClose(bands!, [-2.5, -1.5, 0.5]);
  });

  test("stacks details band by band: all channels of LH, then of HL, then of HH", () => {
    const onlyColumns = [1, -1, 1, -1]; // high along the rows: HL
    for (const [c, hl] of [
      [2, 3],
      [6, 11],
    ] as const) {
      const image = new Float64Array(4 * c);
      image.set(onlyColumns, 4 * (c - 1));
      const [bands] = evaluate([haarAnalysis(constant(image, [1, c, 2, 2])).detail], {});
      const want = new Float64Array(3 * c);
      want[hl] = 2;
      expectClose(bands!, want, { what: `${c} channels` });
    }
  });

  test("equals the typed-array kernel, in the reference and in ONNX Runtime", async () => {
    for (const shape of SHAPES) {
      const values = normal(shape);
      const [cA, [cH, cV, cD]] = dwt2(planes(values, shape), "haar", "periodization");
      const program = await compile(backend, { inputs: { x: shape } }, ({ x }) => ({ ...haarAnalysis(x) }));
      const { low, detail } = await program.run({ x: Float32Array.from(values) });
      const [n, c, h, w] = shape;
      const plane = (c * h * w) / 4;
      const stacked = Array.from({ length: n }, (_, i) =>
        [cH, cV, cD].flatMap(({ data }) => [...data.subarray(i * plane, (i + 1) * plane)]),
      ).flat();
      const reference = haarAnalysis(constant(values, shape));
      const [low64, detail64] = evaluate([reference.low, reference.detail], {});
      const what = `shape ${shape.join("x")}`;
      expectClose(low64!, cA.data, { rtol: 1e-12, atol: 1e-12, what });
      expectClose(detail64!, stacked, { rtol: 1e-12, atol: 1e-12, what });
      expectClose(low, cA.data, { what });
      expectClose(detail, stacked, { what });
      await program.dispose();
    }
  });

  test("is inverted by haarSynthesis and keeps the energy", () => {
    for (const shape of SHAPES) {
      const values = normal(shape);
      const { low, detail } = haarAnalysis(constant(values, shape));
      const [back, ll, d] = evaluate([haarSynthesis(low, detail), low, detail], {});
      const what = `shape ${shape.join("x")}`;
      expectClose(back!, values, { rtol: 1e-12, atol: 1e-12, what });
      expectClose([dot(ll!, ll!) + dot(d!, d!)], [dot(values, values)], { rtol: 1e-12, what });
    }
  });

  test("has its inverse as its gradient, and the inverse has it, in ONNX Runtime", async () => {
    for (const [n, c, h, w] of SHAPES) {
      const low = [n, c, h / 2, w / 2];
      const detail = [n, 3 * c, h / 2, w / 2];
      const program = await compile(
        backend,
        { inputs: { x: [n, c, h, w], low, detail } },
        ({ x, low, detail }) => {
          const bands = haarAnalysis(x);
          const back = gradients(concat([bands.low, bands.detail], 1), [x], concat([low, detail], 1))[0]!;
          const [down, across] = gradients(haarSynthesis(low, detail), [low, detail], x);
          return { ...bands, down: down!, across: across!, back, synthesis: haarSynthesis(low, detail) };
        },
      );
      const out = await program.run({
        x: Float32Array.from(normal([n, c, h, w])),
        low: Float32Array.from(normal(low, 1)),
        detail: Float32Array.from(normal(detail, 2)),
      });
      const what = `shape ${[n, c, h, w].join("x")}`;
      expectClose(out.back, out.synthesis, { what });
      expectClose(out.down, out.low, { what });
      expectClose(out.across, out.detail, { what });
      await program.dispose();
    }
  });

  test("refuses odd sizes and bands that do not belong together, and says what to do", () => {
    expect(() => haarAnalysis(input("x", [1, 3, 7, 8]))).toThrow(/\[1,3,7,8\].*pad or crop/);
    expect(() => haarAnalysis(input("x", [3, 8, 8]))).toThrow(/Takes \[n,c,h,w\]/);
    const low = input("low", [2, 3, 4, 4]);
    expect(() => haarSynthesis(low, input("detail", [2, 3, 4, 4]))).toThrow(/detail \[n,3c,h,w\]/);
    expect(() => idwt2Graph({ low, detail: low }, "db2")).toThrow(/detail \[n,3c,h,w\]/);
  });
});

const MODES = ["periodization", "symmetric"] as const;

describe("dwt2Graph()", () => {
  test("equals PyWavelets on a 5 x 6 image", () => {
    // pywt 1.1.1: dwt2(((arange(30) * 7) % 11 - 4).reshape(5, 6), "db2", "symmetric")
    const image = Array.from({ length: 30 }, (_, i) => ((i * 7) % 11) - 4);
    const { low, detail } = dwt2Graph(constant(image, [1, 1, 5, 6]), "db2", "symmetric");
    const [cA, details] = evaluate([low, detail], {});
    expectClose(cA!, PYWT_DB2.cA, { atol: 1e-8, what: "cA" });
    expectClose(details!, [...PYWT_DB2.cH, ...PYWT_DB2.cV, ...PYWT_DB2.cD], { atol: 1e-8, what: "details" });
  });

  test("equals the typed-array kernel and is inverted for every wavelet, mode and size of the grid", () => {
    for (const name of ["haar", "db2", "sym4", "coif1", "db5", "bior2.2"])
      for (const mode of MODES)
        for (const [h, w] of [
          [8, 6],
          [5, 8],
          [7, 9],
          [16, 4],
        ] as const) {
          const shape = [2, 3, h, w];
          const what = `${name} ${mode} ${h}x${w}`;
          const values = normal(shape);
          const bands = dwt2Graph(constant(values, shape), name, mode);
          const [low, detail, back] = evaluate(
            [bands.low, bands.detail, idwt2Graph(bands, name, mode, [h, w])],
            {},
          );
          const [cA, details] = dwt2(planes(values, shape), name, mode);
          expectClose(low!, cA.data, { rtol: 1e-11, atol: 1e-11, what: `${what} low` });
          const plane = cA.data.length / 2;
          details.forEach((band, b) => {
            for (const i of [0, 1]) {
              const start = (i * 3 + b) * plane;
              const want = band.data.subarray(i * plane, (i + 1) * plane);
              expectClose(detail!.subarray(start, start + plane), want, {
                rtol: 1e-11,
                atol: 1e-11,
                what: `${what} detail ${b} image ${i}`,
              });
            }
          });
          expectClose(back!, values, { rtol: 1e-9, atol: 1e-9, what: `${what} reconstruction` });
        }
  });

  test("is orthogonal under periodization of even sizes: its gradient is its inverse", () => {
    for (const name of ["haar", "db2", "sym4", "coif1"]) {
      const x = input("x", [1, 2, 8, 12]);
      const low = input("low", [1, 2, 4, 6]);
      const detail = input("detail", [1, 6, 4, 6]);
      const bands = dwt2Graph(x, name, "periodization");
      const [grad] = gradients(concat([bands.low, bands.detail], 1), [x], concat([low, detail], 1));
      const feeds = { x: normal(x.shape), low: normal(low.shape, 1), detail: normal(detail.shape, 2) };
      const [got, want] = evaluate([grad!, idwt2Graph({ low, detail }, name, "periodization")], feeds);
      expectClose(got!, want!, { rtol: 1e-10, atol: 1e-10, what: name });
    }
  });

  test("has the gradient that finite differences see, through analysis and synthesis", () => {
    for (const mode of MODES) {
      const x = input("x", [1, 1, 5, 6]);
      const bands = dwt2Graph(x, "db2", mode);
      // Nonlinear in the bands, so that both transforms and both their adjoints matter.
      const mixed = { low: square(bands.low), detail: mul(bands.detail, bands.detail) };
      const y = idwt2Graph(mixed, "db2", mode, [5, 6]);
      const loss = add(sum(mul(y, x)), sum(square(bands.detail)));
      const [grad] = gradients(loss, [x]);
      const at = normal(x.shape, 3);
      const direction = normal(x.shape, 4);
      const value = (step: number) =>
        evaluate([loss], { x: at.map((v, i) => v + step * direction[i]!) })[0]![0]!;
      const [g] = evaluate([grad!], { x: at });
      const slope = (value(1e-4) - value(-1e-4)) / 2e-4;
      expectClose([dot(g!, direction)], [slope], { rtol: 1e-6, what: mode });
    }
  });

  test("runs in ONNX Runtime as in the reference", async () => {
    const shape = [2, 3, 10, 8];
    const program = await compile(backend, { inputs: { x: shape } }, ({ x }) => {
      const bands = dwt2Graph(x, "db3", "symmetric");
      return { ...bands, back: idwt2Graph(bands, "db3", "symmetric") };
    });
    const values = normal(shape);
    const { low, back } = await program.run({ x: Float32Array.from(values) });
    expectClose(low, dwt2(planes(values, shape), "db3", "symmetric")[0].data, { atol: 1e-5 });
    expectClose(back, values, { atol: 1e-5 });
    await program.dispose();
  });
});

const PYWT_DB2 = {
  cA: [
    -1.375, 0.2802087189, 6.415063509, -3.0, 3.829246825, 2.046955543, 5.247595264, -3.430607966, 1.466506351,
    0.3717150698, 2.24671507, 3.966506351, 1.033493649, 6.445272228, 0.07027222831, 3.533493649,
  ],
  cH: [
    -5.412658774, -1.521234123, 1.732050808, 1.732050808, 1.509854791, 1.55921507, 1.375, 4.125,
    0.008974596216, 1.887259526, -0.494310334, 0.008974596216, -1.741025404, -3.619310334, -1.237740474,
    -1.741025404,
  ],
  cV: [
    -3.680607966, -6.00328493, 2.013139721, -3.464101615, 0.2108166849, -5.953924651, 1.375, -2.825961894,
    2.825961894, 5.266424651, -6.641424651, 5.424038106, -5.424038106, 2.24671507, 4.62828493, -2.825961894,
  ],
  cD: [
    -4.125, 0.8717150698, 0, 0, 0.8717150698, 3.06906986, -2.38156986, 2.38156986, -2.38156986, -0.8717150698,
    3.25328493, -2.38156986, 2.38156986, 0.8717150698, -3.25328493, 2.38156986,
  ],
};
