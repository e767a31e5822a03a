/**
 * @module How a signal is continued beyond its ends: the nine boundary modes of PyWavelets. Each is a closed form for
 * the value at any index, however far outside, so that signals shorter than the filter need no special case.
 */
import { unknownName } from "onnxgrad";

/**
 * The continuation of `a b c d` to the left and right:
 *
 * | mode | left | samples | right |
 * |---|---|---|---|
 * | zero | 0 0 | a b c d | 0 0 |
 * | constant | a a | a b c d | d d |
 * | symmetric | b a | a b c d | d c |
 * | reflect | c b | a b c d | c b |
 * | periodic | c d | a b c d | a b |
 * | smooth | straight line through the last two samples of each end |||
 * | antisymmetric | -b -a | a b c d | -d -c |
 * | antireflect | 2a-c 2a-b | a b c d | 2d-c 2d-b |
 * | periodization | as periodic, after repeating the last sample of an odd length; the only mode with ceil(n/2) coefficients |||
 */
export type BoundaryMode =
  | "zero"
  | "constant"
  | "symmetric"
  | "periodic"
  | "smooth"
  | "periodization"
  | "reflect"
  | "antisymmetric"
  | "antireflect";

/** The value at index `i` (any integer) of the continuation of the `n` >= 1 samples `x[first + 0..n-1]`. */
type Continuation = (x: ArrayLike<number>, first: number, n: number, i: number) => number;

const CONTINUATIONS: Readonly<Record<BoundaryMode, Continuation>> = {
  zero: (x, first, n, i) => (i >= 0 && i < n ? x[first + i]! : 0),
  constant: (x, first, n, i) => x[first + Math.min(Math.max(i, 0), n - 1)]!,
  symmetric: (x, first, n, i) => {
    const m = modulo(i, 2 * n);
    return x[first + (m < n ? m : 2 * n - 1 - m)]!;
  },
  periodic: (x, first, n, i) => x[first + modulo(i, n)]!,
  smooth: (x, first, n, i) => {
    if (n === 1) return x[first]!;
    const last = first + n - 1;
    if (i < 0) return x[first]! + i * (x[first + 1]! - x[first]!);
    if (i >= n) return x[last]! + (i - n + 1) * (x[last]! - x[last - 1]!);
    return x[first + i]!;
  },
  periodization: (x, first, n, i) => x[first + Math.min(modulo(i, n + (n % 2)), n - 1)]!,
  reflect: (x, first, n, i) => {
    if (n === 1) return x[first]!;
    const period = 2 * n - 2;
    const m = modulo(i, period);
    return x[first + (m < n ? m : period - m)]!;
  },
  antisymmetric: (x, first, n, i) => {
    const m = modulo(i, 2 * n);
    return m < n ? x[first + m]! : -x[first + 2 * n - 1 - m]!;
  },
  antireflect: (x, first, n, i) => {
    if (n === 1) return x[first]!;
    const period = 2 * n - 2;
    const m = modulo(i, period);
    const last = x[first + n - 1]!;
    const rise = 2 * (last - x[first]!); // what the continuation gains over one period
    const base = m < n ? x[first + m]! : 2 * last - x[first + period - m]!;
    return base + Math.floor(i / period) * rise;
  },
};

/** Names of all boundary modes, in PyWavelets' order. */
export const BOUNDARY_MODES: readonly BoundaryMode[] = Object.freeze(
  Object.keys(CONTINUATIONS) as BoundaryMode[],
);

/**
 * The boundary mode of that name, for names that come from outside.
 * @throws UserError `unknown/boundary-mode`, with the nearest name, when there is none.
 */
export function boundaryMode(name: string): BoundaryMode {
  const known = BOUNDARY_MODES.find((mode) => mode === name);
  if (known === undefined) throw unknownName("boundary mode", name, BOUNDARY_MODES);
  return known;
}

/**
 * Fills the ends of `buffer` with the continuation of the `n` samples that stand at `buffer[first..first+n-1]`.
 * The samples themselves stay.
 */
export function extendInPlace(buffer: Float64Array, first: number, n: number, mode: BoundaryMode): void {
  const valueAt = CONTINUATIONS[mode];
  for (let i = -first; i < 0; i++) buffer[first + i] = valueAt(buffer, first, n, i);
  for (let i = n; first + i < buffer.length; i++) buffer[first + i] = valueAt(buffer, first, n, i);
}

/** `i` modulo `n`, in 0..n-1 for negative `i` too. */
function modulo(i: number, n: number): number {
  const r = i % n;
  return r < 0 ? r + n : r;
}
