/** @module The one numeric assertion of the project's tests: says which element is worst, by how much, and how many fail. */

/** What {@link expectClose} allows: |got - want| <= atol + rtol * |want|. */
export interface Tolerance {
  readonly rtol?: number;
  readonly atol?: number;
  /** Prefix of the failure message: name every grid coordinate here. */
  readonly what?: string;
}

/**
 * Asserts that two flat arrays agree element by element within the tolerance (defaults rtol 1e-5, atol 1e-6).
 * @throws Error naming the worst element, its index, both values and the count out of tolerance.
 */
export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: Tolerance = {},
): void {
  const { rtol = 1e-5, atol = 1e-6, what = "" } = tolerance;
  const label = what === "" ? "" : `${what}: `;
  if (got.length !== want.length) throw new Error(`${label}length ${got.length}, expected ${want.length}`);
  let bad = 0;
  let worst = -1;
  let worstExcess = 0;
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i]! - want[i]!);
    const same = Object.is(got[i], want[i]) || got[i] === want[i];
    const excess = same ? -1 : difference - (atol + rtol * Math.abs(want[i]!));
    if (excess > 0 || Number.isNaN(excess)) {
      bad++;
      if (worst < 0 || Number.isNaN(excess) || excess > worstExcess) {
        worst = i;
        worstExcess = excess;
      }
    }
  }
  if (bad === 0) return;
  throw new Error(
    `${label}${bad} of ${got.length} elements out of tolerance (rtol ${rtol}, atol ${atol}); ` +
      `worst at [${worst}]: got ${got[worst]}, expected ${want[worst]}, ` +
      `difference ${Math.abs(got[worst]! - want[worst]!).toExponential(3)}`,
  );
}
