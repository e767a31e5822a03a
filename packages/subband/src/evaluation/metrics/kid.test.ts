import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { kid, type KernelDistance } from "./kid.ts";
import { goldenSets, NEIGHBOURS_GOLDEN } from "./neighbours-golden.testing.ts";
import { normalRows, pickRows } from "./rows.testing.ts";
import { copyRows, type Rows, rowsOf } from "./rows.ts";

const backend = node();
const distance = (a: Rows, b: Rows, blocks?: number): Promise<KernelDistance> =>
  kid(backend, b, blocks === undefined ? {} : { blocks }).result(a);

describe("kid()", () => {
  for (const golden of NEIGHBOURS_GOLDEN)
    test(`equals numpy: ${golden.name}`, async () => {
      const [a, b] = goldenSets(golden);
      const found = await distance(a, b, golden.blocks);
      // Products are float32's: kernels of 10^12, of features far from 0, leave six digits of what their differences are.
      const close = { rtol: 1e-5, atol: 1e-4 * golden.standardError };
      expectClose([found.kid], [golden.kid], { ...close, what: "kid" });
      expectClose([found.standardError], [golden.standardError], { rtol: 1e-4, atol: 0, what: "error" });
      expect(found).toMatchObject({ blocks: golden.blocks, generated: a.count, real: b.count });
    });

  test("of two points is the kernel's own, with no error", async () => {
    const [c, e] = [0.75, -1.5];
    const points = (value: number, n: number) => rowsOf(new Float32Array(n * 4).fill(value), n);
    const found = await distance(points(c, 600), points(e, 530));
    const want = (c * c + 1) ** 3 + (e * e + 1) ** 3 - 2 * (c * e + 1) ** 3;
    expectClose([found.kid, found.standardError], [want, 0], { rtol: 1e-6, atol: 1e-6 });
    expectClose([(await distance(points(c, 600), points(c, 530))).kid], [0], { atol: 1e-6 });
  });

  test("is unbiased for equal distributions, and its standard error is the spread over draws", async () => {
    const repeat = async (shift: number) => {
      const found: KernelDistance[] = [];
      for (let seed = 0; seed < 50; seed++)
        found.push(
          await distance(
            normalRows(seed, 120, 3, (value) => value + shift),
            normalRows(1000 + seed, 90, 3),
            30,
          ),
        );
      const mean = found.reduce((sum, each) => sum + each.kid, 0) / 50;
      const spread = Math.sqrt(found.reduce((sum, each) => sum + (each.kid - mean) ** 2, 0) / 49);
      const told = found.reduce((sum, each) => sum + each.standardError, 0) / 50;
      return { mean, spread, told };
    };
    const equal = await repeat(0);
    expect(Math.abs(equal.mean)).toBeLessThan((3 * equal.spread) / Math.sqrt(50));
    expect(equal.told / equal.spread).toBeGreaterThan(0.8);
    const apart = await repeat(0.5);
    // The spread of 50 draws is known to 10 %.
    expectClose([apart.told], [apart.spread], { rtol: 0.3 });
  });

  test("does not change when features are put in another order, nor does the distance when rows are", async () => {
    const [n, d] = [300, 6];
    const [a, b] = [normalRows(1, n, d, (value, k) => value + k / 10), normalRows(2, 200, d)];
    const reversed = ({ chunks, count }: Rows) => {
      const rows = chunks[0]!.slice();
      for (let i = 0; i < count; i++) rows.subarray(i * d, (i + 1) * d).reverse();
      return rowsOf(rows, count);
    };
    const want = await distance(a, b, 20);
    const turned = await distance(reversed(a), reversed(b), 20);
    expectClose([turned.kid, turned.standardError], [want.kid, want.standardError], { rtol: 1e-5 });
    const order = Array.from({ length: n }, (_, i) => (i * 7) % n);
    expectClose([(await distance(pickRows(a, order), b, 20)).kid], [want.kid], { rtol: 1e-5 });
  });

  test("as a figure counted in parts it is that of the whole, to the bit", async () => {
    const [a, b] = goldenSets(NEIGHBOURS_GOLDEN[0]!);
    const figure = kid(backend, b, { blocks: 10 });
    const part = (from: number, to: number) =>
      figure.add(figure.start(), copyRows(a, from, to - from), to - from);
    const merged = figure.merge(part(0, 120), figure.decode(figure.encode(part(120, a.count))));
    const whole = await figure.result(a);
    expect(await figure.result(merged)).toEqual(whole);
    expect(await figure.result(merged)).toEqual(whole); // the reference's sums are kept
  });

  test("refuses what it cannot tell", async () => {
    const few = normalRows(1, 19, 2);
    expect(() => kid(backend, few, { blocks: 1 })).toThrow("kid: 1 blocks; give a whole number from 2.");
    await expect(kid(backend, few, { blocks: 10 }).result(normalRows(2, 50, 2))).rejects.toThrow(
      "A kernel distance by 10 blocks of 19 images: at least 20 are needed.",
    );
    await expect(kid(backend, few).result(normalRows(2, 50, 3))).rejects.toThrow(
      "Rows of 3 and of 2 features",
    );
  });
});
