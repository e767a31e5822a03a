/**
 * @module What is declared is all there is to an operation: one that is in no table is differentiated, split over the batch,
 * recomputed, kept by rows, written in place and run as those are that come with the package.
 */
import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { multiplyAccumulates } from "../parallel/multiply-accumulates.ts";
import { partition } from "../parallel/partition.ts";
import { convolutionsByRows } from "../passes/convolutions-by-rows.ts";
import { peakBytes } from "../passes/liveness.ts";
import { rematerialize } from "../passes/rematerialize.ts";
import { rng } from "../random/threefry.ts";
import { compile } from "../runtime/compile.ts";
import { overwritable } from "../runtime/in-place.ts";
import { node } from "../runtime/node/node.ts";
import { expectClose } from "../testing/expect-close.ts";
import { apply1, reachable, type Tensor } from "../trace/tensor.ts";
import { add, div, mul, square, sub } from "./arithmetic.ts";
import { conv2d } from "./conv.ts";
import { defineOp, type NoAttrs, type OpDefinition, requireFloat } from "./define-op.ts";
import { abs } from "./elementary.ts";
import { matmul } from "./matmul.ts";
import { elementwise } from "./placement.ts";
import { sum } from "./sum.ts";
import { constant, input } from "./source.ts";

/** x / (1 + |x|), whose derivative is (1 - |y|)^2. */
const softsignOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "softsign",
  infer(inputs) {
    requireFloat("softsign", inputs);
    return [inputs[0]!];
  },
  vjp: ({ grad, outputs: [y] }) => [mul(grad, square(sub(1, abs(y!))))],
  lower: (context, inputs) => context.emit("Softsign", inputs),
  evaluate: ([x]) => [{ shape: x!.shape, data: x!.data.map((v) => v / (1 + Math.abs(v))) }],
  place: elementwise,
  macs: null,
  traits: { elementwise: true, cheap: true, activation: true, overwrites: true },
});

const softsign = (x: Tensor) => apply1(softsignOp, [x], {});
/** The same of operations that are known. */
const composed = (x: Tensor) => div(x, add(abs(x), 1));

const normals = (name: string, n: number) => rng(3, name).fillNormal(new Float32Array(n));

describe("an operation in no table", () => {
  test("runs and is differentiated, twice", async () => {
    const traced = (f: (x: Tensor) => Tensor) => (x: Tensor) => {
      const y = f(x);
      const [dx] = gradients(sum(square(y)), [x]);
      const [ddx] = gradients(sum(square(dx!)), [x]);
      return { y, dx: dx!, ddx: ddx! };
    };
    const program = await compile(node({ threads: 1 }), { inputs: { x: [5] }, debug: true }, ({ x }) =>
      traced(softsign)(x),
    );
    const values = [-3, -0.5, 0.25, 1, 7];
    const got = await program.run({ x: values });
    await program.dispose();
    const want = traced(composed)(input("x", [5]));
    for (const name of ["y", "dx", "ddx"] as const)
      expectClose(got[name], interpret([want[name]], { x: values })[0]!.data, { rtol: 1e-5, what: name });
  });

  test("is split over the batch with what surrounds it", () => {
    const x = input("in.x", [4, 3, 6, 6]);
    const features = softsign(conv2d(x, constant(normals("w", 54), [2, 3, 3, 3])));
    const found = partition(
      [sum(conv2d(features, constant(normals("v", 18), [1, 2, 3, 3])))],
      2,
      () => true,
    )!;
    expect(found.cost.rest).toBe(0);
    const inShard = reachable(Object.values(found.shards[0]!)).map(({ op }) => op.name);
    expect(inShard.filter((name) => name === "softsign")).toHaveLength(1);
  });

  test("is computed again rather than kept, where it is cheap", () => {
    // Both h and f(h) are read again by the backward pass; the one follows from the other.
    const step = (f: (x: Tensor) => Tensor) => {
      const weights = Array.from({ length: 4 }, (_, i) => input(`w${i}`, [256, 256]));
      let a = input("x", [256, 256]);
      let loss = sum(a);
      for (const w of weights) {
        const h = matmul(a, w);
        a = f(h);
        loss = add(loss, sum(square(h)));
      }
      return gradients(add(loss, sum(a)), weights);
    };
    const plain = step((x) => apply1({ ...softsignOp, traits: {} }, [x], {}));
    const cheap = step(softsign);
    expect(peakBytes(plain)).toBe(peakBytes(cheap));
    expect(peakBytes(rematerialize(cheap))).toBeLessThan(peakBytes(rematerialize(plain)));
  });

  test("stays by rows between convolutions, where it is an activation", () => {
    const weight = constant(normals("k", 48 * 48 * 9), [48, 48, 3, 3]);
    const conv = (x: Tensor) => conv2d(x, weight, { padding: 1 });
    const outputs = convolutionsByRows([conv(softsign(conv(input("x", [1, 48, 8, 8]))))], 16);
    const nodes = reachable(outputs).filter(({ op }) => op.name !== "constant");
    expect(nodes.map(({ op }) => op.name)).toEqual([
      ...["input", "conv2dByRows", "softsign", "conv2dByRows", "imageFromRows"],
    ]);
    // By rows or not, papers count the same.
    expect(nodes.map(multiplyAccumulates)).toEqual([0, 48 * 48 * 9 * 64, 0, 48 * 48 * 9 * 64, 0]);
  });

  test("is written over the state that it replaces", async () => {
    const x = input("state.x", [3]);
    expect([...overwritable({ "next.x": softsign(x) })]).toEqual(["next.x"]);
    const shape = [3] as const;
    const state = { x: { shape, data: Float32Array.of(-1, 0, 3) } };
    const program = await compile(node({ threads: 1 }), { state }, ({ state: { x } }) => ({
      state: { x: softsign(x) },
    }));
    for (let i = 0; i < 2; i++) await program.run({});
    expectClose(program.state.tensors().get("x")!.data, [-1 / 3, 0, 3 / 7], { rtol: 1e-6, what: "state" });
    await program.dispose();
  });
});
