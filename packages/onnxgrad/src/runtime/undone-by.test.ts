import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { valueAndGrad } from "../grad/gradients.ts";
import { toOnnx } from "../onnx/model.ts";
import { square } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { silu } from "../ops/elementary.ts";
import { mean } from "../ops/reduce.ts";
import { input } from "../ops/source.ts";
import { optimize } from "../passes/optimize.ts";
import { rematerialize } from "../passes/rematerialize.ts";
import type { Tensor } from "../trace/tensor.ts";
import { compile } from "./compile.ts";
import { sessionOptions } from "./node/ort-session.ts";
import { web } from "./web/web.ts";

/** Layers of activations and a convolution: three values each, two of which are cheap to compute again. */
const [LAYERS, CHANNELS] = [8, 16];
const SHAPE = [8, CHANNELS, 64, 64];
const KERNEL = [CHANNELS, CHANNELS, 3, 3];

const network = (x: Tensor, weights: readonly Tensor[]): Tensor =>
  mean(square(weights.reduce((h, w) => conv2d(silu(silu(silu(h))), w, { padding: 1 }), x)));

/** Every memory of WebAssembly in this process. */
const memories: WebAssembly.Memory[] = [];
const { Memory, instantiate } = WebAssembly;
beforeAll(() => {
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories.push(this);
    }
  };
  WebAssembly.instantiate = (async (source: BufferSource, imports?: WebAssembly.Imports) => {
    const made = await instantiate(source, imports);
    for (const each of Object.values(made.instance.exports)) if (each instanceof Memory) memories.push(each);
    return made;
  }) as typeof WebAssembly.instantiate;
});
const dir = mkdtempSync(join(tmpdir(), "onnxgrad-undone-"));
afterAll(() => {
  Object.assign(WebAssembly, { Memory, instantiate });
  rmSync(dir, { recursive: true, force: true });
});
const heap = (): number => Math.max(0, ...memories.map(({ buffer }) => buffer.byteLength));

describe("what is computed again stays so", () => {
  test("in the model that ONNX Runtime makes of ours in Node", async () => {
    const weights = Array.from({ length: LAYERS }, (_, k) => input(`w${k}`, KERNEL));
    const { value, grads } = valueAndGrad((w: readonly Tensor[]) => network(input("x", SHAPE), w))(weights);
    const outputs = rematerialize(optimize([value, ...grads]));
    const { bytes } = toOnnx(Object.fromEntries(outputs.map((each, k) => [`y${k}`, each])));
    const activationsOf = async (options: ort.InferenceSession.SessionOptions): Promise<number> => {
      const path = join(dir, "optimized.onnx");
      await (
        await ort.InferenceSession.create(bytes, { ...options, optimizedModelFilePath: path })
      ).release();
      return readFileSync(path).toString("latin1").split("Sigmoid_").length - 1;
    };
    // Beyond basic, activations may get other names.
    const { extra, ...plain } = sessionOptions({ threads: 1, optimization: "basic" });
    const written = await activationsOf({ ...plain, graphOptimizationLevel: "disabled" });
    expect(written, "three a layer, and again").toBe(6 * LAYERS);
    expect(await activationsOf({ ...plain, extra: extra! })).toBe(written);
    expect(await activationsOf(plain), "or there is nothing to switch off").toBe(written / 2);
  });

  test("in WebAssembly, by the memory that it takes", async () => {
    const backend = web({ threads: 1 });
    const nothing = await compile(backend, { inputs: { x: [1] } }, ({ x }) => ({ y: silu(x) }));
    await nothing.dispose();
    const before = heap();
    expect(before).toBeGreaterThan(0);
    const weights = Object.fromEntries(Array.from({ length: LAYERS }, (_, k) => [`w${k}`, KERNEL]));
    const program = await compile(backend, { inputs: { x: SHAPE, ...weights } }, (inputs) => {
      const [x, ...kernels] = ["x", ...Object.keys(weights)].map((name) => inputs[name as "x"]);
      const { value, grads } = valueAndGrad((w: readonly Tensor[]) => network(x!, w))(kernels);
      return { value, ...Object.fromEntries(grads.map((each, k) => [`grad${k}`, each])) };
    });
    const fed = Object.entries({ x: SHAPE, ...weights }).map(([name, shape]) => [
      name,
      new Float32Array(shape.reduce((a, b) => a * b)).fill(0.01),
    ]);
    await program.run(Object.fromEntries(fed) as Record<"x", Float32Array>);
    await program.dispose();
    const kept = 4 * SHAPE.reduce((a, b) => a * b) * 3 * LAYERS;
    // 1.1 of what keeping all three values of a layer would take, weights and gradients included; 2.2 where it is undone.
    expect(heap() - before, `of ${kept} bytes`).toBeLessThan(1.5 * kept);
  });
});
