/** @module Network calls of a chain as they are told: on the low band, which the first step draws, and for the details. */

/** Calls of the first step, and of all others together. */
export function networkCalls(calls: readonly number[]): {
  readonly nfeLow: number;
  readonly nfeDetail: number;
} {
  const [nfeLow = 0, ...others] = calls;
  return { nfeLow, nfeDetail: others.reduce((a, b) => a + b, 0) };
}
