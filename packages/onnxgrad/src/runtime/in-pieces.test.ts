import { describe, expect, test } from "vitest";
import { rewrite } from "../passes/rewrite.ts";
import { interpret } from "../interpret/interpret.ts";
import { add, mul, square, sub } from "../ops/arithmetic.ts";
import { matmul } from "../ops/matmul.ts";
import { mean } from "../ops/reduce.ts";
import { sum } from "../ops/sum.ts";
import { reshape } from "../ops/reshape.ts";
import { concat, split } from "../ops/concat.ts";
import { narrow } from "../ops/slice.ts";
import { input } from "../ops/source.ts";
import { adam, adamInit } from "../optim/adam.ts";
import { clipByGlobalNorm } from "../optim/clip.ts";
import { valueAndGrad } from "../grad/gradients.ts";
import { rng } from "../random/threefry.ts";
import { expectClose } from "../testing/expect-close.ts";
import { ndarray } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import { reachable, sizeOf, type Tensor } from "../trace/tensor.ts";
import type { Backend } from "./backend.ts";
import { compile } from "./compile.ts";
import { inPieces } from "./in-pieces.ts";
import { overwritable } from "./in-place.ts";
import { partsToViews } from "./input-views.ts";
import { node } from "./node/node.ts";
import type { TraceArguments } from "./trace-program.ts";

const here = node({ threads: 1 });
const LENGTH = 2 ** 19 + 300;

/** Two products with packed weights, one large, with small vectors between; clipped gradients, Adam. */
function trainer(clipped: boolean) {
  const random = rng(1, "in-pieces");
  const drawn = (shape: number[]) =>
    ndarray(
      shape,
      random.fillNormal(new Float32Array(sizeOf(shape))).map((v) => v / 30),
    );
  const params = pack({ first: drawn([700, 800]), bias: drawn([800]), last: drawn([800, 3]) });
  const options = { state: { params, adam: adamInit(params) }, inputs: { x: [4, 700] } };
  const build = ({ state, x }: TraceArguments<typeof options.state, typeof options.inputs>) => {
    const { value, grads } = valueAndGrad((p: typeof state.params) =>
      mean(square(matmul(square(add(matmul(x, p.first), p.bias)), p.last))),
    )(state.params);
    const { grads: own, norm } = clipByGlobalNorm(grads, 1e-3);
    const next = adam(state.params, clipped ? own : grads, state.adam, { lr: 1e-2, weightDecay: 0.1 });
    return { state: { params: next.params, adam: next.state }, loss: value, ...(clipped && { norm }) };
  };
  return { options, build };
}

async function trained(backend: Backend, clipped: boolean) {
  const { options, build } = trainer(clipped);
  const program = await compile(backend, options, build);
  const losses: number[] = [];
  for (let k = 0; k < 3; k++) {
    const x = rng(2, "x", k).fillNormal(new Float32Array(4 * 700));
    losses.push((await program.run({ x })).loss[0]!);
  }
  const spares = [...program.state.entries.values()].filter(({ spare }) => spare).map(({ name }) => name);
  const state = new Map([...program.state.tensors()].map(([name, { data }]) => [name, data.slice()]));
  await program.dispose();
  return { losses, state, spares, nodes: program.stats.nodes };
}

describe("a step whose optimiser works in pieces", () => {
  test("gives the bits of one that does not; moments are written in place", async () => {
    const [pieces, whole] = [await trained(here, false), await trained({ ...here, inPlace: false }, false)];
    expect(pieces.nodes).toBeGreaterThan(whole.nodes);
    expect(pieces.losses).toEqual(whole.losses);
    for (const [name, data] of pieces.state)
      expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(whole.state.get(name)!.buffer)), name).toBe(
        0,
      );
    // The first weight may be read by an input gradient that its own does not wait for.
    expect(pieces.spares.filter((name) => name !== "params")).toEqual([]);
  });

  test("adds up the norm of the gradient from its pieces", async () => {
    const [pieces, whole] = [await trained(here, true), await trained({ ...here, inPlace: false }, true)];
    expectClose(pieces.losses, whole.losses, { rtol: 1e-5 });
    for (const [name, data] of pieces.state)
      expectClose(data, whole.state.get(name)!, { rtol: 1e-4, atol: 1e-7, what: name });
  });
});

