import { afterAll, describe, expect, test } from "vitest";
import { GraphError, UserError } from "../errors.ts";
import { valueAndGrad } from "../grad/gradients.ts";
import { decodeSafetensors, encodeSafetensors } from "../onnx/safetensors.ts";
import { add, mul, square, sub } from "../ops/arithmetic.ts";
import { greater } from "../ops/compare.ts";
import { conv2d } from "../ops/conv.ts";
import { gather } from "../ops/gather.ts";
import { mean } from "../ops/reduce.ts";
import { sum } from "../ops/sum.ts";
import { constant, input } from "../ops/source.ts";
import { adam, adamInit } from "../optim/adam.ts";
import { rng } from "../random/threefry.ts";
import { expectClose } from "../testing/expect-close.ts";
import { full, ndarray, scalar } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import { compile } from "./compile.ts";
import { node } from "./node/node.ts";
import { State } from "./state/state.ts";

const backend = node({ threads: 1 });
const opened: { dispose(): Promise<void> }[] = [];
/** {@link compile} on the shared backend, disposed of at the end. */
const build: typeof compile = async (...args) => {
  const program = await compile(...args);
  opened.push(program);
  return program;
};
afterAll(async () => {
  for (const program of opened) await program.dispose();
});

describe("compile()", () => {
  test("runs a function of its inputs", async () => {
    const program = await build(
      backend,
      { inputs: { x: [2], i: { shape: [3], dtype: "int64" } } },
      ({ x, i }) => ({
        picked: gather(mul(x, 10), i),
        total: sum(x),
      }),
    );
    const { picked, total } = await program.run({ x: [1, 2], i: [1, 0, 1] });
    expect([...picked, ...total]).toEqual([20, 10, 20, 3]);
    expect([
      ...(await program.run({ x: Float32Array.of(3, 4), i: BigInt64Array.of(0n, 0n, 1n) })).picked,
    ]).toEqual([30, 30, 40]);
    expect(program.stats.nodes).toBeGreaterThan(1);
    expect(program.stats.bytes).toBeGreaterThan(50);
  });

  test("returns constants, inputs and one tensor under two names", async () => {
    const program = await build(backend, { inputs: { x: [2] } }, ({ x }) => {
      const y = square(x);
      return { y, again: y, x, fixed: constant([7, 8]) };
    });
    const { y, again, x, fixed } = await program.run({ x: [2, 3] });
    expect([y, again, x, fixed].map((values) => [...values])).toEqual([
      [4, 9],
      [4, 9],
      [2, 3],
      [7, 8],
    ]);
  });

  test("drops inputs that nothing needs, yet wants them fed by type only", async () => {
    const program = await build(backend, { inputs: { x: [1], unused: [4] } }, ({ x }) => ({ y: add(x, 1) }));
    expect([...(await program.run({ x: 1, unused: [0, 0, 0, 0] })).y]).toEqual([2]);
  });

  test("keeps state between runs", async () => {
    const step = await build(
      backend,
      { state: { count: scalar(0), total: full([2], 0) }, inputs: { x: [2] } },
      ({ state, x }) => {
        const total = add(state.total, x);
        return { state: { count: add(state.count, 1), total }, mean: mul(total, 0.5) };
      },
    );
    const first = await step.run({ x: [1, 2] });
    const second = await step.run({ x: [3, 4] });
    await step.run({ x: [5, 6] });
    const { count, total } = step.state.tree();
    expect([...count.data, ...total.data]).toEqual([3, 9, 12]);
    expect([...first.mean, ...second.mean]).toEqual([0.5, 1, 2, 3]);
  });

  test("does not change the arrays that the state was made from", async () => {
    const start = scalar(5);
    const step = await build(backend, { state: { x: start } }, ({ state }) => ({
      state: { x: add(state.x, 1) },
    }));
    await step.run({});
    await step.run({});
    expect(start.data[0]).toBe(5);
    expect(step.state.tree().x.data[0]).toBe(7);
  });

  test("leaves parts of the state that are not returned, or returned as they were", async () => {
    const frozen = pack({ w: ndarray([2], [1, 2]), b: scalar(3) });
    const step = await build(backend, { state: { frozen, x: scalar(0), y: scalar(4) } }, ({ state }) => ({
      state: { frozen: state.frozen, x: add(state.x, sum(state.frozen.w)), y: state.y },
    }));
    await step.run({});
    await step.run({});
    const { x, y, frozen: kept } = step.state.tree();
    expect([x.data[0], y.data[0], ...kept.data]).toEqual([6, 4, 1, 2, 3]);
    expect(step.state.entries.get("frozen")!.spare).toBeUndefined();
    expect(step.state.entries.get("y")!.spare).toBeUndefined();
  });

  test("moves state to another name, swaps it, and takes an input for state", async () => {
    const step = await build(
      backend,
      { state: { a: scalar(1), b: scalar(2), last: full([2], 0) }, inputs: { x: [2] } },
      ({ state, x }) => ({ state: { a: state.b, b: state.a, last: x } }),
    );
    const values = () => Object.values(step.state.tree()).flatMap(({ data }) => [...data]);
    await step.run({ x: [8, 9] });
    expect(values()).toEqual([2, 1, 8, 9]);
    await step.run({ x: [6, 7] });
    expect(values()).toEqual([1, 2, 6, 7]);
  });

  test("matches the parts of a packed tree by name, whatever order they are written in", async () => {
    const params = pack({ w: ndarray([2], [1, 2]), b: ndarray([2], [30, 40]) });
    const step = await build(backend, { state: { params } }, ({ state: { params: p } }) => ({
      state: { params: { b: add(p.b, 5), w: mul(p.w, 2) } },
    }));
    await step.run({});
    expect([...step.state.tree().params.data]).toEqual([2, 4, 35, 45]);
  });

  test("takes a packed tree or an array for the whole state", async () => {
    const packed = await build(backend, { state: pack({ w: ndarray([2], [1, 2]) }) }, ({ state }) => ({
      state: { w: mul(state.w, 3) },
    }));
    await packed.run({});
    expect([...packed.state.tensors()].map(([name, { data }]) => [name, ...data])).toEqual([["w", 3, 6]]);
    const alone = await build(backend, { state: scalar(1) }, ({ state }) => ({ state: add(state, 1) }));
    await alone.run({});
    expect(alone.state.tree().data[0]).toBe(2);
  });

  test("shares one state between two programs", async () => {
    const state = new State({ x: scalar(1) });
    const double = await build(backend, { state }, ({ state: s }) => ({ state: { x: mul(s.x, 2) } }));
    const read = await build(backend, { state, inputs: { y: [] } }, ({ state: s, y }) => ({
      sum: add(s.x, y),
    }));
    await double.run({});
    expect((await read.run({ y: 0.5 })).sum[0]).toBe(2.5);
    await double.run({});
    await double.run({});
    expect((await read.run({ y: 0 })).sum[0]).toBe(8);
    expect(double.state).toBe(state);
  });

  test("lines up runs that were started together", async () => {
    const state = new State({ x: scalar(0) });
    const up = await build(backend, { state, inputs: { by: [] } }, ({ state: s, by }) => ({
      state: { x: add(s.x, by) },
    }));
    const triple = await build(backend, { state }, ({ state: s }) => ({ state: { x: mul(s.x, 3) } }));
    await Promise.all([up.run({ by: 1 }), triple.run({}), up.run({ by: 2 }), triple.run({})]);
    expect(state.tree().x.data[0]).toBe(15);
    const failed = up.run({ by: [] as never });
    await expect(failed).rejects.toThrow(UserError);
    await up.run({ by: 1 });
    expect(state.tree().x.data[0]).toBe(16);
  });

  test("reads outputs on every k-th run, but always where no state is written", async () => {
    const counting = await build(backend, { state: { n: scalar(0) }, readEvery: 3 }, ({ state }) => {
      const n = add(state.n, 1);
      return { state: { n }, n };
    });
    const seen: number[] = [];
    for (let k = 0; k < 7; k++) seen.push((await counting.run({})).n[0]!);
    expect(seen).toEqual([1, 1, 1, 4, 4, 4, 7]);
    expect(counting.state.tree().n.data[0]).toBe(7);
    const plain = await build(backend, { inputs: { x: [] }, readEvery: 3 }, ({ x }) => ({ y: mul(x, 2) }));
    for (const x of [1, 2, 3]) expect((await plain.run({ x })).y[0]).toBe(2 * x);
  });

  test.each([0, 1.5, -2, NaN])("refuses to read outputs every %s runs", async (readEvery) => {
    const compiling = compile(backend, { state: { n: scalar(0) }, readEvery }, ({ state }) => ({
      n: state.n,
    }));
    await expect(compiling).rejects.toThrow(UserError);
    await expect(compiling).rejects.toThrow(
      `compile: readEvery is ${readEvery}. Give a whole number of runs`,
    );
  });

  test("keeps what it computed after dispose()", async () => {
    const step = await compile(backend, { state: { x: scalar(1) } }, ({ state }) => ({
      state: { x: add(state.x, 1) },
    }));
    await step.run({});
    await step.dispose();
    expect(step.state.tree().x.data[0]).toBe(2);
  });

  test("gives the same bits for the same steps, in one run or after saving and loading", async () => {
    const init = () =>
      pack({ w: ndarray([4, 2, 3, 3], rng(1, "w").fillNormal(new Float32Array(72))), b: full([4], 0) });
    const make = async () => {
      const params = init();
      return build(
        backend,
        { state: { params, adam: adamInit(params) }, inputs: { x: [2, 2, 6, 6] } },
        ({ state, x }) => {
          const { value, grads } = valueAndGrad((p: typeof state.params) =>
            mean(square(sub(conv2d(x, p.w, { padding: 1, bias: p.b }), sum(x, [1], { keepDims: true })))),
          )(state.params);
          const next = adam(state.params, grads, state.adam, { lr: 1e-2 });
          return { state: { params: next.params, adam: next.state }, loss: value };
        },
      );
    };
    const batch = (k: number) => ({ x: rng(2, "x", k).fillNormal(new Float32Array(144)) });
    const straight = await make();
    for (let k = 0; k < 10; k++) await straight.run(batch(k));
    const before = await make();
    for (let k = 0; k < 5; k++) await before.run(batch(k));
    const saved = encodeSafetensors({ tensors: before.state.tensors(), metadata: {} });
    const resumed = await make();
    resumed.state.load(decodeSafetensors(saved).tensors);
    for (let k = 5; k < 10; k++) await resumed.run(batch(k));
    expect([...resumed.state.tensors().keys()]).toEqual([
      "params.w",
      "params.b",
      "adam.m",
      "adam.v",
      "adam.step",
    ]);
    expect(encodeSafetensors({ tensors: resumed.state.tensors(), metadata: {} })).toEqual(
      encodeSafetensors({ tensors: straight.state.tensors(), metadata: {} }),
    );
  });

  test("does not grow in memory over 300 runs", async () => {
    const n = 250_000;
    const step = await build(backend, { state: { x: full([n], 0) }, inputs: { y: [n] } }, ({ state, y }) => {
      const x = add(mul(state.x, 0.5), y);
      return { state: { x }, total: sum(x), all: x };
    });
    const y = new Float32Array(n).fill(1);
    for (let i = 0; i < 50; i++) await step.run({ y });
    const before = process.memoryUsage();
    for (let i = 0; i < 300; i++) await step.run({ y });
    const after = process.memoryUsage();
    // One leaked megabyte a run would be 300 MB; the collector is free to be late by some tens (51 MB on Node 24).
    expect((after.rss - before.rss) / 2 ** 20).toBeLessThan(100);
    expect((after.arrayBuffers - before.arrayBuffers) / 2 ** 20).toBeLessThan(100);
    expectClose([step.state.tree().x.data[0]!], [2], { rtol: 1e-6 });
  });

  test("makes no arrays for results that are to be written where the last ones were", async () => {
    const n = 2 ** 18;
    const step = await build(backend, { state: { x: full([n], 1) } }, ({ state }) => {
      const x = mul(state.x, 0.5);
      return { state: { x }, all: x };
    });
    const { all } = await step.run({}, { reuse: true });
    expect((await step.run({}, { reuse: true })).all).toBe(all);
    // Megabytes between two runs in a row, which the collector seldom comes between.
    const grown: number[] = [];
    for (let i = 0; i < 5; i++) {
      const before = process.memoryUsage().arrayBuffers;
      await step.run({}, { reuse: true });
      grown.push((process.memoryUsage().arrayBuffers - before) / 2 ** 20);
    }
    expect(Math.max(...grown), `of 2 MB of results: ${grown.join(", ")}`).toBeLessThan(0.5);
    expect(step.state.tree().x.data[0]).toBe(0.5 ** 7);
  });
});

