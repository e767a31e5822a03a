/** @module Devices by name: what is told before the work, what `auto` takes, and that a GPU computes as the CPU does. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { whyNoWebgpu } from "../../../../../tests/support/webgpu.ts";
import { UserError } from "../../errors.ts";
import { valueAndGrad } from "../../grad/gradients.ts";
import { add, mul, square, sub } from "../../ops/arithmetic.ts";
import { conv2d } from "../../ops/conv.ts";
import { silu } from "../../ops/elementary.ts";
import { mean } from "../../ops/reduce.ts";
import { adam, adamInit } from "../../optim/adam.ts";
import { rng } from "../../random/threefry.ts";
import { expectClose } from "../../testing/expect-close.ts";
import { ndarray } from "../../trace/ndarray.ts";
import { pack } from "../../trace/packed.ts";
import type { Tensor } from "../../trace/tensor.ts";
import type { Backend } from "../backend.ts";
import { compile } from "../compile.ts";
import { DEVICES, openDevice } from "./open-device.ts";

// Shaders are compiled and run by the processor here, which other tests want too.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const missing = await whyNoWebgpu();
const oneThread = { threads: 1, shards: 1 };

describe("openDevice()", () => {
  test("knows its devices by name, and no other", async () => {
    await expect(openDevice("gpu" as never)).rejects.toThrow(
      new UserError(
        "unknown/device",
        'unknown device: "gpu". Did you mean "cpu"? Known: auto, cpu, webgpu, cuda.',
      ),
    );
    expect(DEVICES).toEqual(["auto", "cpu", "webgpu", "cuda"]);
  });

  test("gives the CPU, here or in a worker thread", async () => {
    for (const [worker, name] of [
      [false, "node-cpu"],
      [true, "node-cpu-worker"],
    ] as const) {
      const { device, backend, passedOver } = await openDevice("cpu", { ...oneThread, worker });
      expect([device, backend.name, backend.threads, passedOver]).toEqual(["cpu", name, 1, []]);
    }
  });

  test("auto always gives a device that computes, and says in a line each why no better one", async () => {
    const { device, backend, passedOver } = await openDevice("auto", { threads: 1 });
    const better = ["webgpu", "cuda", "cpu"].slice(0, passedOver.length);
    expect(passedOver.map((each) => each.device)).toEqual(better);
    for (const { why } of passedOver) expect(why).toMatch(/^\S.*\.$/);
    expect(["webgpu", "cuda", "cpu"][passedOver.length]).toBe(device);
    expect(backend.name).toBe(`node-${device}`);
    const program = await compile(backend, { inputs: { x: [2] } }, ({ x }) => ({ y: mul(x, 2) }));
    expect([...(await program.run({ x: [1, 2] })).y]).toEqual([2, 4]);
    await program.dispose();
  });

  test.each([false, true])("says of CUDA what is missing, before any work; worker: %s", async (worker) => {
    const cuda = await openDevice("cuda", { worker }).catch((error: unknown) => error);
    if (!(cuda instanceof Error)) return expect(cuda).toMatchObject({ device: "cuda" });
    expect(cuda).toBeInstanceOf(UserError);
    expect(cuda.message).toMatch(
      /^(?:onnxruntime-node has no CUDA on \S+ \S+\.|ONNX Runtime's CUDA libraries are not installed\.|CUDA does not start: ).*(?:Use|use) WebGPU or the CPU\.$/,
    );
  });

  test("splits no batch over threads for a GPU", async () => {
    await expect(openDevice("webgpu", { shards: 2 })).rejects.toThrow('more than 1 only with provider "cpu"');
  });
});

const normal = (shape: readonly number[], scale: number) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return ndarray(
    shape,
    rng(1, shape.join())
      .fillNormal(new Float32Array(size))
      .map((x) => scale * x),
  );
};
const params = pack({ first: normal([8, 2, 3, 3], 0.3), last: normal([2, 8, 3, 3], 0.2) });
type Weights = { readonly first: Tensor; readonly last: Tensor };
const denoise = (p: Weights, x: Tensor) =>
  conv2d(silu(conv2d(x, p.first, { padding: 1 })), p.last, { padding: 1 });
const noise = (k: number) => rng(2, "noise", k).fillNormal(new Float32Array(4 * 2 * 36));

/** Losses of five steps of a tiny denoiser, what it has learned, and four steps of a sampler from noise. */
async function trainAndDraw(backend: Backend) {
  const step = await compile(
    backend,
    { state: { params, adam: adamInit(params) }, inputs: { clean: [4, 2, 6, 6], noise: [4, 2, 6, 6] } },
    ({ state, clean, noise: given }) => {
      const { value, grads } = valueAndGrad((p: Weights) =>
        mean(square(sub(denoise(p, add(clean, given)), clean))),
      )(state.params);
      const next = adam(state.params, grads, state.adam, { lr: 1e-2 });
      return { state: { params: next.params, adam: next.state }, loss: value };
    },
  );
  const sampler = await compile(
    backend,
    { state: step.state, inputs: { x: [4, 2, 6, 6] } },
    // Euler's steps of dx/dsigma = (x - D(x)) / sigma from 4 to 2, 1, 1/2 and 0.
    ({ state, x }) => ({
      drawn: [0.5, 0.5, 0.5, 0].reduce<Tensor>(
        (at, ratio) => {
          const clean = denoise(state.params, at);
          return add(clean, mul(sub(at, clean), ratio));
        },
        mul(x, 4),
      ),
    }),
  );
  const losses: number[] = [];
  for (let k = 0; k < 5; k++)
    losses.push((await step.run({ clean: noise(10 + k), noise: noise(20 + k) })).loss[0]!);
  const crossed = backend.device && { ...backend.device.traffic };
  const { drawn } = await sampler.run({ x: noise(0) });
  const traffic = crossed && backend.device!.traffic.toDevice - crossed.toDevice;
  await step.state.pull();
  const learned = step.state.tree().params.data;
  await step.state.dispose();
  await sampler.dispose();
  await step.dispose();
  return { losses, drawn, learned, traffic };
}

