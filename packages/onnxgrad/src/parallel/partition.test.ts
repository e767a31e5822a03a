import { describe, expect, test } from "vitest";
import { valueAndGrad, gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { add, mul, square, sub } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { leakyRelu, silu } from "../ops/elementary.ts";
import { batchNormTraining, groupNorm } from "../ops/normalization.ts";
import { mean } from "../ops/reduce.ts";
import { sum } from "../ops/sum.ts";
import { concat } from "../ops/concat.ts";
import { narrow } from "../ops/slice.ts";
import { input } from "../ops/source.ts";
import { adam } from "../optim/adam.ts";
import { clipByGlobalNorm } from "../optim/clip.ts";
import { flatten } from "../optim/flat.ts";
import { optimize } from "../passes/optimize.ts";
import { verify } from "../passes/verify.ts";
import { rng } from "../random/threefry.ts";
import { expectClose } from "../testing/expect-close.ts";
import { type GraphNode, reachable, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { partition, type Partition } from "./partition.ts";
import { localShape } from "../ops/placement.ts";

const BATCH = 4;
const isBatched = (name: string) => name.startsWith("in.");

type Net = { readonly a: Tensor; readonly b: Tensor; readonly scale: Tensor; readonly shift: Tensor };

const params = (): Net => ({
  a: input("state.a", [4, 2, 3, 3]),
  b: input("state.b", [1, 4, 3, 3]),
  scale: input("state.scale", [4]),
  shift: input("state.shift", [4]),
});

const net = ({ a, b, scale, shift }: Net, x: Tensor): Tensor => {
  const hidden = silu(groupNorm(conv2d(x, a, { padding: 1 }), 2, { scale, shift }));
  return conv2d(leakyRelu(hidden, 0.2), b, { padding: 1 });
};

/** The value of every input of a graph. */
function draw(outputs: readonly Tensor[]): Record<string, Float64Array> {
  const inputs = reachable(outputs).filter(({ op }) => op.name === "input");
  return Object.fromEntries(
    inputs.map(({ attrs, outputs: [x] }) => {
      const { name } = attrs as { name: string };
      const random = rng(1, name);
      // Adam's second moment is not negative.
      return [
        name,
        Float64Array.from({ length: x!.size }, () =>
          name === "state.v" ? random.uniform() : random.normal(),
        ),
      ];
    }),
  );
}

/** Rows of an input that shard i has. */
function cut(values: Float64Array, shape: Shape, blocks: number, k: number, i: number): Float64Array {
  const row = sizeOf(shape.slice(1));
  const unit = shape[0]! / blocks;
  const rows = Array.from({ length: blocks }, (_, block) => {
    const start = (block * unit + (i * unit) / k) * row;
    return [...values.subarray(start, start + (unit / k) * row)];
  });
  return Float64Array.from(rows.flat());
}

/** Runs a partition in float64: the shards, then the rest. */
function run(
  { shards, rest, inputs }: Partition,
  values: Record<string, Float64Array>,
  shapes: ReadonlyMap<string, Shape>,
) {
  const crossed: Record<string, Float64Array> = {};
  shards.forEach((shard, i) => {
    const local = { ...values };
    for (const [name, { blocks }] of inputs)
      local[name] = cut(values[name]!, shapes.get(name)!, blocks, shards.length, i);
    verify(Object.values(shard));
    interpret(Object.values(shard), local).forEach(
      ({ data }, n) => (crossed[`shard${i}.${Object.keys(shard)[n]!}`] = data),
    );
  });
  verify(rest);
  return interpret(rest, { ...values, ...crossed });
}

const shapesOf = (nodes: readonly GraphNode[]): Map<string, Shape> =>
  new Map(
    nodes
      .filter(({ op }) => op.name === "input")
      .map(({ attrs, outputs: [x] }) => [(attrs as { name: string }).name, x!.shape]),
  );

/** The partition, after checking that it computes what the whole does. */
function check(label: string, whole: readonly Tensor[], k: number): Partition {
  const outputs = optimize(whole);
  const values = draw(outputs);
  const expected = interpret(outputs, values);
  const found = partition(outputs, k, isBatched);
  if (found === undefined) throw new Error(`${label}: no partition`);
  run(found, values, shapesOf(reachable(outputs))).forEach(({ shape, data }, i) => {
    expect(shape).toEqual(outputs[i]!.shape);
    expectClose(data, expected[i]!.data, {
      rtol: 1e-9,
      atol: 1e-9,
      what: `${label}, ${k} shards: output ${i}`,
    });
  });
  return found;
}

/** A step of Adam on the clipped gradient of `loss`. */
function step(loss: (p: Net) => Tensor): Tensor[] {
  const p = params();
  const { value, grads } = valueAndGrad(loss)(p);
  const n = flatten(p).size;
  const clipped = clipByGlobalNorm(grads, 0.1);
  const next = adam(
    p,
    clipped.grads,
    { m: input("state.m", [n]), v: input("state.v", [n]), step: input("state.step", []) },
    { lr: input("in.lr", []) },
  );
  return [value, clipped.norm, flatten(next.params), next.state.m, next.state.v];
}

describe("partition", () => {
  const image: Shape = [BATCH, 2, 4, 4];

  test.each([2, 4])(
    "a training step in %i shards: networks in the shards, clipping and Adam in the rest",
    (k) => {
      const x = input("in.x", image);
      const found = check(
        "step",
        step((p) => mean(square(sub(net(p, x), narrow(x, 1, 0, 1))))),
        k,
      );
      expect(found.cost.rest).toBe(0);
      expect(found.cost.shards).toBeGreaterThan(0);
      // The gradient crosses once, and the loss.
      expect(Object.values(found.shards[0]!).map(({ shape }) => shape)).toEqual([[4 * 18 + 36 + 8], []]);
      expect([...found.inputs.keys()]).toEqual(["in.x"]);
      expect(localShape(image, found.inputs.get("in.x")!, k)).toEqual([BATCH / k, 2, 4, 4]);
    },
  );

  test("batches that are joined and cut again, of one and two draws an image", () => {
    const x = input("in.x", image);
    const noise = input("in.noise", [2 * BATCH, 2, 4, 4]);
    const found = check(
      "joined",
      step((p) => {
        const both = net(p, add(concat([x, x], 0), noise));
        const first = narrow(both, 0, 0, BATCH);
        const second = narrow(both, 0, BATCH, BATCH);
        return sub(mean(square(first)), mul(mean(square(sub(first, second))), 0.5));
      }),
      2,
    );
    expect(found.cost.rest).toBe(0);
    expect(found.inputs.get("in.noise")).toEqual({ kind: "sharded", axis: 0, blocks: 2 });
  });

  test("a penalty on gradients (second order)", () => {
    const x = input("in.x", image);
    const found = check(
      "R1",
      step((p) => {
        const scores = net(p, x);
        const [dx] = gradients(sum(scores), [x]);
        return add(mean(scores), mul(sum(square(dx!)), 1 / BATCH));
      }),
      2,
    );
    expect(found.cost.rest).toBe(0);
  });

  test("statistics over the batch belong to the rest, and are exact", () => {
    const x = input("in.x", image);
    const found = check(
      "batch norm",
      step((p) => {
        const hidden = conv2d(x, p.a, { padding: 1 });
        return mean(square(conv2d(batchNormTraining(hidden, p).y, p.b, { padding: 1 })));
      }),
      2,
    );
    expect(found.cost.rest).toBeGreaterThan(0);
    expect(found.cost.shards).toBeGreaterThan(0);
  });

  test("outputs with a batch are put together in order", () => {
    const x = input("in.x", image);
    const found = check("forward", [net(params(), x), net(params(), concat([x, x], 0))], 2);
    expect(found.cost.rest).toBe(0);
  });

  test("there is none without a batch that the shards divide", () => {
    expect(partition([mean(square(input("in.x", [3, 2])))], 2, isBatched)).toBeUndefined();
    expect(partition([mean(square(input("state.x", [4, 2])))], 2, isBatched)).toBeUndefined();
  });
});
