/** @module Every operation by name: what the op-table tests, the support table and the importers of graphs enumerate. */
import { addOp, divOp, maximumOp, minimumOp, mulOp, powOp, subOp } from "./arithmetic.ts";
import { broadcastToOp } from "./broadcast.ts";
import { channelAffineOp, channelMomentsOp } from "./channels.ts";
import { clampOp } from "./clamp.ts";
import {
  castOp,
  equalOp,
  greaterEqualOp,
  greaterOp,
  lessEqualOp,
  lessOp,
  oneHotOp,
  stopGradientOp,
  whereOp,
} from "./compare.ts";
import { conv2dInputGradOp, conv2dOp, conv2dWeightGradOp } from "./conv.ts";
import {
  absOp,
  cosOp,
  erfOp,
  expOp,
  leakyReluOp,
  logOp,
  reluOp,
  roundOp,
  sigmoidOp,
  signOp,
  siluOp,
  slopesOp,
  sinOp,
  softplusOp,
  sqrtOp,
  tanhOp,
} from "./elementary.ts";
import { gatherOp, scatterAddOp } from "./gather.ts";
import { matmulOp } from "./matmul.ts";
import { normOp } from "./norm.ts";
import { standardizeOp } from "./normalization.ts";
import { avgPool2dOp, maxPool2dOp, upsampleNearest2dOp } from "./pool.ts";
import { maxOp, meanOp, minOp, sumOp } from "./reduce.ts";
import { reshapeOp, transposeOp } from "./reshape.ts";
import { concatOp, sliceOp, splitOp, unsliceOp } from "./slice.ts";
import { softmaxOp } from "./softmax.ts";
import { constantOp, inputOp } from "./source.ts";
import type { OpDefinition } from "./define-op.ts";

/** The name of an operation. */
export type OpName =
  | "input"
  | "constant"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "pow"
  | "maximum"
  | "minimum"
  | "clamp"
  | "equal"
  | "less"
  | "greater"
  | "lessEqual"
  | "greaterEqual"
  | "cast"
  | "where"
  | "oneHot"
  | "stopGradient"
  | "exp"
  | "log"
  | "sqrt"
  | "abs"
  | "sign"
  | "round"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "relu"
  | "softplus"
  | "silu"
  | "leakyRelu"
  | "slopes"
  | "sum"
  | "mean"
  | "max"
  | "min"
  | "norm"
  | "matmul"
  | "conv2d"
  | "conv2dInputGrad"
  | "conv2dWeightGrad"
  | "maxPool2d"
  | "avgPool2d"
  | "upsampleNearest2d"
  | "reshape"
  | "transpose"
  | "broadcastTo"
  | "slice"
  | "unslice"
  | "concat"
  | "split"
  | "gather"
  | "scatterAdd"
  | "softmax"
  | "standardize"
  | "channelMoments"
  | "channelAffine";

/** All operations, by their names: leaving one out does not compile. */
export const registry: { readonly [K in OpName]: OpDefinition<never> } = {
  input: inputOp,
  constant: constantOp,
  add: addOp,
  sub: subOp,
  mul: mulOp,
  div: divOp,
  pow: powOp,
  maximum: maximumOp,
  minimum: minimumOp,
  clamp: clampOp,
  equal: equalOp,
  less: lessOp,
  greater: greaterOp,
  lessEqual: lessEqualOp,
  greaterEqual: greaterEqualOp,
  cast: castOp,
  where: whereOp,
  oneHot: oneHotOp,
  stopGradient: stopGradientOp,
  exp: expOp,
  log: logOp,
  sqrt: sqrtOp,
  abs: absOp,
  sign: signOp,
  round: roundOp,
  sin: sinOp,
  cos: cosOp,
  tanh: tanhOp,
  sigmoid: sigmoidOp,
  erf: erfOp,
  relu: reluOp,
  softplus: softplusOp,
  silu: siluOp,
  leakyRelu: leakyReluOp,
  slopes: slopesOp,
  sum: sumOp,
  mean: meanOp,
  max: maxOp,
  min: minOp,
  norm: normOp,
  matmul: matmulOp,
  conv2d: conv2dOp,
  conv2dInputGrad: conv2dInputGradOp,
  conv2dWeightGrad: conv2dWeightGradOp,
  maxPool2d: maxPool2dOp,
  avgPool2d: avgPool2dOp,
  upsampleNearest2d: upsampleNearest2dOp,
  reshape: reshapeOp,
  transpose: transposeOp,
  broadcastTo: broadcastToOp,
  slice: sliceOp,
  unslice: unsliceOp,
  concat: concatOp,
  split: splitOp,
  gather: gatherOp,
  scatterAdd: scatterAddOp,
  softmax: softmaxOp,
  standardize: standardizeOp,
  channelMoments: channelMomentsOp,
  channelAffine: channelAffineOp,
};
