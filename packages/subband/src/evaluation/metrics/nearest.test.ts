import { node } from "onnxgrad/node";
import { describe, expect, test } from "vitest";
import { nearest, type Nearest } from "./nearest.ts";
import { withPairwise } from "./pairwise.ts";
import { normalRows, pickRows } from "./rows.testing.ts";
import { copyRows, type Rows, rowsOf } from "./rows.ts";

const backend = node();
const find = (among: Rows, queries: Rows | null, k: number): Promise<Nearest> =>
  withPairwise(backend, among.dimensions, (pairwise) => nearest(backend, pairwise, among, queries, k));

/** The same by sorting all distances, in float64. */
function sorted(among: Rows, queries: Rows | null, k: number): Nearest {
  const d = among.dimensions;
  const asked = queries ?? among;
  const [x, y] = [copyRows(asked, 0, asked.count), copyRows(among, 0, among.count)];
  const [squares, indices] = [new Float64Array(asked.count * k), new Uint32Array(asked.count * k)];
  for (let i = 0; i < asked.count; i++) {
    const all = Array.from({ length: among.count }, (_, j) => {
      let square = 0;
      for (let c = 0; c < d; c++) square += (x[i * d + c]! - y[j * d + c]!) ** 2;
      return { j, square };
    });
    const others = queries === null ? all.filter(({ j }) => j !== i) : all;
    others.sort((a, b) => a.square - b.square || a.j - b.j);
    for (const [at, { j, square }] of others.slice(0, k).entries()) {
      squares[i * k + at] = square;
      indices[i * k + at] = j;
    }
  }
  return { k, squares, indices };
}

describe("nearest()", () => {
  const among = normalRows(1, 600, 5);
  const queries = normalRows(2, 530, 5, (value) => value * 1.5);
  const grid = rowsOf(
    Float32Array.from({ length: 1200 }, (_, i) => Math.floor(i / 2 / 25 ** (i % 2)) % 25), // 24 x 25 points, many ties
    600,
  );
  const cases: readonly (readonly [string, Rows, Rows | null])[] = [
    ["of another set", among, queries],
    ["of the same set, itself left out", among, null],
    ["with copies, which are nearest", pickRows(among, [3, 3, 9, 3, 9, 100]), null],
    ["of points of a grid, which are equally far", grid, null],
    ["far from 0", ...far(among, queries, 3000)],
    ["of two crowds so far apart that float32 products tell nothing of either", crowds(1000, 0.01), null],
    ["of crowds that vanish in float32 beside others", crowds(1, 1e-25), null],
    ["of rows too small to be multiplied", ...scaled(among, queries, 1e-30)],
    ["of rows too large to be multiplied", ...scaled(among, queries, 1e30)],
    ["of rows that are all the same", rowsOf(new Float32Array(40).fill(7), 20), null],
  ];

  for (const [name, targets, asked] of cases)
    test(`finds what sorting finds, to the bit: ${name}`, async () => {
      expect(await find(targets, asked, 3)).toEqual(sorted(targets, asked, 3));
    });

  test("is the same where the backend rounds factors to 11 bits, as GPUs may", async () => {
    expect(await rounded(among, queries)).toEqual(sorted(among, queries, 3));
  });

  test("refuses more neighbours than there are", async () => {
    const few = normalRows(3, 4, 2);
    expect((await find(few, null, 3)).squares).toHaveLength(12);
    await expect(find(few, null, 4)).rejects.toThrow(
      "4 nearest neighbours among 4 images: give a whole number from 1 to 3.",
    );
    await expect(find(few, few, 0)).rejects.toThrow("from 1 to 4");
    await expect(find(few, normalRows(3, 4, 3), 1)).rejects.toThrow("Rows of 3 and of 2 features");
  });
});

/** Rows about 0, and a quarter each at `apart` and at -`apart` on all axes, of this deviation. */
function crowds(apart: number, deviation: number): Rows {
  return rowsOf(
    normalRows(4, 400, 5).chunks[0]!.map(
      (value, i) => deviation * value + apart * [0, 1, 0, -1][Math.floor(i / 5) % 4]!,
    ),
    400,
  );
}

function far(a: Rows, b: Rows, by: number): [Rows, Rows] {
  const moved = ({ chunks, count }: Rows) =>
    rowsOf(
      chunks[0]!.map((value) => value + by),
      count,
    );
  return [moved(a), moved(b)];
}

function scaled(a: Rows, b: Rows, by: number): [Rows, Rows] {
  const times = ({ chunks, count }: Rows) =>
    rowsOf(
      chunks[0]!.map((value) => value * by),
      count,
    );
  return [times(a), times(b)];
}

/** Neighbours by products whose factors have lost all but 11 bits. */
function rounded(among: Rows, queries: Rows): Promise<Nearest> {
  const keep = 2 ** 11;
  const round = (value: number): number => {
    if (value === 0) return 0;
    const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) + 1);
    return (Math.round((value / unit) * keep) / keep) * unit;
  };
  return withPairwise(backend, among.dimensions, (pairwise) =>
    nearest(
      { processor: "gpu" },
      {
        products: (a, b, visit, options = {}) =>
          pairwise.products(
            a,
            b,
            (block) => {
              const { centre = new Float32Array(a.dimensions), scale = 1 } = options;
              const [x, y] = block.rows.map((rows) =>
                rows.map((value, i) => round((value - centre[i % a.dimensions]!) * scale)),
              ) as [Float32Array, Float32Array];
              const products = block.products.map((_, at) => {
                const [i, j] = [Math.floor(at / block.stride), at % block.stride];
                let sum = 0;
                for (let k = 0; k < a.dimensions; k++)
                  sum += x[i * a.dimensions + k]! * y[j * a.dimensions + k]!;
                return sum;
              });
              visit({ ...block, products });
            },
            options,
          ),
      },
      among,
      queries,
      3,
    ),
  );
}
