import { describe, expect, test } from "vitest";
import { rewrite } from "../passes/rewrite.ts";
import { valueAndGrad } from "../grad/gradients.ts";
import { add, mul, square, sub } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { stopGradient } from "../ops/compare.ts";
import { relu, silu, siluOp } from "../ops/elementary.ts";
import { matmul } from "../ops/matmul.ts";
import { mean } from "../ops/reduce.ts";
import { sum } from "../ops/sum.ts";
import { transpose } from "../ops/reshape.ts";
import { concat } from "../ops/concat.ts";
import { narrow } from "../ops/slice.ts";
import { input } from "../ops/source.ts";
import { adam, adamInit } from "../optim/adam.ts";
import { rng } from "../random/threefry.ts";
import { full, ndarray } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import { apply, type Tensor } from "../trace/tensor.ts";
import type { Backend } from "./backend.ts";
import { compile } from "./compile.ts";
import { overwritable } from "./in-place.ts";
import { partsToViews } from "./input-views.ts";
import { node } from "./node/node.ts";
import { type TraceArguments, traceProgram } from "./trace-program.ts";

const here = node({ threads: 1 });

/** Two convolutions with packed weights, Adam and a running mean of the features. */
function trainer() {
  const random = rng(1, "in-place");
  const weight = (shape: number[]) =>
    ndarray(shape, random.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))));
  const params = pack({ first: weight([4, 2, 3, 3]), last: weight([1, 4, 1, 1]) });
  const options = {
    state: { params, adam: adamInit(params), seen: full([4], 0) },
    inputs: { x: [2, 2, 5, 5] },
  };
  const build = ({ state, x }: TraceArguments<typeof options.state, typeof options.inputs>) => {
    const { value, grads, aux } = valueAndGrad((p: typeof state.params) => {
      const h = relu(conv2d(x, p.first, { padding: 1 }));
      return { loss: mean(square(conv2d(h, p.last))), h };
    })(state.params);
    const next = adam(state.params, grads, state.adam, { lr: 1e-2, weightDecay: 0.1 });
    const seen = add(mul(state.seen, 0.9), mul(mean(aux.h, [0, 2, 3]), 0.1));
    return { state: { params: next.params, adam: next.state, seen }, loss: value };
  };
  return { options, build };
}

describe("overwritable()", () => {
  const [x, y] = [input("state.x", [2, 2]), input("in.y", [2, 2])];
  const names = (outputs: Readonly<Record<string, Tensor>>) => [...overwritable(outputs)];

  test("is all of a training step: parameters, moments, running statistics", () => {
    const { options, build } = trainer();
    const { outputs } = traceProgram(options, build);
    const tensors = rewrite(
      outputs.map(([, tensor]) => tensor),
      partsToViews,
    );
    const all = names(Object.fromEntries(outputs.map(([name], i) => [name, tensors[i]!])));
    expect(all.sort()).toEqual(["next.adam.m", "next.adam.step", "next.adam.v", "next.params", "next.seen"]);
  });

  test.each<[what: string, outputs: Readonly<Record<string, Tensor>>, safe: boolean]>([
    ["the only reader writes", { "next.x": add(x, y) }, true],
    ["both operands", { "next.x": mul(x, x) }, true],
    ["a reader before it", { "next.x": mul(add(x, y), mul(x, 2)) }, true],
    ["a reader that nothing waits for", { "next.x": add(x, y), "out.y": mul(x, 2) }, false],
    ["a reader of the new value", { "next.x": add(x, y), "out.y": mul(add(x, y), 2) }, false],
    ["given out as it was", { "next.x": add(x, y), "out.x": x }, false],
    ["becomes another", { "next.x": add(x, y), "next.z": x }, false],
    ["an operation that moves elements", { "next.x": transpose(x, [1, 0]) }, false],
    ["broadcast", { "next.v": mul(input("state.v", [2]), y) }, false],
    ["may be merged with a product", { "next.x": add(matmul(y, y), x) }, false],
    ["a product of it", { "next.x": add(mul(matmul(x, y), 0.5), y) }, true],
    ["a sum of it and the product", { "next.x": sub(x, mul(matmul(y, x), 0.5)) }, true],
    [
      "a reader of what may be the same memory",
      { "next.x": add(stopGradient(x), y), "out.y": mul(stopGradient(x), y) },
      false,
    ],
    ["moved by what writes, through what changes nothing", { "next.x": transpose(mul(x, 1), [1, 0]) }, false],
    [
      "one of two outputs is read late",
      { "next.x": add(silu(x), y), "out.y": apply(siluOp, [x], {})[1]! },
      false,
    ],
    ["joined from its parts", { "next.x": concat([narrow(x, 0, 1, 1), narrow(x, 0, 0, 1)], 0) }, false],
    [
      "sums of its parts in another order",
      { "next.x": add(concat([narrow(x, 0, 1, 1), narrow(x, 0, 0, 1)], 0), y) },
      true,
    ],
    ["nobody reads it", { "next.x": mul(sum(y), y) }, true],
  ])("%s: %s", (_, outputs, safe) => {
    const [name] = Object.keys(outputs);
    expect(overwritable(outputs).has(name!)).toBe(safe);
  });
});

describe("a step that overwrites its state", () => {
  test("gives the bits of one that does not, and needs no second buffers", async () => {
    const { options, build } = trainer();
    const run = async (backend: Backend) => {
      const program = await compile(backend, options, build);
      const losses: number[] = [];
      for (let k = 0; k < 4; k++) {
        const x = rng(2, "x", k).fillNormal(new Float32Array(100));
        losses.push((await program.run({ x })).loss[0]!);
      }
      const entries = [...program.state.entries.values()];
      const result = {
        losses,
        state: [...program.state.tensors()].map(([name, { data }]) => [name, [...data]]),
      };
      await program.dispose();
      return { result, spares: entries.filter(({ spare }) => spare !== undefined).length };
    };
    const [there, apart] = [await run(here), await run({ ...here, inPlace: false })];
    expect(there.result).toEqual(apart.result);
    expect([there.spares, apart.spares]).toEqual([0, 5]);
  });

  test("that fails half-way leaves a state that cannot be read or run until it is loaded again", async () => {
    let fail = false;
    const failing: Backend = {
      ...here,
      async createSession(model) {
        const session = await here.createSession(model);
        const run = (...args: Parameters<typeof session.run>) =>
          fail ? Promise.reject(new Error("out of memory")) : session.run(...args);
        return { ...session, run };
      },
    };
    const step = await compile(failing, { state: { x: full([2], 1) } }, ({ state }) => ({
      state: { x: add(state.x, 1) },
    }));
    await step.run({});
    const saved = new Map([["x", { shape: [2], data: step.state.tensors().get("x")!.data.slice() }]]);
    fail = true;
    await expect(step.run({})).rejects.toThrow("out of memory");
    fail = false;
    const torn = 'state "x": a run failed while it was writing here. Load a checkpoint.';
    expect(() => step.state.tree()).toThrow(torn);
    await expect(step.run({})).rejects.toThrow(torn);
    step.state.load(saved);
    await step.run({});
    expect([...step.state.tree().x.data]).toEqual([3, 3]);
    await step.dispose();
  });
});
