/** @module The Frechet distance of two sets of features: that of the Gaussians with their means and covariances. */
import { UserError } from "onnxgrad";
import { type CholeskyFactor, choleskyFactor } from "../../linear-algebra/cholesky.ts";
import { traceSqrtOfFactors } from "../../linear-algebra/trace-sqrt.ts";
import type { Metric } from "./metric.ts";
import { covariance, type Moments, moments } from "./moments.ts";

/**
 * `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2)` (Dowson and Landau 1982; Heusel et al. 2017, with Inception's features "FID").
 * Fewer rows than features are no obstacle, but the distance of a finite set is too large by about b / n: compare sets of equal
 * size, or extrapolate (`extrapolatedFrechet`).
 * @throws UserError `metric/size` for different features, `metric/few` for fewer than two rows.
 */
export function frechetDistance(a: Moments, b: Moments): number {
  return frechetTo(b)(a);
}

/** {@link frechetDistance} to a reference whose work is done once. */
export function frechetTo(reference: Moments): (moments: Moments) => number {
  const d = reference.dimensions;
  const factored = factoredMoments(reference);
  return (each) => {
    if (each.dimensions !== d)
      throw new UserError(
        "metric/size",
        `Moments of ${each.dimensions} and of ${d} features have no distance: use the same features for both.`,
      );
    const own = factoredMoments(each);
    let apart = own.trace + factored.trace - 2 * traceSqrtOfFactors(own.factor, factored.factor, d);
    for (let i = 0; i < d; i++) apart += (each.mean[i]! - reference.mean[i]!) ** 2;
    return Math.max(0, apart);
  };
}

/** {@link frechetDistance} to `reference`, as a figure that is counted in parts. */
export function frechet(reference: Moments): Metric<Moments, number> {
  const { start, add, merge, encode, decode } = moments(reference.dimensions);
  let distance: ((moments: Moments) => number) | undefined;
  return {
    start,
    add,
    merge,
    encode,
    decode,
    result: (state) => (distance ??= frechetTo(reference))(state),
  };
}

function factoredMoments(of: Moments): { readonly trace: number; readonly factor: CholeskyFactor } {
  const d = of.dimensions;
  const matrix = covariance(of);
  let trace = 0;
  for (let i = 0; i < d; i++) trace += matrix[i * d + i]!;
  return { trace, factor: choleskyFactor(matrix, d) };
}
