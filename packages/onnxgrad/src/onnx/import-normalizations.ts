/** @module Rules of `import-rules.ts` for normalisations, as at inference. */
import { add, mul, sub } from "../ops/arithmetic.ts";
import { pow } from "../ops/elementary.ts";
import { layerNorm } from "../ops/normalization.ts";
import { reshape } from "../ops/reshape.ts";
import type { Tensor } from "../trace/tensor.ts";
import { axisOf, type ImportContext, requireShape, requireWithin, type Rule } from "./import-node.ts";

/** One value a channel, spread over [n,c,...]. */
const perChannel = (t: Tensor, rank: number): Tensor =>
  reshape(t, [1, t.size, ...new Array<number>(rank - 2).fill(1)]);

function requireChannels(node: ImportContext, atLeast: number): readonly [x: Tensor, channels: number] {
  const x = node.input(0);
  return x.rank >= atLeast
    ? [x, x.shape[1]!]
    : node.fail(`input 0 [${x.shape.join(",")}] has fewer than ${atLeast} dimensions`);
}

export const batchNormRule: Rule = (node) => {
  if (node.int("training_mode", 0) !== 0 || node.outputs > 1) node.fail("training mode is not supported");
  if (node.int("spatial", 1) !== 1) node.fail('attribute "spatial" other than 1 is not supported');
  const [x, channels] = requireChannels(node, 2);
  const [scale, shift, average, variance] = [1, 2, 3, 4].map((i) => requireShape(node, i, [channels])) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const factor = mul(scale, pow(add(variance, node.float("epsilon", 1e-5)), -0.5));
  return add(mul(x, perChannel(factor, x.rank)), perChannel(sub(shift, mul(average, factor)), x.rank));
};

export const instanceNormRule: Rule = (node) => {
  const [x, channels] = requireChannels(node, 3);
  const [scale, shift] = [requireShape(node, 1, [channels]), requireShape(node, 2, [channels])];
  const rows = layerNorm(reshape(x, [x.shape[0]!, channels, -1]), undefined, node.float("epsilon", 1e-5));
  return add(mul(reshape(rows, x.shape), perChannel(scale, x.rank)), perChannel(shift, x.rank));
};

/** All axes from the given one on are standardised together. */
export const layerNormRule: Rule = (node) => {
  const x = node.input(0);
  const axis = axisOf(node, node.int("axis", -1), x.rank);
  const within = x.shape.slice(axis);
  const rows = layerNorm(
    reshape(x, [...x.shape.slice(0, axis), within.reduce((a, b) => a * b, 1)]),
    undefined,
    node.float("epsilon", 1e-5),
  );
  const y = mul(reshape(rows, x.shape), requireWithin(node, 1, x.shape));
  return node.inputs[2] === undefined ? y : add(y, requireWithin(node, 2, x.shape));
};
