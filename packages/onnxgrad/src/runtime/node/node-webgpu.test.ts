/** @module The Node backend on WebGPU: where the state is, what crosses to the host and when, and that nothing leaks. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, describe, expect, test, vi } from "vitest";
import { webgpu, whyNoWebgpu } from "../../../../../tests/support/webgpu.ts";
import { UserError } from "../../errors.ts";
import { valueAndGrad } from "../../grad/gradients.ts";
import { add, mul, square, sub } from "../../ops/arithmetic.ts";
import { conv2d } from "../../ops/conv.ts";
import { round, silu } from "../../ops/elementary.ts";
import { mean } from "../../ops/reduce.ts";
import { adam, adamInit } from "../../optim/adam.ts";
import { ema } from "../../optim/ema.ts";
import { rng } from "../../random/threefry.ts";
import { expectClose } from "../../testing/expect-close.ts";
import { full, ndarray, scalar } from "../../trace/ndarray.ts";
import { pack } from "../../trace/packed.ts";
import type { Backend } from "../backend.ts";
import { compile } from "../compile.ts";
import { node } from "./node.ts";
import { State } from "../state/state.ts";

// Shaders are compiled and run by the processor here, which other tests want too.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const missing = await whyNoWebgpu();
const cpu = node({ threads: 1 });
const opened: { dispose(): Promise<void> }[] = [];
/** {@link compile}, disposed of at the end. */
const build: typeof compile = async (...args) => {
  const program = await compile(...args);
  opened.push(program);
  return program;
};
afterAll(async () => {
  for (const program of opened) await program.dispose();
});

const normal = (shape: readonly number[], n: number) =>
  ndarray(
    shape,
    rng(1, shape.join())
      .fillNormal(new Float32Array(n))
      .map((v) => 0.3 * v),
  );

/** A convolution net with Adam and a moving average: 2592 parameters, a batch of 288 floats. */
async function trainer(backend: Backend, readEvery = 1) {
  const params = pack({ first: normal([16, 2, 3, 3], 288), middle: normal([16, 16, 3, 3], 2304) });
  return build(
    backend,
    { state: { params, adam: adamInit(params), average: params }, inputs: { x: [4, 2, 6, 6] }, readEvery },
    ({ state, x }) => {
      const { value, grads } = valueAndGrad((p: typeof state.params) => {
        const y = conv2d(silu(conv2d(x, p.first, { padding: 1 })), p.middle, { padding: 1 });
        return mean(square(sub(mean(y, [1]), mean(x, [1]))));
      })(state.params);
      const next = adam(state.params, grads, state.adam, { lr: 3e-3 });
      const average = ema(state.average, next.params, next.state.step, 0.9);
      return { state: { params: next.params, adam: next.state, average }, loss: value };
    },
  );
}
const batch = (k: number) => rng(2, "x", k).fillNormal(new Float32Array(288));

test.skipIf(process.env["CI"] !== "true")("WebGPU is there in continuous integration", () => {
  expect(missing).toBeUndefined();
});

/** Elsewhere the driver is not a Vulkan one, or there is no WebGPU. */
const vulkan = process.platform === "linux" && process.arch === "x64";

test.runIf(vulkan)("says in one line what is missing where there is no GPU", async () => {
  // In a process of its own: the driver is looked for once.
  const script = `
    import { compile, mul } from "onnxgrad";
    import { node } from "onnxgrad/node";
    const build = ({ x }) => ({ y: mul(x, 2) });
    try { await compile(node({ provider: "webgpu" }), { inputs: { x: [1] } }, build); }
    catch (error) { console.log(error.name, error.code, error.message); }`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--conditions=@subband/source", "--input-type=module", "--eval", script],
    { env: { ...process.env, VK_ICD_FILENAMES: "/nowhere/icd.json" } },
  );
  expect(stdout.trim()).toBe(
    "UserError webgpu/adapter WebGPU finds no GPU. Install a driver (on Linux a Vulkan one, and libvulkan1), run on " +
      "SwiftShader (docs/support.md), or use the CPU.",
  );
});

