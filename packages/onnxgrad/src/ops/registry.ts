/** @module Every operation: what the tables of tests and of what providers support enumerate. */
import { addOp, divOp, maximumOp, minimumOp, mulOp, subOp } from "./arithmetic.ts";
import {
  absOp,
  cosOp,
  erfOp,
  expOp,
  leakyReluOp,
  logOp,
  powOp,
  reluOp,
  roundOp,
  sigmoidOp,
  signOp,
  siluOp,
  sinOp,
  slopesOp,
  softplusOp,
  sqrtOp,
  tanhOp,
} from "./elementary.ts";
import { broadcastToOp, sumOp } from "./sum.ts";
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
import { gatherOp, scatterAddOp } from "./gather.ts";
import { matmulOp } from "./matmul.ts";
import { normOp } from "./norm.ts";
import { standardizeOp } from "./normalization.ts";
import { avgPool2dOp, maxPool2dOp, upsampleNearest2dOp } from "./pool.ts";
import { maxOp, meanOp, minOp } from "./reduce.ts";
import { reshapeOp, transposeOp } from "./reshape.ts";
import { concatOp, splitOp } from "./concat.ts";
import { sliceOp, unsliceOp } from "./slice.ts";
import { softmaxOp } from "./softmax.ts";
import { constantOp, inputOp } from "./source.ts";
import type { OpDefinition } from "./define-op.ts";

/** All operations, in the order of the tables. What only passes make (conv-winograd.ts) is not among them. */
export const registry: readonly OpDefinition<never>[] = [
  inputOp,
  constantOp,
  addOp,
  subOp,
  mulOp,
  divOp,
  powOp,
  maximumOp,
  minimumOp,
  clampOp,
  equalOp,
  lessOp,
  greaterOp,
  lessEqualOp,
  greaterEqualOp,
  castOp,
  whereOp,
  oneHotOp,
  stopGradientOp,
  expOp,
  logOp,
  sqrtOp,
  absOp,
  signOp,
  roundOp,
  sinOp,
  cosOp,
  tanhOp,
  sigmoidOp,
  erfOp,
  reluOp,
  softplusOp,
  siluOp,
  leakyReluOp,
  slopesOp,
  sumOp,
  meanOp,
  maxOp,
  minOp,
  normOp,
  matmulOp,
  conv2dOp,
  conv2dInputGradOp,
  conv2dWeightGradOp,
  maxPool2dOp,
  avgPool2dOp,
  upsampleNearest2dOp,
  reshapeOp,
  transposeOp,
  broadcastToOp,
  sliceOp,
  unsliceOp,
  concatOp,
  splitOp,
  gatherOp,
  scatterAddOp,
  softmaxOp,
  standardizeOp,
  channelMomentsOp,
  channelAffineOp,
];
