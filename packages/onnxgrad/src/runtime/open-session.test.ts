import { afterEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.ts";
import { valueAndGrad } from "../grad/gradients.ts";
import { square, sub } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { silu } from "../ops/elementary.ts";
import { batchNormTraining, groupNorm } from "../ops/normalization.ts";
import { mean } from "../ops/reduce.ts";
import { constant } from "../ops/source.ts";
import { adam, adamInit } from "../optim/adam.ts";
import { clipByGlobalNorm } from "../optim/clip.ts";
import { rng } from "../random/threefry.ts";
import { expectClose } from "../testing/expect-close.ts";
import { full, type NdArray } from "../trace/ndarray.ts";
import { pack } from "../trace/packed.ts";
import type { Tensor } from "../trace/tensor.ts";
import type { Backend } from "./backend.ts";
import { compile, type Program } from "./compile.ts";
import { node } from "./node/node.ts";
import { State } from "./state/state.ts";

const CHANNELS = 32;
const draw = (name: string, shape: readonly number[], scale = 1): NdArray => ({
  shape,
  data: rng(1, name)
    .fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)))
    .map((x) => x * scale),
});

const initial = () => {
  const params = pack({
    first: draw("first", [CHANNELS, 3, 3, 3], 0.2),
    second: draw("second", [CHANNELS, CHANNELS, 3, 3], 0.06),
    last: draw("last", [3, CHANNELS, 3, 3], 0.06),
    scale: full([CHANNELS], 1),
    shift: full([CHANNELS], 0),
  });
  return { params, adam: adamInit(params) };
};

type Norm = (x: Tensor, affine: { readonly scale: Tensor; readonly shift: Tensor }) => Tensor;

/** A step on a batch of `batch` images of 16 x 16, and the net's outputs. */
function compileStep(backend: Backend, batch: number, norm: Norm = (x, affine) => groupNorm(x, 4, affine)) {
  const state = new State(initial());
  const image = [batch, 3, 16, 16];
  return compile(backend, { state, inputs: { x: image, y: image, lr: [] } }, ({ state: given, x, y, lr }) => {
    const { value, grads, aux } = valueAndGrad((p: typeof given.params) => {
      const hidden = silu(norm(conv2d(x, p.first, { padding: 1 }), p));
      const out = conv2d(silu(conv2d(hidden, p.second, { padding: 1 })), p.last, { padding: 1 });
      return { loss: mean(square(sub(out, y))), out };
    })(given.params);
    const next = adam(given.params, clipByGlobalNorm(grads, 1).grads, given.adam, { lr });
    return { state: { params: next.params, adam: next.state }, loss: value, out: aux.out };
  });
}

const feeds = (batch: number) => ({
  x: draw("x", [batch, 3, 16, 16]).data,
  y: draw("y", [batch, 3, 16, 16]).data,
  lr: 1e-3,
});

type AnyProgram = Program<never, object, object>;
const open: AnyProgram[] = [];
afterEach(async () => {
  for (const program of open.splice(0)) await program.dispose();
});
const kept = async <P extends { dispose(): Promise<void> }>(program: Promise<P>): Promise<P> => {
  const made = await program;
  open.push(made as never);
  return made;
};

describe("shards", () => {
  test("train as one thread does: losses, outputs in order, and the state after five steps", async () => {
    const whole = await kept(compileStep(node({ threads: 1 }), 16));
    const split = await kept(compileStep(node({ threads: 1, shards: 2 }), 16));
    expect(whole.stats.shards).toBe(1);
    expect(split.stats.shards).toBe(2);
    for (let step = 0; step < 5; step++) {
      const expected = await whole.run(feeds(16));
      const got = await split.run(feeds(16));
      expectClose(got.loss, expected.loss, { rtol: 1e-5, atol: 0, what: `loss of step ${step}` });
      expectClose(got.out, expected.out, { rtol: 1e-3, atol: 1e-4, what: `outputs of step ${step}` });
    }
    const { params } = split.state.tree();
    // Adam divides by the root of the second moment: where a gradient is near 0, rounding moves a parameter visibly.
    expectClose(params.data, whole.state.tree().params.data, { rtol: 1e-2, atol: 2e-4, what: "parameters" });
  });

  test("need no rest where their outputs are joined, as at inference", async () => {
    const backend = node({ threads: 1, shards: 2 });
    let sessions = 0;
    const counted: Backend = {
      ...backend,
      createSession: (model) => (sessions++, backend.createSession(model)),
    };
    const weight = draw("weight", [64, 3, 5, 5], 0.1);
    const infer = (on: Backend) =>
      compile(on, { inputs: { x: [16, 3, 32, 32] } }, ({ x }) => {
        const y = silu(conv2d(x, constant(weight.data, weight.shape), { padding: 2 }));
        return { y, mean: mean(y, [1, 2, 3]) };
      });
    const [split, whole] = [await kept(infer(counted)), await kept(infer(node({ threads: 1 })))];
    expect([split.stats.shards, sessions]).toEqual([2, 0]);
    const x = draw("x", [16, 3, 32, 32]).data;
    const [got, expected] = [await split.run({ x }), await whole.run({ x })];
    expectClose(got.y, expected.y, { rtol: 1e-6, atol: 1e-6 });
    expectClose(got.mean, expected.mean, { rtol: 1e-6, atol: 1e-6 });
  });

  test("are repeatable to the bit", async () => {
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const program = await kept(compileStep(node({ threads: 1, shards: 2 }), 16));
      for (let step = 0; step < 3; step++) await program.run(feeds(16));
      runs.push(Buffer.from(program.state.tree().params.data.buffer).toString("base64"));
    }
    expect(runs[0]).toBe(runs[1]);
  });

  test("are not used for little work, nor where statistics need the whole batch", async () => {
    const backend = node({ threads: 1, shards: 2 });
    expect((await kept(compileStep(backend, 2))).stats.shards).toBe(1);
    const batchNorm: Norm = (x, affine) => batchNormTraining(x, affine).y;
    expect((await kept(compileStep(backend, 16, batchNorm))).stats.shards).toBe(1);
    expect((await kept(compileStep(backend, 15))).stats.shards).toBe(1);
  });

  test("share a state with other programs, and compile again after the last was disposed", async () => {
    const backend = node({ threads: 1, shards: 2 });
    const first = await compileStep(backend, 16);
    await first.run(feeds(16));
    await first.dispose();
    const second = await kept(compileStep(backend, 16));
    const before = (await second.run(feeds(16))).loss[0]!;
    const forward = await kept(
      compile(backend, { state: second.state, inputs: { lr: [] } }, ({ state, lr }) => ({
        sum: mean(square(sub(state.params.first, lr))),
      })),
    );
    await Promise.all([second.run(feeds(16)), forward.run({ lr: 0 }), second.run(feeds(16))]);
    expect((await second.run(feeds(16))).loss[0]).toBeLessThan(before);
  });

  test("a model that ONNX Runtime refuses is refused with its words", async () => {
    const { shards } = node({ threads: 1, shards: 2 });
    const garbage = { model: new Uint8Array([1, 2, 3]), inputs: [], outputs: [] };
    await expect(shards!.open([garbage, garbage])).rejects.toThrow(/protobuf|model/i);
  });

  test.each([0, 1.5, -1])("shards: %f is refused", (shards) => {
    expect(() => node({ shards })).toThrow(UserError);
  });
});
