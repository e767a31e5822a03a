import { rng } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { type Box, cropPicture, insideOf, regionsOf } from "./picture-regions.ts";
import { testPicture } from "./pictures.testing.ts";

/** A mask of boxes. */
function maskOf(height: number, width: number, boxes: readonly Box[]): Uint8Array {
  const mask = new Uint8Array(height * width);
  for (const box of boxes) for (let i = 0; i < box.height * box.width; i++) mask[insideOf(box, width, i)] = 1;
  return mask;
}

const speck = (top: number, left: number, side = 6): Box => ({ top, left, height: side, width: side });
const areaOf = (boxes: readonly Box[]): number =>
  boxes.reduce((sum, { height, width }) => sum + height * width, 0);

describe("regionsOf()", () => {
  test("two specks in opposite corners are two small parts of a large picture", () => {
    const [height, width] = [4000, 6000];
    const boxes = regionsOf(maskOf(height, width, [speck(10, 20), speck(3980, 5970)]), height, width, 64);
    expect(boxes).toEqual([
      { top: 0, left: 0, height: 80, width: 90 },
      { top: 3916, left: 5906, height: 84, width: 94 },
    ]);
  });

  test("one part is the bounds of what is marked and its surroundings; parts join just when those overlap", () => {
    const one = regionsOf(maskOf(300, 400, [speck(100, 150), speck(120, 190, 3)]), 300, 400, 64);
    expect(one).toEqual([{ top: 36, left: 86, height: 151, width: 171 }]);
    const apart = (gap: number): number =>
      regionsOf(maskOf(100, 600, [speck(20, 50), speck(20, 56 + gap)]), 100, 600, 64).length;
    expect([apart(127), apart(128)]).toEqual([1, 2]);
    // Only diagonally near: the surroundings touch at a corner and do not overlap.
    const diagonal = (gap: number): number =>
      regionsOf(maskOf(500, 500, [speck(100, 100), speck(106 + gap, 106 + gap)]), 500, 500, 64).length;
    expect([diagonal(127), diagonal(128)]).toEqual([1, 2]);
  });

  test("a part that grows by joining joins what it then reaches", () => {
    // The bounds of the first two reach the third, which neither does alone.
    const mask = maskOf(600, 600, [speck(100, 300), speck(200, 190), speck(60, 100)]);
    expect(regionsOf(mask, 600, 600, 64)).toHaveLength(1);
  });

  test("random specks: every surrounding lies in one part, parts do not overlap, and few specks make little area", () => {
    for (const [seed, count] of [
      [1, 3],
      [2, 12],
      [3, 60],
      [4, 400],
    ] as const) {
      const random = rng(seed, "specks");
      const [height, width, context] = [701, 1203, 32];
      const specks = Array.from({ length: count }, () =>
        speck(
          Math.floor(random.uniform() * (height - 9)),
          Math.floor(random.uniform() * (width - 9)),
          1 + Math.floor(random.uniform() * 9),
        ),
      );
      const boxes = regionsOf(maskOf(height, width, specks), height, width, context);
      for (const { top, left, height: h, width: w } of specks)
        expect(
          boxes.filter(
            (box) =>
              box.top <= Math.max(0, top - context) &&
              box.left <= Math.max(0, left - context) &&
              box.top + box.height >= Math.min(height, top + h + context) &&
              box.left + box.width >= Math.min(width, left + w + context),
          ),
          `seed ${seed}, speck at ${top}, ${left}`,
        ).toHaveLength(1);
      const covered = new Set<number>();
      for (const box of boxes)
        for (let i = 0; i < box.height * box.width; i++) covered.add(insideOf(box, width, i));
      expect(covered.size, `seed ${seed}`).toBe(areaOf(boxes));
      if (count <= 3) expect(areaOf(boxes)).toBeLessThanOrEqual(count * 73 ** 2);
    }
  });
});

test("cropPicture() takes the pixels that insideOf() names", () => {
  const picture = testPicture({ height: 9, width: 11, colours: 3, alpha: true });
  const box = { top: 2, left: 3, height: 4, width: 5 };
  const part = cropPicture(picture, box);
  expect(part).toMatchObject({ height: 4, width: 5 });
  for (let i = 0; i < 20; i++)
    expect(part.samples.subarray(4 * i, 4 * i + 4)).toEqual(
      picture.samples.subarray(4 * insideOf(box, 11, i), 4 * insideOf(box, 11, i) + 4),
    );
});
