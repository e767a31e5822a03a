/** @module Householder reflections, by which matrices are brought to tridiagonal and bidiagonal form. */

/**
 * The reflection `H = I - factor v v^T` with `H x = (value, 0, ..., 0)` of x = values[from..to). x becomes v, whose first
 * entry is 1; `factor` is 0, and H the identity, where all but the first of x are 0 already.
 */
export function reflect(values: Float64Array, from: number, to: number): { value: number; factor: number } {
  const first = values[from]!;
  let tail = 0;
  for (let i = from + 1; i < to; i++) tail += values[i]! * values[i]!;
  values[from] = 1;
  if (tail === 0) return { value: first, factor: 0 };
  const norm = Math.sqrt(first * first + tail);
  const value = first > 0 ? -norm : norm;
  for (let i = from + 1; i < to; i++) values[i]! /= first - value;
  return { value, factor: (value - first) / value };
}

/** `values` by a power of two so that the largest is between 1 and 2, and that power: squares neither overflow nor vanish. */
export function normalised(values: Float64Array): { scaled: Float64Array; unit: number } {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return { scaled: values.slice(), unit: 1 };
  const unit = 2 ** Math.floor(Math.log2(largest));
  return { scaled: values.map((value) => value / unit), unit };
}
