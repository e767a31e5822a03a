import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import { beforeEach, afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { whyNoWebgpu } from "../../../../../tests/support/webgpu.ts";
import { UserError } from "../../errors.ts";
import { valueAndGrad } from "../../grad/gradients.ts";
import { smallestModel } from "../../onnx/empty-sequence.ts";
import { toOnnx } from "../../onnx/model.ts";
import { add, mul, square, sub } from "../../ops/arithmetic.ts";
import { cast } from "../../ops/compare.ts";
import { conv2d } from "../../ops/conv.ts";
import { round, silu } from "../../ops/elementary.ts";
import { mean } from "../../ops/reduce.ts";
import { sum } from "../../ops/sum.ts";
import { input } from "../../ops/source.ts";
import { adam, adamInit } from "../../optim/adam.ts";
import { rng } from "../../random/threefry.ts";
import { full, ndarray, scalar } from "../../trace/ndarray.ts";
import { pack } from "../../trace/packed.ts";
import type { Backend } from "../backend.ts";
import { compile } from "../compile.ts";
import { node } from "./node.ts";
import { nodeWorker } from "./node-worker.ts";
import { createSession } from "./ort-session.ts";
import { State, type StateTree } from "../state/state.ts";

const missing = await whyNoWebgpu();

/** Worker threads that live in this process. */
const threads = new Set<Worker>();
const started = (worker: Worker): void => {
  threads.add(worker);
  worker.once("exit", () => threads.delete(worker));
};
beforeAll(() => void process.on("worker", started));
afterAll(() => void process.off("worker", started));

/** A step of a network of `depth` convolutions of `width` channels on [batch, 3, 32, 32], with Adam. */
async function trainer(backend: Backend, { width = 8, depth = 2, batch = 2 } = {}) {
  const random = rng(1, "worker");
  const layer = (from: number, to: number) =>
    ndarray(
      [to, from, 3, 3],
      random.fillNormal(new Float32Array(to * from * 9)).map((v) => v / Math.sqrt(9 * from)),
    );
  const params = pack({
    first: layer(3, width),
    inner: Array.from({ length: depth - 2 }, () => layer(width, width)),
    last: layer(width, 3),
  });
  const program = await compile(
    backend,
    {
      state: { params, adam: adamInit(params) },
      inputs: { x: [batch, 3, 32, 32], shift: { shape: [], dtype: "int64" } },
    },
    ({ state, x, shift }) => {
      const { value: loss, grads } = valueAndGrad((p: typeof state.params) => {
        const hidden = p.inner.reduce(
          (h, weight) => silu(conv2d(h, weight, { padding: 1 })),
          silu(conv2d(x, p.first, { padding: 1 })),
        );
        const y = conv2d(hidden, p.last, { padding: 1 });
        return mean(square(sub(y, add(x, cast(shift, "float32")))));
      })(state.params);
      const next = adam(state.params, grads, state.adam, { lr: 1e-3 });
      return { state: { params: next.params, adam: next.state }, loss };
    },
  );
  const x = rng(2, "x").fillNormal(new Float32Array(batch * 3 * 32 * 32));
  return { program, step: async () => (await program.run({ x, shift: 1 })).loss[0]! };
}

/** Values of the whole state, by name. */
async function values<S extends StateTree>({
  state,
}: {
  state: State<S>;
}): Promise<Record<string, number[]>> {
  await state.pull();
  return Object.fromEntries([...state.tensors()].map(([name, { data }]) => [name, [...data]]));
}

describe("nodeWorker()", () => {
  // Those of a test before may be waiting for programs yet.
  beforeEach(() => vi.waitFor(() => expect(threads.size).toBe(0), 20_000));

  test.each([
    { threads: 1, shards: 1 },
    { threads: 2, shards: 2 },
  ])("trains as node() does, bit for bit: $threads threads", async ({ threads: count, shards }) => {
    const size = { width: 24, depth: 3, batch: 8 };
    const there = await trainer(nodeWorker({ threads: count }), size);
    const here = await trainer(node({ threads: count }), size);
    expect([there.program.stats.shards, here.program.stats.shards]).toEqual([shards, shards]);
    const losses: number[][] = [];
    for (let k = 0; k < 3; k++) losses.push([await there.step(), await here.step()]);
    for (const [k, [a, b]] of losses.entries()) expect(a, `loss of step ${k}`).toBe(b);
    expect(losses.at(-1)![0]).toBeLessThan(losses[0]![0]!);
    expect(await values(there.program)).toEqual(await values(here.program));
    await there.program.dispose();
    await here.program.dispose();
    expect(threads.size).toBe(0);
  });

  test("leaves the event loop free while it trains", async () => {
    const { program, step } = await trainer(nodeWorker({ threads: 1 }), { width: 64, depth: 8, batch: 12 });
    await step();
    // Whatever else the machine does delays timers too, so the best of a few windows counts.
    const windows: { p99: number; stepMs: number; late: number }[] = [];
    for (let k = 0; k < 5 && !windows.some(({ p99 }) => p99 < 20); k++) {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const began = performance.now();
      for (let i = 0; i < 5; i++) await step();
      delay.disable();
      windows.push({
        p99: delay.percentile(99) / 1e6,
        stepMs: (performance.now() - began) / 5,
        late: delay.count,
      });
    }
    await program.dispose();
    const { p99, stepMs, late } = windows.at(-1)!;
    expect(stepMs, "a step is long enough to be noticed").toBeGreaterThan(40);
    expect(p99, `99th percentile of the event loop's delay, ms: ${JSON.stringify(windows)}`).toBeLessThan(20);
    expect(late, "timers during five steps").toBeGreaterThan(stepMs);
  });

  test("copies parameters neither way between steps", async () => {
    const backend = nodeWorker({ threads: 1 });
    const { program, step } = await trainer(backend);
    await step();
    const { toDevice, toHost } = backend.device!.traffic;
    for (let k = 0; k < 3; k++) await step();
    expect(backend.device!.traffic.toDevice - toDevice, "x and shift").toBe(3 * (2 * 3 * 32 * 32 * 4 + 8));
    expect(backend.device!.traffic.toHost - toHost, "the loss").toBe(3 * 4);
    await program.dispose();
  });

  test("shares one state between programs, in the thread and outside, in the order of the calls", async () => {
    const backend = nodeWorker({ threads: 1 });
    const state = new State({ x: scalar(0) });
    const up = await compile(backend, { state, inputs: { by: [] } }, ({ state: s, by }) => ({
      state: { x: add(s.x, by) },
    }));
    const triple = await compile(backend, { state }, ({ state: s }) => ({ state: { x: mul(s.x, 3) } }));
    const outside = await compile(node({ threads: 1 }), { state }, ({ state: s }) => ({
      state: { x: square(s.x) },
      before: s.x,
    }));
    const [, , , { before }] = await Promise.all([
      up.run({ by: 1 }),
      triple.run({}),
      up.run({ by: 2 }),
      outside.run({}),
      triple.run({}),
    ]);
    expect(before[0]).toBe(5);
    expect(await values({ state })).toEqual({ x: [75] });
    await expect(up.run({ by: [] as never })).rejects.toThrow('input "by": needs 1 values');
    await up.run({ by: 1 });
    expect(await values({ state })).toEqual({ x: [76] });
    for (const program of [up, triple, outside]) await program.dispose();
  });

  test("gives its state back when the last program is disposed of, ends its thread, and starts another", async () => {
    const backend = nodeWorker({ threads: 1 });
    const state = new State({ x: full([3], 1), untouched: scalar(7) });
    const double = () =>
      compile(backend, { state }, ({ state: s }) => ({ state: { x: mul(s.x, 2) }, total: sum(s.x) }));
    const [first, second] = [await double(), await double()];
    expect(threads.size).toBe(1);
    await first.run({});
    await first.dispose();
    await first.dispose();
    expect((await second.run({})).total[0]).toBe(6);
    expect(threads.size).toBe(1);
    await second.dispose();
    expect(threads.size).toBe(0);
    const third = await double();
    await third.run({});
    await third.dispose();
    expect(threads.size).toBe(0);
    await expect(third.run({})).rejects.toThrow("program has been disposed of");
    expect(await values({ state })).toEqual({ x: [8, 8, 8], untouched: [7] });
  });

  test("does not grow in memory over 400 runs", async () => {
    const n = 250_000;
    const step = await compile(
      nodeWorker({ threads: 1 }),
      { state: { x: full([n], 0) }, inputs: { y: [n] } },
      ({ state, y }) => {
        const x = add(mul(state.x, 0.5), y);
        return { state: { x }, all: x };
      },
    );
    const y = new Float32Array(n).fill(1);
    for (let i = 0; i < 100; i++) await step.run({ y });
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 300; i++) await step.run({ y });
    // One leaked megabyte a run would be 300 MB; the collectors of two threads are free to be late by some tens.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(120);
    await step.dispose();
    await step.state.pull();
    expect(step.state.tree().x.data[0]).toBeCloseTo(2, 5);
  });

  test("feeds a view of a larger array without touching it, and keeps one output array where told to", async () => {
    const program = await compile(nodeWorker({ threads: 1 }), { inputs: { x: [2] } }, ({ x }) => ({
      y: mul(x, 10),
    }));
    const all = Float32Array.of(1, 2, 3, 4);
    const { y } = await program.run({ x: all.subarray(1, 3) }, { reuse: true });
    expect([...y, ...all]).toEqual([20, 30, 1, 2, 3, 4]);
    expect((await program.run({ x: all.subarray(2) }, { reuse: true })).y).toBe(y);
    expect([...y]).toEqual([30, 40]);
    await program.dispose();
  });

  test("passes ONNX Runtime's errors on as they are", async () => {
    const failures = async (backend: Backend): Promise<string[]> => {
      const bad = await backend.createSession(Uint8Array.of(1, 2, 3)).catch((error: Error) => error.message);
      const session = await backend.createSession(toOnnx({ y: mul(input("x", [2]), 2) }).bytes);
      const y = backend.tensor(new Float32Array(3), [3]);
      const wrong = await session
        .run({ x: backend.tensor(new Float32Array(3), [3]) }, { y })
        .catch((error: Error) => error.message);
      const again = { x: backend.tensor(Float32Array.of(1, 2), [2]) };
      await session.run(again, { y: backend.tensor(new Float32Array(2), [2]) });
      await session.release();
      return [String(bad), String(wrong)];
    };
    const messages = await failures(nodeWorker({ threads: 1 }));
    expect(messages).toEqual(await failures(node({ threads: 1 })));
    expect(messages[0]).toMatch(/protobuf/i);
    expect(messages[1]).toMatch(/Expected: 2|invalid dimensions/i);
    // Without a state it waits a moment for another program: the one after a measurement needs no thread of its own.
    const [thread] = threads;
    expect(threads.size).toBe(1);
    await vi.waitFor(() => expect(threads.has(thread!)).toBe(false), 10_000);
    expect(threads.size).toBe(0);
  });

  test("programs without a state that follow one another share a thread", async () => {
    const backend = nodeWorker({ threads: 1 });
    const seen = new Set<unknown>();
    for (let i = 0; i < 3; i++) {
      const session = await backend.createSession(toOnnx({ y: mul(input("x", [2]), 2) }).bytes);
      for (const thread of threads) seen.add(thread);
      await session.release();
    }
    expect(seen.size).toBe(1);
    await vi.waitFor(() => expect(threads.size).toBe(0), 10_000);
  });

  test("says that its thread died, and goes on with another after load()", async () => {
    const backend = nodeWorker({ threads: 1 });
    const { program, step } = await trainer(backend);
    await step();
    await program.state.pull();
    const saved = new Map(
      [...program.state.tensors()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
    );
    await step();
    void [...threads][0]!.terminate();
    const running = step();
    const death = { name: "UserError", code: "worker/exit" };
    await expect(running).rejects.toMatchObject(death);
    await expect(running).rejects.toThrow("worker thread of ONNX Runtime has ended: exit code 1");
    await expect(step()).rejects.toMatchObject(death);
    await expect(program.state.pull()).rejects.toMatchObject(death);
    expect(() => program.state.tensors()).toThrow(UserError);
    await program.dispose();
    program.state.load(saved);
    const next = await compile(backend, { state: program.state }, ({ state }) => ({
      total: sum(state.params.last),
    }));
    const want = saved.get("params.last")!.data.reduce((a, b) => a + b, 0);
    expect((await next.run({})).total[0]).toBeCloseTo(want, 4);
    await next.dispose();
  });

  test("a pull that its thread does not live to answer leaves a state that can be loaded", async () => {
    const { program, step } = await trainer(nodeWorker({ threads: 1 }));
    await step();
    await program.state.pull();
    const saved = new Map(
      [...program.state.tensors()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
    );
    await step();
    // Not yet known to be dead, it is sent the host's array, which does not come back.
    void [...threads][0]!.terminate();
    await expect(program.state.pull()).rejects.toMatchObject({ name: "UserError", code: "worker/exit" });
    expect(() => program.state.tensors()).toThrow(UserError);
    await program.dispose();
    program.state.load(saved);
    for (const [name, { data }] of program.state.tensors())
      expect([...data], name).toEqual([...saved.get(name)!.data]);
  });

  test("a pull copies the state once, into the memory that the host has for it", async () => {
    const { program, step } = await trainer(nodeWorker({ threads: 1 }), { width: 64, depth: 4, batch: 1 });
    await step();
    await program.state.pull();
    const sizes = [...program.state.entries.values()].map(({ current }) => current.byteLength);
    const before = process.memoryUsage().arrayBuffers;
    for (let k = 0; k < 20; k++) {
      await step();
      await program.state.pull();
    }
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(grown, "copies that wait for the collector").toBeLessThan(2 * sizes.reduce((a, b) => a + b));
    await program.dispose();
  });

  test(`keeps the codes of errors; ${missing ?? "its thread may have the state on a GPU"}`, async () => {
    const model = toOnnx({ y: round(input("x", [4])) }).bytes;
    const refused = nodeWorker({ provider: "webgpu", cpuFallback: false }).createSession(model);
    await expect(refused).rejects.toMatchObject({
      name: "UserError",
      code: expect.stringMatching(/^webgpu\//),
    });
    if (missing !== undefined) return;
    const program = await compile(
      nodeWorker({ provider: "webgpu" }),
      { state: { x: full([2], 3) }, inputs: { by: [] } },
      ({ state, by }) => ({ state: { x: mul(state.x, by) }, before: sum(state.x) }),
    );
    await program.run({ by: 2 });
    expect((await program.run({ by: 5 })).before[0]).toBe(12);
    await program.dispose();
    expect(await values(program)).toEqual({ x: [30, 30] });
  });

  // ONNX Runtime aborts the process when a thread of it is stopped in the middle of a run.
  test.each([
    [
      "a thread keeps a process alive for a run under way, and not longer",
      "nodeWorker({ threads: 1 })",
      "",
      "2",
    ],
    ["a process exits in the middle of a run", "nodeWorker({ threads: 1 })", "process.exit()", ""],
    ["a process exits in the middle of a run of shards", "node({ threads: 2 })", "process.exit()", ""],
  ])("%s", async (_, backend, exit, output) => {
    const script = `
      import { add, compile, conv2d, full, mean, scalar } from "onnxgrad";
      import { node } from "onnxgrad/node";
      import { nodeWorker } from "onnxgrad/node-worker";
      const step = await compile(
        ${backend},
        { state: { n: scalar(1), w: full([64, 64, 3, 3], 0) }, inputs: { x: [16, 64, 64, 64] } },
        ({ state, x }) => ({
          state: { n: add(state.n, 1) },
          y: mean(conv2d(conv2d(x, state.w, { padding: 1 }), state.w, { padding: 1 })),
        }),
      );
      step
        .run({ x: new Float32Array(16 * 64 ** 3) })
        .then(() => step.state.pull())
        .then(() => console.log(step.state.tree().n.data[0]));
      setTimeout(() => ${exit === "" ? "{}" : exit}, 50);`;
    expect(await printedBy(script)).toEqual({ stdout: output, stderr: "" });
  });

  // The first session of a process decides for the thread that makes it; resumed elsewhere, a run is to have the same bytes.
  test.each(["node", "nodeWorker"])(
    "%s() takes denormals for zero, from its first session on",
    async (backend) => {
      const script = `
      import { compile, mul } from "onnxgrad";
      import { node } from "onnxgrad/node";
      import { nodeWorker } from "onnxgrad/node-worker";
      const half = await compile(${backend}({ threads: 1 }), { inputs: { x: [64] } }, ({ x }) => ({ y: mul(x, 0.5) }));
      const { y } = await half.run({ x: new Float32Array(64).fill(2e-38) });
      console.log(y.every((value) => value === 0));
      await half.dispose();`;
      expect(await printedBy(script)).toEqual({ stdout: "true", stderr: "" });
    },
  );

  test("loads the model with which its thread starts ONNX Runtime", async () => {
    const session = await createSession(smallestModel(), {});
    expect(session.outputNames).toEqual(["empty"]);
    await session.release();
  });

  // As a command that finds its arguments wrong after it has opened what it would have computed on.
  test("a thread that is asked nothing keeps no process alive", async () => {
    const script = `
      import { nodeWorker } from "onnxgrad/node-worker";
      nodeWorker({ threads: 1 });
      console.log("at the end");`;
    expect(await printedBy(script)).toEqual({ stdout: "at the end", stderr: "" });
  });
});

/** What a process prints that runs `script` until nothing keeps it alive. */
async function printedBy(script: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const file = `${root}.worker-exit-${process.pid}.ts`;
  await writeFile(file, script);
  const loader = createRequire(import.meta.url).resolve("tsx");
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--import", loader, "--conditions=@subband/source", file],
    { timeout: 50_000 },
  ).finally(() => rm(file));
  return { stdout: stdout.trim(), stderr };
}
