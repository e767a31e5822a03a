/**
 * @module Where operations differ from PyTorch at the edges of their range, and why: the data that `op-edges.test.ts` holds
 * to, and that `docs/edges.md` lists. A gap that has closed fails the test as well as one that has opened.
 */

/** What a case gives: its value, or the gradients of its inputs. */
export type EdgePart = "value" | "gradient";

/** Elements of a case that are not PyTorch's. */
export interface EdgeGap {
  readonly cases: readonly string[];
  readonly parts: readonly EdgePart[];
  /** Which elements: the ones listed, or all. */
  readonly at: "all" | readonly number[];
  /** Whether ONNX Runtime and the reference differ there, too; otherwise they must agree. */
  readonly apart?: boolean;
  readonly reason: string;
}

/** Other than PyTorch. */
export const EDGE_GAPS: readonly EdgeGap[] = [
  {
    cases: ["resizeBilinear2d of NaN"],
    parts: ["value"],
    at: "all",
    reason:
      "Bilinear resizing is a matrix product, and 0 times NaN is NaN: one such pixel makes all of its rows so.",
  },
];

/** Coarser than the rounding of float32. */
export interface EdgeAllowance {
  readonly cases: readonly string[];
  readonly parts: readonly EdgePart[];
  /** Absolute error allowed. */
  readonly atol: number;
  readonly reason: string;
}

/** Elements that are PyTorch's to an absolute error. */
export const EDGE_ALLOWANCES: readonly EdgeAllowance[] = [
  {
    cases: ["silu"],
    parts: ["value", "gradient"],
    atol: 1e-6,
    reason: "ONNX Runtime's sigmoid for CPUs, in silu, is 0 below -18, and right to 1e-7 absolute before.",
  },
  {
    cases: ["tanh", "sigmoid", "gelu"],
    parts: ["gradient"],
    atol: 1e-6,
    reason:
      "PyTorch takes the gradient from a rounded result, which is near 1 there; the reference does not round.",
  },
  { cases: ["gelu"], parts: ["value"], atol: 1e-6, reason: "PyTorch's 1 + erf is 0 below -5.5 already." },
  {
    cases: ["standardize", "layerNorm", "batchNormTraining"],
    parts: ["value", "gradient"],
    atol: 5e-5,
    reason: "Differences of nearly equal numbers: PyTorch's own error, of a constant channel 3e-5.",
  },
];
