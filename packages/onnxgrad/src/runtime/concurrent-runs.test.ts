/** @module Calls that overlap, on everything that runs a model: each gets its own answer, and an end comes once. */
import { afterAll, describe, expect, test } from "vitest";
import { webgpu, whyNoWebgpu } from "../../../../tests/support/webgpu.ts";
import { UserError } from "../errors.ts";
import { toOnnx } from "../onnx/model.ts";
import { add, mul } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { gather } from "../ops/gather.ts";
import { mean } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import { split } from "../ops/concat.ts";
import { constant, input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { scalar } from "../trace/ndarray.ts";
import type { Backend } from "./backend.ts";
import { compile } from "./compile.ts";
import { node } from "./node/node.ts";
import { nodeWorker } from "./node/node-worker.ts";
import { State } from "./state/state.ts";
import { web } from "./web/web.ts";

const noGpu = await whyNoWebgpu();

const BACKENDS: readonly (readonly [name: string, make: () => Backend, shards: number])[] = [
  ["node()", () => node({ threads: 1 }), 1],
  ["node() with shards", () => node({ threads: 2, shards: 2 }), 2],
  ["nodeWorker()", () => nodeWorker({ threads: 1 }), 1],
  ["nodeWorker() with shards", () => nodeWorker({ threads: 2, shards: 2 }), 2],
  ["web()", () => web({ threads: 1 }), 1],
  ...(noGpu === undefined ? [['node({ provider: "webgpu" })', () => webgpu(), 1] as const] : []),
];

/** Two convolutions times a number from a table of two, where any other index is an error; `large`: worth sharding. */
function compileLinear(backend: Backend, large: boolean) {
  const [channels, side] = large ? [32, 32] : [2, 4];
  const size = channels * channels * 9;
  const weight = constant(rng(1, "weight").fillNormal(new Float32Array(size)), [channels, channels, 3, 3]);
  return compile(
    backend,
    { inputs: { x: [BATCH, channels, side, side], which: { shape: [BATCH], dtype: "int64" } } },
    ({ x, which }) => ({
      y: mul(
        conv2d(conv2d(x, weight, { padding: 1 }), weight, { padding: 1 }),
        reshape(gather(constant([1, 4]), which), [BATCH, 1, 1, 1]),
      ),
    }),
  );
}

const BATCH = 4;
const first = Array<number>(BATCH).fill(0);
const second = Array<number>(BATCH).fill(1);
const neither = Array<number>(BATCH).fill(7);

/** The most that two arrays differ by, without the time that a deep comparison takes. */
const difference = (a: Float32Array, b: Float32Array, factor = 1) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - factor * b[i]!)), 0);

const disposed = (what: string) => ({
  name: "UserError",
  code: "run/disposed",
  message: expect.stringContaining(what) as string,
});