describe("a function that cannot be compiled", () => {
  const state = { x: scalar(0), deep: { y: full([2], 0) }, params: pack({ w: full([2], 0), b: scalar(0) }) };
  const wrong = (returned: (args: never) => object) =>
    compile(backend, { state, inputs: { i: [3] } }, returned as (args: object) => object);
  type Args = { i: never; state: { x: never; deep: { y: never }; params: { w: never; b: never } } };

  test.each<[name: string, returned: (args: Args) => object, message: string]>([
    ["an unknown part", () => ({ state: { z: constant(1) } }), 'next state has "z", which the state lacks'],
    [
      "a name of Object.prototype",
      () => ({ state: { constructor: constant(1) } }),
      'has "constructor", which',
    ],
    ["another shape", ({ i }) => ({ state: { x: i } }), 'next state "x" is [3], the state is []'],
    ["a number", () => ({ state: { x: 1 } }), 'next state "x" is no tensor'],
    [
      "a tensor for a tree",
      ({ i }) => ({ state: { deep: i } }),
      'next state "deep" is [3], the state has parts',
    ],
    ["a bool", ({ state: s }) => ({ state: { x: greater(s.x, 0) } }), 'next state "x" is bool[]'],
    [
      "half a packed tree",
      ({ state: s }) => ({ state: { params: { w: s.params.w } } }),
      'has nothing as "b"',
    ],
    [
      "a packed part of another shape",
      ({ i, state: s }) => ({ state: { params: { w: i, b: s.params.b } } }),
      'next state "params" has [3] as "w", the state has [2]',
    ],
    [
      "an extra packed part",
      ({ i, state: s }) => ({ state: { params: { ...(s.params as object), more: i } } }),
      'next state "params" has "more"',
    ],
    [
      "a bool output",
      ({ i }) => ({ hit: greater(i, 0) }),
      'output "hit" is bool[3]. Return float32 tensors, or use cast()',
    ],
    ["an output that is no tensor", () => ({ loss: 3 }), 'output "loss" is number'],
    [
      "an input of nobody's",
      ({ i }) => ({ y: mul(i, input("scale", [3])) }),
      'uses the input "scale" [3], which it was not given. Declare it in `inputs`.',
    ],
    [
      "an input named as what is fed",
      ({ i }) => ({ y: mul(i, input("in.i", [3])) }),
      'uses the input "in.i" [3], which',
    ],
    [
      "an input named as a part of the state",
      () => ({ y: input("view(0, 1, state.deep.y)", [1]) }),
      'uses the input "view(0, 1, state.deep.y)" [1], which',
    ],
    ["nothing", () => ({}), "nothing to compute"],
    ["an unchanged state alone", ({ state: s }) => ({ state: { x: s.x } }), "nothing to compute"],
  ])("for %s says what and where", async (_, returned, message) => {
    await expect(wrong(returned as never)).rejects.toThrow(GraphError);
    await expect(wrong(returned as never)).rejects.toThrow(message);
  });

  test("has an input named `state`, which the state would hide, and is told to rename it", async () => {
    const options = { state: { w: scalar(1) }, inputs: { state: [2] } };
    await expect(
      compile(backend, options as never, (args: object) => ({ sum: sum(Object.values(args)[0] as never) })),
    ).rejects.toThrow(
      new GraphError(
        'compile: an input is named "state", and so is what the function gets the state as. Rename the input.',
      ),
    );
  });

  test("may have inputs, outputs and a state whose names look like those of ports", async () => {
    const names = ["in.x", "next", "view(0, 1, state.w)", "shard0.x0"] as const;
    const program = await build(
      backend,
      {
        state: { "in.x": scalar(10), out: scalar(1) },
        inputs: Object.fromEntries(names.map((n) => [n, [1]])),
      },
      ({ state: given, ...fed }) => ({
        state: { "in.x": add(given["in.x"], given.out) },
        ...Object.fromEntries(names.map((n) => [n, mul(fed[n] as never, 2)])),
      }),
    );
    const got: Readonly<Record<string, Float32Array>> = await program.run(
      Object.fromEntries(names.map((n, i) => [n, [i]])),
    );
    expect(names.map((n) => [...got[n]!])).toEqual(names.map((_, i) => [2 * i]));
    expect(program.state.tree()["in.x"].data[0]).toBe(11);
  });
});