describe.skipIf(missing !== undefined)(`openDevice("webgpu")${missing ? `: ${missing}` : ""}`, () => {
  const opened: { dispose(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const program of opened.splice(0)) await program.dispose();
  });

  // In this thread: node-webgpu.test.ts, and the conformance table for drawing.
  test("trains and draws in a worker thread as the CPU does", async () => {
    const want = await trainAndDraw((await openDevice("cpu", oneThread)).backend);
    const { device, backend } = await openDevice("webgpu", { worker: true, cpuFallback: false });
    expect([device, backend.name]).toEqual(["webgpu", "node-webgpu-worker"]);
    const got = await trainAndDraw(backend);
    // Sums come in another order: 1e-7 in a gradient, which Adam divides by its own size.
    expectClose(got.losses, want.losses, { rtol: 1e-4, atol: 1e-6, what: "losses" });
    expectClose(got.learned, want.learned, { rtol: 1e-3, atol: 1e-4, what: "parameters" });
    expectClose(got.drawn, want.drawn, { rtol: 1e-3, atol: 1e-3, what: "drawn" });
    // The noise went there, the parameters were there.
    expect(got.traffic).toBe(4 * 4 * 2 * 36);
  });

  test("is of one thread at a time: another is refused while the first has programs, then served", async () => {
    const here = (await openDevice("webgpu")).backend;
    const double = (on: Backend) => compile(on, { inputs: { x: [] } }, ({ x }) => ({ y: mul(x, 2) }));
    const program = await double(here);
    await expect(openDevice("webgpu", { worker: true })).rejects.toMatchObject({ code: "webgpu/thread" });
    expect((await program.run({ x: 3 })).y[0]).toBe(6);
    await program.dispose();
    const there = await double((await openDevice("webgpu", { worker: true })).backend);
    opened.push(there);
    expect((await there.run({ x: 4 })).y[0]).toBe(8);
    await expect(double(here)).rejects.toThrow("WebGPU is used by another thread of this process");
  });
});