describe("inPieces()", () => {
  const [m, w] = [input("state.m", [LENGTH]), input("state.w", [LENGTH])];
  const parts = [200, 2 ** 18, 50, 2 ** 18, 50].map((size, i) => input(`g${i}`, [size]));
  const g = concat(parts, 0);
  const names = (outputs: Readonly<Record<string, Tensor>>) => Object.keys(inPieces(outputs));

  test("cuts where gradients are joined, and a large one evenly", () => {
    expect(names({ "next.m": add(mul(m, 0.9), g), "out.loss": sum(w) })).toEqual([
      `view(0, ${200 + 2 ** 18}, next.m)`,
      `view(${200 + 2 ** 18}, ${50 + 2 ** 18}, next.m)`,
      `view(${250 + 2 ** 19}, 50, next.m)`,
      "out.loss",
    ]);
    const one = input("g", [LENGTH]);
    const half = LENGTH / 2;
    expect(names({ "next.m": sub(m, mul(one, 0.1)) })).toEqual([
      `view(0, ${half}, next.m)`,
      `view(${half}, ${half}, next.m)`,
    ]);
    const joined = concat([input("a", [2 ** 19]), input("b", [300])], 0);
    const made = inPieces({ "next.m": add(m, joined) });
    expect(Object.keys(made)).toEqual([
      `view(0, ${2 ** 18}, next.m)`,
      `view(${2 ** 18}, ${2 ** 18}, next.m)`,
      `view(${2 ** 19}, 300, next.m)`,
    ]);
    expect(reachable(Object.values(made)).filter(({ op }) => op.name === "concat")).toEqual([]);
  });

  test("joins the pieces of gradients that are cut elsewhere", () => {
    const other = concat([input("a", [100]), input("b", [LENGTH - 100])], 0);
    const made = inPieces({ "next.m": add(m, g), "next.w": sub(w, mul(other, g)) });
    const feeds = Object.fromEntries(
      [...parts, m, w, ...other.node.inputs].map(({ node: { attrs }, size }) => {
        const { name } = attrs as { readonly name: string };
        const values = rng(3, name).fillNormal(new Float32Array(size));
        return [name, values];
      }),
    );
    const views = Object.fromEntries(
      reachable(Object.values(made)).flatMap(({ attrs }) => {
        const [, start, size, of] =
          /^view\((\d+), (\d+), (.+)\)$/.exec((attrs as { name?: string }).name ?? "") ?? [];
        if (of === undefined) return [];
        return [
          [
            `view(${start}, ${size}, ${of})`,
            feeds[of]!.subarray(Number(start), Number(start) + Number(size)),
          ],
        ];
      }),
    );
    const [nextM, nextW] = interpret([add(m, g), sub(w, mul(other, g))], feeds);
    const results = interpret(Object.values(made), { ...feeds, ...views });
    const joined = (of: string) =>
      Object.keys(made).flatMap((name, i) => (name.endsWith(`, ${of})`) ? [...results[i]!.data] : []));
    expect(joined("next.m")).toEqual([...nextM!.data]);
    expect(joined("next.w")).toEqual([...nextW!.data]);
  });

  test.each<[what: string, outputs: Readonly<Record<string, Tensor>>]>([
    ["a short vector", { "next.x": add(input("state.x", [100]), 1) }],
    ["a matrix", { "next.x": add(input("state.x", [1024, 1024]), 1) }],
    [
      "a vector that is cut elsewhere",
      (() => {
        const next = add(m, g);
        return { "next.m": next, "out.first": narrow(next, 0, 0, 1) };
      })(),
    ],
    [
      "a vector that is given out",
      (() => {
        const step = mul(g, 0.1);
        return { "next.m": add(m, step), "out.step": step };
      })(),
    ],
    ["an output that is no state", { "out.m": add(m, g) }],
    [
      "a vector that is read by rows",
      (() => {
        const next = add(m, g);
        return { "next.m": next, "out.rows": sum(reshape(next, [2, LENGTH / 2]), [1]) };
      })(),
    ],
  ])("leaves %s alone", (_, outputs) => {
    expect(inPieces(outputs)).toBe(outputs);
  });

  test("what is made in pieces may be written in place where each of its readers comes first", () => {
    const [first, second] = split(w, [LENGTH / 2, LENGTH / 2], 0) as [Tensor, Tensor];
    const safe = (outputs: Readonly<Record<string, Tensor>>) => {
      const cut = inPieces(outputs);
      const viewed = rewrite(Object.values(cut), partsToViews);
      return [...overwritable(Object.fromEntries(Object.keys(cut).map((name, i) => [name, viewed[i]!])))];
    };
    const loss = mul(sum(first), sum(second));
    expect(safe({ "next.w": mul(w, loss) })).toEqual(["next.w"]);
    expect(safe({ "next.w": mul(w, 2), "out.loss": loss })).toEqual([]);
    expect(safe({ "next.w": mul(w, sum(first)), "out.loss": sum(second) })).toEqual([]);
    expect(safe({ "next.m": add(mul(m, 0.9), w), "next.w": add(w, 0.1) })).toEqual(["next.m"]);
  });
});
