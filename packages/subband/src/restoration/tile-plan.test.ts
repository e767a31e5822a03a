import { describe, expect, test } from "vitest";
import { planTiles, shareOf, type TileRequest, type TileSpan } from "./tile-plan.ts";

/** What is wrong with the tiles of one axis, if anything. */
function fault(
  spans: readonly TileSpan[],
  length: number,
  extent: number,
  radius: number,
  multiple: number,
): string | undefined {
  let next = 0;
  for (const { start, from, to } of spans) {
    if (from !== next || to <= from) return `keeps ${from}..${to} after ${next}`;
    if (start % multiple !== 0) return `starts at ${start}`;
    if (start < 0 || start + length > extent) return `sees ${start}..${start + length} of ${extent}`;
    if (start > 0 && from - start < radius) return `keeps ${from}, sees from ${start}`;
    if (start + length < extent && start + length - to < radius)
      return `keeps to ${to}, sees to ${start + length}`;
    next = to;
  }
  return next === extent ? undefined : `ends at ${next}`;
}

describe("planTiles()", () => {
  test("covers every pixel once, a radius inside its tile or at the border of the image", () => {
    for (const [height, width] of [
      [1, 1],
      [8, 1000],
      [37, 53],
      [256, 256],
      [1000, 700],
      [4000, 6000],
    ] as const)
      for (const radius of [0, 2, 21, 60])
        for (const multiple of [1, 4])
          for (const tilePixels of [40 * 40, 256 * 256]) {
            const up = (n: number): number => Math.ceil(n / multiple) * multiple;
            const request = { height: up(height), width: up(width), radius, multiple, tilePixels };
            const plan = planTiles(request);
            const what = JSON.stringify(request);
            expect(fault(plan.rows, plan.height, request.height, radius, multiple), what).toBeUndefined();
            expect(fault(plan.columns, plan.width, request.width, radius, multiple), what).toBeUndefined();
            expect([plan.height % multiple, plan.width % multiple], what).toEqual([0, 0]);
          }
  });

  test("neighbours that fade have shares that add up to 1, each a radius inside", () => {
    const [radius, blend, extent] = [10, 8, 300];
    const { width, columns } = planTiles({
      height: 40,
      width: extent,
      radius,
      blend,
      multiple: 4,
      tilePixels: 40 * 80,
    });
    expect(columns.length).toBeGreaterThan(4);
    for (let at = 0; at < extent; at++) {
      const total = columns.reduce((sum, span) => sum + shareOf(span, at), 0);
      expect(total, `pixel ${at}`).toBeCloseTo(1, 12);
    }
    for (const { start, from, to } of columns) {
      if (start > 0) expect(from - start).toBeGreaterThanOrEqual(radius);
      if (start + width < extent) expect(start + width - to).toBeGreaterThanOrEqual(radius);
    }
  });

  test("keeps tiles within the bound where the radius lets it, and computes little twice", () => {
    const request: TileRequest = { height: 4000, width: 6000, radius: 21, tilePixels: 256 * 256 };
    const { height, width, rows, columns, batch } = planTiles(request);
    expect(height * width).toBeLessThanOrEqual(256 * 256);
    const computed = Math.ceil((rows.length * columns.length) / batch) * batch * height * width;
    // Tiles of 256 keep 214 x 214 pixels each.
    expect(computed / (4000 * 6000)).toBeLessThan(1.01 * (256 / 214) ** 2);
  });

  test("an image within the bound is one tile, and several planes of it an even batch", () => {
    const small = { height: 60, width: 90, radius: 21 };
    expect(planTiles(small)).toMatchObject({ height: 60, width: 90, batch: 1 });
    expect(planTiles({ ...small, images: 4 })).toMatchObject({ height: 60, width: 90, batch: 2 });
  });

  test("takes tiles above the bound rather than none", () => {
    const plan = planTiles({ height: 500, width: 500, radius: 116, multiple: 4, tilePixels: 64 * 64 });
    expect(plan.height).toBeGreaterThan(2 * 116);
  });
});