describe("State", () => {
  const make = () =>
    new State({
      net: pack({ conv: { w: ndarray([1, 2], [1, 2]) }, b: scalar(3) }),
      ema: { mean: full([2], 4) },
      t: scalar(5),
    });

  test("names every array, packed trees opened", () => {
    expect([...make().tensors()].map(([name, { shape, data }]) => [name, shape, ...data])).toEqual([
      ["net.conv.w", [1, 2], 1, 2],
      ["net.b", [], 3],
      ["ema.mean", [2], 4, 4],
      ["t", [], 5],
    ]);
    expect([...make().entries.keys()]).toEqual(["net", "ema.mean", "t"]);
  });

  test("gives its tree back as copies", () => {
    const state = make();
    const tree = state.tree();
    expect([...tree.net.tree.conv.w.data, ...tree.net.tree.b.data]).toEqual([1, 2, 3]);
    tree.net.data.fill(0);
    tree.t.data.fill(0);
    expect(state.tensors().get("net.b")!.data[0]).toBe(3);
    expect(state.tensors().get("t")!.data[0]).toBe(5);
  });

  test("loads what it gave, ignoring names that it lacks", () => {
    const [from, to] = [make(), make()];
    for (const { current } of from.entries.values()) current.forEach((_, i) => (current[i]! += 10));
    to.load(new Map([...from.tensors(), ["other", { shape: [1], data: Float32Array.of(0) }]]));
    expect([...to.tensors()]).toEqual([...from.tensors()]);
  });

  test("refuses a missing array or another shape and changes nothing then", () => {
    const state = make();
    const all = new Map([...state.tensors()].map(([name, { shape }]) => [name, full(shape, 99)]));
    expect(() => state.load(new Map([...all].slice(0, -1)))).toThrow('state "t" is missing.');
    expect(() => state.load(new Map([...all, ["t", full([2], 0)]]))).toThrow(
      'state "t": file has [2], model needs []. Use the configuration it was trained with.',
    );
    expect(() => state.load(new Map([...all, ["t", full([2], 0)]]))).toThrow(UserError);
    const short = { shape: [], data: new Float32Array(0) };
    expect(() => state.load(new Map([...all, ["t", short]]))).toThrow('state "t": 0 values for []');
    expect([...state.tensors()]).toEqual([...make().tensors()]);
  });

  test("refuses two arrays of one dotted name", () => {
    expect(() => new State({ "a.b": scalar(1), a: { b: scalar(2) } })).toThrow('state "a.b": two arrays');
  });

  test("takes __proto__ for a name", async () => {
    const tree = JSON.parse('{"__proto__": {}}') as Record<string, Record<string, ReturnType<typeof scalar>>>;
    Object.getOwnPropertyDescriptor(tree, "__proto__")!.value["constructor"] = scalar(1);
    const state = new State(tree);
    expect([...state.tensors().keys()]).toEqual(["__proto__.constructor"]);
    const step = await build(backend, { state }, (args) => {
      const within = Object.getOwnPropertyDescriptor(args.state, "__proto__")!.value as Record<string, never>;
      const next = JSON.parse('{"__proto__": {}}') as object;
      Object.getOwnPropertyDescriptor(next, "__proto__")!.value["constructor"] = add(
        within["constructor"]!,
        1,
      );
      return { state: next };
    });
    await step.run({});
    expect(state.tensors().get("__proto__.constructor")!.data[0]).toBe(2);
    expect(({} as Record<string, unknown>)["constructor"]).toBe(Object);
  });
});
