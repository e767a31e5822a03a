/**
 * @module Batch normalisation as a layer. What it learns is an affine, among the parameters; what it remembers are
 * running statistics, in a tree of their own that no optimiser touches. A pass over a network reads that tree and, in
 * training, gives the next one.
 */
import {
  add,
  type Affine,
  batchNormInference,
  batchNormTraining,
  full,
  GraphError,
  mul,
  type NdArray,
  Tensor,
  treeMap,
} from "onnxgrad";
import type { Params } from "./layers.ts";

/** Running mean and variance [c] of one normalisation. */
export interface BatchStatistics {
  readonly mean: NdArray;
  /** Unbiased: the sum of squares over m - 1, where the batch itself is normalised by the one over m. */
  readonly variance: NdArray;
}

/** Share of the batch in the next running statistics; the default of PyTorch. */
const MOMENTUM = 0.1;

/** The statistics before any batch: mean 0, variance 1. */
export function initBatchStatistics(channels: number): BatchStatistics {
  return { mean: full([channels], 0), variance: full([channels], 1) };
}

/** How a network is run: `training` normalises by the batch and updates the statistics, `inference` only reads them. */
export type Phase = "training" | "inference";

/** What a network with batch normalisation gives: its output and the running statistics after this pass. */
export interface Normalized<S> {
  readonly y: Tensor;
  readonly statistics: Params<S>;
}

/** Batch normalisation during one pass over a network. */
export interface BatchNormPass {
  /**
   * Normalises x [n, c, h, w] with epsilon 1e-5, then scales and shifts (Ioffe and Szegedy 2015).
   * @throws GraphError in training when a channel has but one value, n h w = 1.
   */
  normalize(affine: Affine, statistics: Params<BatchStatistics>, x: Tensor): Tensor;
  /** The tree of statistics after the pass: what each normalisation met is in its place, the rest as it was. */
  next<S>(statistics: S): S;
}

/** Starts a pass. Two passes over one network (real, then fake images) chain their statistics through `next`. */
export function batchNormPass(phase: Phase): BatchNormPass {
  const updates = new Map<Tensor, Tensor>();
  const update = (running: Tensor, batch: Tensor) =>
    updates.set(running, add(mul(running, 1 - MOMENTUM), mul(batch, MOMENTUM)));
  return {
    normalize(affine, statistics, x) {
      if (phase === "inference") return batchNormInference(x, affine, statistics);
      const count = x.size / x.shape[1]!;
      if (count < 2)
        throw new GraphError(
          `batchNorm: [${x.shape.join(",")}] has one value a channel, which has no variance. ` +
            `Train on larger batches or images, or run the network in phase inference.`,
        );
      const { y, mean, variance } = batchNormTraining(x, affine);
      update(statistics.mean, mean);
      update(statistics.variance, mul(variance, count / (count - 1)));
      return y;
    },
    next: <S>(statistics: S) =>
      treeMap(
        statistics,
        (value): value is Tensor => value instanceof Tensor,
        (running) => updates.get(running) ?? running,
      ) as S,
  };
}
