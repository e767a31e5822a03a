/** @module `C += f A B^T` in float64, the one product that the room needs: dot products of rows, in tiles of registers. */

/** A matrix within an array, row-major: row i begins at `at + i * stride`. */
export interface RowsOf {
  readonly data: Float64Array;
  readonly at: number;
  readonly stride: number;
}

/** Columns and rows of B at once: 256 KB, which a core's second cache holds. */
const [COLUMNS, ROWS] = [256, 128];

/**
 * `c[i, j] += factor * sum_t a[i, t] b[j, t]` for i below `m`, j below `n`, t below `k`. With `lower`, only entries with
 * j <= i are of use afterwards, and half the work is done. `c` shares no elements with `a` and `b`.
 */
export function addRowProducts(
  c: RowsOf,
  a: RowsOf,
  b: RowsOf,
  [m, n, k]: readonly [m: number, n: number, k: number],
  { factor = 1, lower = false }: { readonly factor?: number; readonly lower?: boolean } = {},
): void {
  for (let t = 0; t < k; t += COLUMNS)
    for (let j0 = 0; j0 < n; j0 += ROWS) {
      const [depth, j1] = [Math.min(COLUMNS, k - t), Math.min(n, j0 + ROWS)];
      for (let i = lower ? j0 - (j0 % 4) : 0; i < m; i += 4) {
        const [height, end] = [Math.min(4, m - i), lower ? Math.min(j1, i + 4) : j1];
        for (let j = j0; j < end; j += 4)
          tile(
            c,
            c.at + i * c.stride + j,
            a,
            a.at + i * a.stride + t,
            height,
            b,
            b.at + j * b.stride + t,
            Math.min(4, n - j),
            depth,
            factor,
          );
      }
    }
}

/** Up to 4 x 4 entries of C, whose first is at `pc`; the rows of A and B begin at `pa` and `pb`. */
function tile(
  c: RowsOf,
  pc: number,
  a: RowsOf,
  pa: number,
  height: number,
  b: RowsOf,
  pb: number,
  width: number,
  depth: number,
  factor: number,
): void {
  const [C, A, B] = [c.data, a.data, b.data];
  if (height < 4 || width < 4) {
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const [p, q] = [pa + i * a.stride, pb + j * b.stride];
        let sum = 0;
        for (let t = 0; t < depth; t++) sum += A[p + t]! * B[q + t]!;
        C[pc + i * c.stride + j]! += factor * sum;
      }
    return;
  }
  const [p0, p1, p2, p3] = [pa, pa + a.stride, pa + 2 * a.stride, pa + 3 * a.stride];
  const [q0, q1, q2, q3] = [pb, pb + b.stride, pb + 2 * b.stride, pb + 3 * b.stride];
  let [c00, c01, c02, c03] = [0, 0, 0, 0];
  let [c10, c11, c12, c13] = [0, 0, 0, 0];
  let [c20, c21, c22, c23] = [0, 0, 0, 0];
  let [c30, c31, c32, c33] = [0, 0, 0, 0];
  for (let t = 0; t < depth; t++) {
    const a0 = A[p0 + t]!;
    const a1 = A[p1 + t]!;
    const a2 = A[p2 + t]!;
    const a3 = A[p3 + t]!;
    const b0 = B[q0 + t]!;
    const b1 = B[q1 + t]!;
    const b2 = B[q2 + t]!;
    const b3 = B[q3 + t]!;
    c00 += a0 * b0;
    c01 += a0 * b1;
    c02 += a0 * b2;
    c03 += a0 * b3;
    c10 += a1 * b0;
    c11 += a1 * b1;
    c12 += a1 * b2;
    c13 += a1 * b3;
    c20 += a2 * b0;
    c21 += a2 * b1;
    c22 += a2 * b2;
    c23 += a2 * b3;
    c30 += a3 * b0;
    c31 += a3 * b1;
    c32 += a3 * b2;
    c33 += a3 * b3;
  }
  const [r0, r1, r2, r3] = [pc, pc + c.stride, pc + 2 * c.stride, pc + 3 * c.stride];
  C[r0]! += factor * c00;
  C[r0 + 1]! += factor * c01;
  C[r0 + 2]! += factor * c02;
  C[r0 + 3]! += factor * c03;
  C[r1]! += factor * c10;
  C[r1 + 1]! += factor * c11;
  C[r1 + 2]! += factor * c12;
  C[r1 + 3]! += factor * c13;
  C[r2]! += factor * c20;
  C[r2 + 1]! += factor * c21;
  C[r2 + 2]! += factor * c22;
  C[r2 + 3]! += factor * c23;
  C[r3]! += factor * c30;
  C[r3 + 1]! += factor * c31;
  C[r3 + 2]! += factor * c32;
  C[r3 + 3]! += factor * c33;
}
