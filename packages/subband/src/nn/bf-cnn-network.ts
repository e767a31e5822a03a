/**
 * @module A trained bias-free CNN as plain arrays, from wherever it was stored: what its shapes say about its size, and
 * whether its numbers can be used.
 */
import { type NdArray, type Shape, UserError } from "onnxgrad";
import { requireFinite } from "./finite-weights.ts";
import type { BfCnnConfig, BfCnnParams, BfCnnStatistics } from "./bf-cnn.ts";

/** A trained network: all that inference and further training need. */
export interface BfCnnNetwork {
  readonly params: BfCnnParams;
  readonly statistics: BfCnnStatistics;
}

/** Arrays of which only the shapes matter. */
type Shapes = readonly { readonly shape: Shape }[];

/** The arrays of a network, their values perhaps still unread. */
export interface BfCnnShapes {
  readonly weights: Shapes;
  readonly gains: Shapes;
  readonly deviations: Shapes;
}

/**
 * The size of the network whose arrays have these shapes.
 * @throws UserError `nn/bf-cnn` when they are not those of a bias-free CNN, naming the first that does not fit.
 */
export function configOf({ weights, gains, deviations }: BfCnnShapes): BfCnnConfig {
  const last = weights.length - 1;
  const width = weights[0]?.shape[0] ?? 0;
  if (last < 1 || gains.length !== last - 1 || deviations.length !== last - 1)
    throw unfit(
      `${weights.length} convolutions with ${gains.length} gains and ${deviations.length} deviations; all convolutions ` +
        `but the first and the last have one of each`,
    );
  for (const [l, { shape }] of weights.entries()) {
    const [to, from, rows, columns] = shape;
    const fits = (l === 0 || from === width) && (l === last || to === width) && rows === columns;
    if (shape.length !== 4 || shape.includes(0) || !fits || rows! % 2 === 0)
      throw unfit(
        `weight ${l} is [${shape.join(",")}]; the width is ${width}, and kernels are square with an odd side`,
      );
  }
  for (const [what, list] of Object.entries({ gain: gains, deviation: deviations }))
    for (const [i, { shape }] of list.entries())
      if (shape.length !== 1 || shape[0] !== width)
        throw unfit(`${what} ${i} is [${shape.join(",")}]; the width is ${width}`);
  return {
    inputs: weights[0]!.shape[1]!,
    outputs: weights[last]!.shape[0]!,
    kernels: weights.map(({ shape }) => shape[2]!),
    width,
  };
}

/**
 * The size of a network whose numbers are fit for use: finite, deviations positive.
 * @throws UserError `nn/bf-cnn` as {@link configOf}; `nn/not-finite`.
 */
export function checkedConfigOf({ params, statistics }: BfCnnNetwork): BfCnnConfig {
  const config = configOf({ ...params, ...statistics });
  const { deviations } = statistics;
  const named = Object.entries({ ...params, deviations }).flatMap(([kind, arrays]) =>
    (arrays as readonly NdArray[]).map((array, i) => [`${kind}.${i}`, array] as const),
  );
  requireFinite(named);
  if (!deviations.every(({ data }) => data.every((value) => value > 0)))
    throw new UserError(
      "nn/not-finite",
      "running deviations that are not positive: this network is damaged.",
    );
  return config;
}

function unfit(why: string): UserError {
  return new UserError("nn/bf-cnn", `not a bias-free CNN: ${why}.`);
}