describe.each(BACKENDS)("%s", (_, make, shards) => {
  const backend = make();
  const large = shards > 1;
  const program = compileLinear(backend, large);
  const constantly = (value: number) =>
    new Float32Array(BATCH * (large ? 32 * 32 * 32 : 2 * 4 * 4)).fill(value);
  afterAll(async () => (await program).dispose());

  test("overlapping runs give each its own answer, also where one fails, and answers last", async () => {
    const { run, stats } = await program;
    expect(stats.shards).toBe(shards);
    const one = (await run({ x: constantly(1), which: first })).y;
    expect(difference(one, constantly(0))).toBeGreaterThan(1);
    const settled = await Promise.allSettled([
      run({ x: constantly(2), which: first }),
      run({ x: constantly(1), which: neither }), // the runtime refuses it
      run({ x: constantly(4), which: first }),
      run({ x: new Float32Array(3), which: first }), // we do
      run({ x: constantly(2), which: second }),
      run({ x: constantly(1), which: first }),
    ]);
    const results = settled.map((each) =>
      each.status === "fulfilled" ? each.value.y : (each.reason as Error),
    );
    // A GPU need not notice what is out of range.
    if (backend.processor === "cpu") expect(results[1]).toBeInstanceOf(Error);
    expect(results[3]).toBeInstanceOf(UserError);
    for (const [at, factor] of [
      [0, 2],
      [2, 4],
      [4, 8],
      [5, 1],
    ] as const)
      expect(difference(results[at] as Float32Array, one, factor), `run ${at}`).toBe(0);
    await run({ x: constantly(16), which: second });
    expect(difference(results[0] as Float32Array, one, 2), "an answer, after later runs").toBe(0);
  });

  test("a run is of the values at the time of its call", async () => {
    const { run } = await program;
    const one = (await run({ x: constantly(1), which: first })).y;
    const x = constantly(2);
    const which = BigInt64Array.from(first, BigInt);
    const [a, b] = [run({ x, which }), run({ x, which })];
    x.fill(8);
    which.fill(1n);
    const c = run({ x, which });
    x.fill(NaN);
    for (const [k, [result, factor]] of (
      [
        [a, 2],
        [b, 2],
        [c, 32],
      ] as const
    ).entries())
      expect(difference((await result).y, one, factor), `run ${k}`).toBe(0);
  });

  test("with `reuse` it returns its own arrays, which may be fed back", async () => {
    const { run } = await program;
    const one = (await run({ x: constantly(1), which: first })).y;
    const twice = (await run({ x: one, which: first })).y;
    const { y } = await run({ x: constantly(1), which: first }, { reuse: true });
    expect(difference(y, one)).toBe(0);
    const { y: again } = await run({ x: y, which: first }, { reuse: true });
    expect(again).toBe(y);
    expect(difference(again, twice)).toBe(0);
  });

  test("dispose() waits for what runs, can be repeated, and nothing runs after it", async () => {
    const own = await compileLinear(backend, large);
    const one = (await own.run({ x: constantly(1), which: first })).y;
    const log: string[] = [];
    const running = [2, 4].map((value) =>
      own.run({ x: constantly(value), which: first }).finally(() => log.push(String(value))),
    );
    const ended = own.dispose().then(() => log.push("disposed"));
    const late = own.run({ x: constantly(1), which: first });
    await expect(late).rejects.toMatchObject(disposed("this program has been disposed of"));
    const [two, four] = await Promise.all(running);
    await Promise.all([ended, own.dispose(), own.dispose()]);
    expect(log).toEqual(["2", "4", "disposed"]);
    expect([difference(two!.y, one, 2), difference(four!.y, one, 4)]).toEqual([0, 0]);
    await own.dispose();
    await expect(own.run({ x: constantly(1), which: first })).rejects.toBeInstanceOf(UserError);
  });

  test("a session does the same", async () => {
    const session = await backend.createSession(toOnnx({ y: mul(input("x", [2]), 10) }).bytes);
    const run = async (value: number, size = 2) => {
      const y = new Float32Array(size);
      await session.run(
        { x: backend.tensor(Float32Array.of(value, value), [2]) },
        { y: backend.tensor(y, [size]) },
      );
      return y[1];
    };
    const settled = await Promise.allSettled([run(1), run(2), run(3, 3), run(4)]);
    expect([settled[0], settled[1], settled[3]].map((each) => (each as { value: number }).value)).toEqual([
      10, 20, 40,
    ]);
    const running = run(5);
    const ended = session.release();
    await expect(run(6)).rejects.toMatchObject(disposed("this session has been disposed of"));
    expect(await running).toBe(50);
    await Promise.all([ended, session.release()]);
    await session.release();
  });

  test("runs, reads and the end of programs that share a state come in the order of their calls", async () => {
    const state = new State({ x: scalar(1) });
    const up = await compile(backend, { state, inputs: { by: [] } }, ({ state: { x }, by }) => {
      const next = add(x, by);
      return { state: { x: next }, seen: mean(next) };
    });
    const triple = await compile(backend, { state }, ({ state: { x } }) => ({ state: { x: mul(x, 3) } }));
    const one = up.run({ by: 1 });
    const two = triple.run({});
    const pulled = state.pull();
    const three = up.run({ by: 2 });
    const ends = [up.dispose(), triple.dispose(), up.dispose()];
    expect(() => state.load(new Map([["x", scalar(0)]]))).toThrow("Await their runs before loading");
    expect([(await one).seen[0], (await three).seen[0]]).toEqual([2, 8]);
    await Promise.all([two, pulled, ...ends, state.pull()]);
    expect(state.tree().x.data[0]).toBe(8);
    await Promise.all([state.dispose(), state.dispose()]);
    state.load(new Map([["x", scalar(5)]]));
    expect(state.tree().x.data[0]).toBe(5);
  });
});

describe("arrays that are one", () => {
  test("may be fed twice, and be the state's own", async () => {
    const state = new State({ w: scalar(3) });
    const program = await compile(
      node({ threads: 1 }),
      { state, inputs: { a: [4], b: [4], s: [] } },
      ({ state: { w }, a, b, s }) => {
        const [left] = split(a, [2, 2], 0);
        const [, right] = split(b, [2, 2], 0);
        return { state: { w: add(w, 1) }, y: add(mul(left!, right!), s) };
      },
    );
    const x = Float32Array.of(1, 2, 3, 4);
    const s = state.tensors().get("w")!.data;
    for (const reuse of [false, true]) {
      const { y } = await program.run({ a: x, b: x, s }, { reuse });
      expect([...y]).toEqual(reuse ? [1 * 3 + 4, 2 * 4 + 4] : [1 * 3 + 3, 2 * 4 + 3]);
    }
    await program.dispose();
  });
});
