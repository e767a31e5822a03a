/** @module The k nearest rows of a set, for every row of another or of the same. */
import { type Backend, UserError } from "onnxgrad";
import { visitDistances } from "./distances.ts";
import type { Pairwise } from "./pairwise.ts";
import type { Rows } from "./rows.ts";

/** Nearest rows of every query, the nearest first; of those equally far the one that comes first. */
export interface Nearest {
  readonly k: number;
  /** Squared distances, [queries, k], in float64, ascending. */
  readonly squares: Float64Array;
  /** Which rows, [queries, k]. */
  readonly indices: Uint32Array;
}

/**
 * The `k` rows of `among` that are nearest to each row of `queries`; with `itself` null the queries are those rows, and none is
 * its own neighbour, though a copy of it is.
 * @throws UserError `metric/few` when there are fewer than `k`; `metric/size` for rows of different features.
 */
export async function nearest(
  backend: Pick<Backend, "processor">,
  pairwise: Pairwise,
  among: Rows,
  queries: Rows | null,
  k: number,
): Promise<Nearest> {
  const asked = queries ?? among;
  const own = queries === null ? 1 : 0;
  if (!Number.isInteger(k) || k < 1 || among.count < k + own)
    throw new UserError(
      "metric/few",
      `${k} nearest neighbours among ${among.count} images: give a whole number from 1 to ${among.count - own}.`,
    );
  const squares = new Float64Array(asked.count * k).fill(Infinity);
  const indices = new Uint32Array(asked.count * k);
  await visitDistances(backend, pairwise, asked, among, ({ first, count, least, square }) => {
    for (let i = 0; i < count[0]; i++) {
      const query = first[0] + i;
      const from = query * k;
      const last = from + k - 1;
      const self = queries === null ? query - first[1] : -1;
      for (let j = 0; j < count[1]; j++) {
        if (j === self || least(i, j) >= squares[last]!) continue;
        const found = square(i, j);
        if (found >= squares[last]!) continue;
        let at = last;
        for (; at > from && squares[at - 1]! > found; at--) {
          squares[at] = squares[at - 1]!;
          indices[at] = indices[at - 1]!;
        }
        squares[at] = found;
        indices[at] = first[1] + j;
      }
    }
  });
  return { k, squares, indices };
}
