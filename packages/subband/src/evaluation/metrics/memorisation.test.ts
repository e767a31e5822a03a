import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { type Memorisation, memorisation } from "./memorisation.ts";
import { goldenSets, NEIGHBOURS_GOLDEN } from "./neighbours-golden.testing.ts";
import { normalRows, pickRows } from "./rows.testing.ts";
import { copyRows, type Rows, rowsOf } from "./rows.ts";

const backend = node();
const measured = (generated: Rows, training: Rows, heldOut?: Rows): Promise<Memorisation> =>
  memorisation(backend, training, heldOut).result(generated);

describe("memorisation()", () => {
  for (const golden of NEIGHBOURS_GOLDEN)
    test(`equals numpy: ${golden.name}`, async () => {
      const [generated, real] = goldenSets(golden);
      const half = Math.floor(real.count / 2);
      const heldOut = rowsOf(copyRows(real, 0, half), half);
      const training = rowsOf(copyRows(real, half, real.count - half), real.count - half);
      const { heldOut: beside, training: among, indices } = golden.memorisation;
      for (const [found, want, against] of [
        [await measured(generated, training, heldOut), beside, "held-out"],
        [await measured(generated, training), among, "training"],
      ] as const) {
        expectClose([found.ratio!, found.near, found.nearShare], [want.ratio, want.near, want.nearShare], {
          ...{ rtol: 1e-12, atol: 0 },
          what: `ratio, near, share, ${against}`,
        });
        expect(found.against).toBe(against);
        expect([...found.indices.subarray(0, 20)]).toEqual(indices);
        expect(found.distances).toHaveLength(generated.count);
      }
    });

  test("of real images is 1, and 1 % of them are near", async () => {
    const found = await measured(normalRows(1, 3000, 4), normalRows(2, 1000, 4), normalRows(3, 3000, 4));
    expectClose([found.ratio!], [1], { rtol: 0.05 });
    expectClose([found.nearShare], [0.01], { atol: 0.006 });
  });

  test("of copies, with a little noise or none, is near 0 and names the images that were copied", async () => {
    const training = normalRows(1, 800, 12);
    const order = Array.from({ length: 100 }, (_, i) => (i * 37) % 800);
    const copies = pickRows(training, order);
    const found = await measured(copies, training);
    expect(found).toMatchObject({ ratio: 0, generatedMedian: 0, nearShare: 1, against: "training" });
    expect([...found.indices]).toEqual(order);
    const noise = normalRows(2, 100, 12).chunks[0]!;
    const noisy = rowsOf(
      copies.chunks[0]!.map((value, i) => value + 0.01 * noise[i]!),
      100,
    );
    const near = await measured(noisy, training, normalRows(3, 500, 12));
    expect(near.ratio).toBeLessThan(0.05);
    expect([...near.indices]).toEqual(order);
  });

  test("tells no ratio where the real images are copies themselves", async () => {
    const training = pickRows(normalRows(1, 50, 3), [...Array(50).keys(), ...Array(50).keys()]);
    expect((await measured(normalRows(2, 20, 3), training)).ratio).toBeUndefined();
  });

  test("as a figure counted in parts it is that of the whole, to the bit; it needs an image of either", async () => {
    const [a, b] = goldenSets(NEIGHBOURS_GOLDEN[0]!);
    const figure = memorisation(backend, b);
    const part = (from: number, to: number) =>
      figure.add(figure.start(), copyRows(a, from, to - from), to - from);
    const merged = figure.merge(part(0, 7), figure.decode(figure.encode(part(7, a.count))));
    expect(await figure.result(merged)).toEqual(await figure.result(a));
    await expect(figure.result(figure.start())).rejects.toThrow(
      "Nearest images of no images: give one at least.",
    );
    await expect(measured(a, rowsOf(copyRows(b, 0, 1), 1))).rejects.toThrow(
      "1 nearest neighbours among 1 images",
    );
  });
});