describe.skipIf(missing !== undefined)(`node({ provider: "webgpu" })${missing ? `: ${missing}` : ""}`, () => {
  const backend = webgpu();
  const traffic = () => ({ ...backend.device!.traffic });
  /** Bytes to the device and back, of a task. */
  const crossing = async (task: () => Promise<unknown>): Promise<[toDevice: number, toHost: number]> => {
    const before = traffic();
    await task();
    const after = traffic();
    return [after.toDevice - before.toDevice, after.toHost - before.toHost];
  };

  test("trains as the CPU does, state wholly on the device", async () => {
    expect(backend.name).toBe("node-webgpu");
    // Without fallback, so that no operation inside the step brings anything back either.
    const [there, here] = [await trainer(webgpu({ cpuFallback: false })), await trainer(cpu)];
    const losses: [number[], number[]] = [[], []];
    for (let k = 0; k < 8; k++) {
      losses[0].push((await there.run({ x: batch(k) })).loss[0]!);
      losses[1].push((await here.run({ x: batch(k) })).loss[0]!);
    }
    // Adam divides by the root of tiny second moments: errors of 1e-7 in a gradient near zero become steps.
    expectClose(losses[0], losses[1], { rtol: 1e-4, atol: 1e-6, what: "losses" });
    await there.state.pull();
    for (const [name, { data }] of here.state.tensors())
      expectClose(there.state.tensors().get(name)!.data, data, { rtol: 1e-3, atol: 1e-4, what: name });
  });

  test("copies the batch in and the loss out, and of the state nothing after the first step", async () => {
    const step = await trainer(backend);
    const state = 4 * [...step.state.entries.values()].reduce((n, { current }) => n + current.length, 0);
    const batchBytes = 4 * 288;
    // State once, and once as much for the buffers that a step writes.
    expect(await crossing(() => step.run({ x: batch(0) }))).toEqual([2 * state + batchBytes, 4]);
    for (let k = 1; k < 5; k++)
      expect(await crossing(() => step.run({ x: batch(k) })), `step ${k}`).toEqual([batchBytes, 4]);
    expect(await crossing(() => step.state.pull())).toEqual([0, state]);
    expect(await crossing(() => step.state.pull()), "a second pull").toEqual([0, 0]);
    expect(await crossing(() => step.run({ x: batch(5) })), "a step after it").toEqual([batchBytes, 4]);
  });

  test("reads outputs back on every k-th run only, as the CPU does", async () => {
    const [there, here] = [await trainer(backend, 3), await trainer(cpu, 3)];
    const every = await trainer(cpu);
    const want: number[] = [];
    for (let k = 0; k < 7; k++) {
      want.push((await every.run({ x: batch(k) })).loss[0]!);
      let loss = NaN;
      const [, toHost] = await crossing(async () => (loss = (await there.run({ x: batch(k) })).loss[0]!));
      expect(toHost, `run ${k}`).toBe(k % 3 === 0 ? 4 : 0);
      expect((await here.run({ x: batch(k) })).loss[0], `run ${k}`).toBe(want[k - (k % 3)]);
      expectClose([loss], [want[k - (k % 3)]!], { rtol: 1e-4, what: `run ${k}` });
    }
  });

  test("refuses to show a state that is ahead on the device, and says how to get it", async () => {
    const step = await compile(backend, { state: { w: scalar(1) } }, ({ state }) => ({
      state: { w: mul(state.w, 2) },
    }));
    expect(step.state.tree().w.data[0]).toBe(1);
    await step.run({});
    expect(() => step.state.tree()).toThrow(UserError);
    expect(() => step.state.tensors()).toThrow(
      'state "w": its present values are on the device. Call `await state.pull()` before reading it.',
    );
    await step.state.pull();
    expect(step.state.tree().w.data[0]).toBe(2);
    await step.dispose();
    expect(step.state.tree().w.data[0]).toBe(2);
  });

  test("shares a state between programs of device and CPU, moving it where it is needed", async () => {
    const state = new State({ x: scalar(1), still: full([3], 5) });
    const double = await build(backend, { state }, ({ state: s }) => ({ state: { x: mul(s.x, 2) } }));
    const addOne = await build(cpu, { state }, ({ state: s }) => ({ state: { x: add(s.x, 1) } }));
    const look = await build(cpu, { state }, ({ state: s }) => ({ x: s.x, still: mean(s.still) }));
    const lookThere = await build(backend, { state }, ({ state: s }) => ({ x: s.x, still: mean(s.still) }));
    await Promise.all([double.run({}), addOne.run({}), double.run({}), look.run({})]);
    expect((await look.run({})).x[0]).toBe(6);
    const there = await lookThere.run({});
    expect([there.x[0], there.still[0]]).toEqual([6, 5]);
    await double.run({});
    expect((await lookThere.run({})).x[0]).toBe(12);
    expect(await crossing(() => lookThere.run({}))).toEqual([0, 8]);
    await addOne.run({});
    expect(state.tree().x.data[0]).toBe(13);
  });

  test("takes a loaded state up, and gives its memory back on dispose()", async () => {
    const step = await trainer(backend);
    await step.run({ x: batch(0) });
    await step.state.pull();
    const saved = new Map(
      [...step.state.tensors()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
    );
    const { loss } = await step.run({ x: batch(1) });
    const want = loss[0]!;
    await step.run({ x: batch(2) });
    step.state.load(saved);
    expect((await step.run({ x: batch(1) })).loss[0]).toBe(want);
    await step.state.dispose();
    for (const { name, residence } of step.state.entries.values()) expect(residence, name).toBeUndefined();
    expect(step.state.tensors().get("adam.step")!.data[0]).toBe(2);
    await step.run({ x: batch(2) });
    await step.state.pull();
    expect(step.state.tensors().get("adam.step")!.data[0]).toBe(3);
  });

  test("does not grow in memory over 400 steps", async () => {
    const n = 250_000;
    const step = await build(
      backend,
      { state: { x: full([n], 0) }, inputs: { y: [n] }, readEvery: 8 },
      ({ state, y }) => {
        const x = add(mul(state.x, 0.5), y);
        return { state: { x }, mean: mean(x) };
      },
    );
    const y = new Float32Array(n).fill(1);
    for (let i = 0; i < 100; i++) await step.run({ y });
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 400; i++) await step.run({ y });
    // One leaked megabyte a step, of batch or state, would be 400 MB.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(100);
    await step.state.pull();
    expectClose([step.state.tree().x.data[0]!], [2], { rtol: 1e-6 });
  });

  test("leaves what WebGPU lacks to the CPU, or refuses it when told to", async () => {
    const rounding = (on: Backend) => build(on, { inputs: { x: [3] } }, ({ x }) => ({ y: mul(round(x), 2) }));
    expect([...(await (await rounding(backend)).run({ x: [0.4, 1.6, -2.7] })).y]).toEqual([0, 4, -6]);
    await expect(rounding(webgpu({ cpuFallback: false }))).rejects.toThrow(UserError);
    await expect(rounding(webgpu({ cpuFallback: false }))).rejects.toThrow(
      "compile: the GPU lacks an operation of this model and cpuFallback is false.",
    );
  });
});
