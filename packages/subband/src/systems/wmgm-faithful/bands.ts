/**
 * @module The bands of the released WMGM: how its generator turns a low band and noise into the next finer image, and
 * what becomes of the coarsest low band on its way through 8-bit files.
 */
import { concat, div, mul, type Tensor } from "onnxgrad";
import {
  attentionUnet,
  type AttentionUnetParams,
  type AttentionUnetStatistics,
} from "../../nn/attention-unet.ts";
import type { Phase } from "../../nn/batch-norm.ts";
import type { Params } from "../../nn/layers.ts";
import { haarSynthesis } from "../../wavelet/graph.ts";
import { RELEASED_DEFECTS, type WmgmDefects } from "./defects.ts";

/** The networks' side of one refinement. */
export interface FaithfulGenerator {
  readonly params: Params<AttentionUnetParams>;
  readonly statistics: Params<AttentionUnetStatistics>;
  readonly phase: Phase;
}

/** What one refinement gives. */
export interface Refined {
  /** x_{j-1}: [n, c, 2h, 2w], in [0, 2^(j-1)] for true bands. */
  readonly image: Tensor;
  /** Detail bands [n, 3c, h, w]; see `haarAnalysis`. */
  readonly detail: Tensor;
  readonly statistics: Params<AttentionUnetStatistics>;
}

/**
 * x_{j-1} = IDWT(LL_j, G(LL_j, z)): refines the low band of level j (1 the finest), [n, c, h, w] in [0, 2^j], with noise
 * z ~ N(0, 1) of its shape. One generator serves all levels.
 * @throws GraphError unless h and w are multiples of 16.
 */
export function refine(
  { params, statistics, phase }: FaithfulGenerator,
  low: Tensor,
  noise: Tensor,
  level: number,
  { unscaledBands }: WmgmDefects = RELEASED_DEFECTS,
): Refined {
  const seen = unscaledBands ? low : div(low, 2 ** level);
  const { y, statistics: next } = attentionUnet(params, statistics, concat([seen, noise], 1), phase);
  const detail = unscaledBands ? y : mul(y, 2 ** (level - 1));
  return { image: haarSynthesis(low, detail), detail, statistics: next };
}

/** Least and greatest value of the coarsest low band over the training set. */
export interface LowRange {
  readonly least: number;
  readonly greatest: number;
}

/**
 * The low band of `levels` analyses as sampling would meet it after training on files: mapped from its range to
 * 0..255, rounded, and multiplied back by 2^levels / 255. With the repair, a copy.
 */
export function storedLow(
  low: Float32Array,
  { least, greatest }: LowRange,
  levels: number,
  { eightBitLow }: WmgmDefects = RELEASED_DEFECTS,
): Float32Array {
  if (!eightBitLow) return low.slice();
  const steps = 255 / (greatest - least);
  return low.map(
    (v) => (2 ** levels * Math.floor(Math.min(Math.max((v - least) * steps + 0.5, 0), 255))) / 255,
  );
}
