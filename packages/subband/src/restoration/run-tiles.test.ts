import { describe, expect, test } from "vitest";
import { runTiles, type Wanted } from "./run-tiles.ts";
import { planTiles } from "./tile-plan.ts";

const [HEIGHT, WIDTH, IMAGES] = [90, 130, 3];
const plan = planTiles({
  height: HEIGHT,
  width: WIDTH,
  images: IMAGES,
  radius: 3,
  blend: 4,
  tilePixels: 32 * 32,
});

/** Runs a network that gives what it gets, over images whose values are a function of the place. */
async function run(wanted?: Wanted) {
  const area = plan.height * plan.width;
  const out = new Float32Array(IMAGES * HEIGHT * WIDTH);
  const shares: number[] = [];
  const counts = { read: 0, networks: 0, rows: 0 };
  await runTiles({
    ...{ plan, images: IMAGES, inputs: 1, outputs: 1, width: WIDTH, wanted },
    read(image, y, x, tile) {
      counts.read++;
      for (let i = 0; i < area; i++)
        tile[i] = valueAt(image, y + Math.floor(i / plan.width), x + (i % plan.width));
    },
    network(batch) {
      counts.networks++;
      return batch;
    },
    emit(y, rows, values) {
      expect(y, "rows come in order").toBe(counts.rows);
      counts.rows += rows;
      for (let k = 0; k < IMAGES; k++)
        out.set(values.subarray(k * rows * WIDTH, (k + 1) * rows * WIDTH), (k * HEIGHT + y) * WIDTH);
    },
    onProgress: (share) => void shares.push(share),
  });
  return { out, shares, counts };
}

const valueAt = (image: number, y: number, x: number): number => 1 + image + 0.01 * y + 0.0001 * x;
const tiles = plan.rows.length * plan.columns.length * IMAGES;

describe("runTiles()", () => {
  test("puts tiles together, whatever they overlap and fade, row after row", async () => {
    const { out, shares, counts } = await run();
    for (const [i, value] of out.entries()) {
      const [image, at] = [Math.floor(i / (HEIGHT * WIDTH)), i % (HEIGHT * WIDTH)];
      const want = valueAt(image, Math.floor(at / WIDTH), at % WIDTH);
      if (Math.abs(value - want) > 1e-5) expect(value, `value ${i}`).toBeCloseTo(want, 5);
    }
    expect(counts).toEqual({ read: tiles, networks: Math.ceil(tiles / plan.batch), rows: HEIGHT });
    expect(shares.at(-1)).toBe(1);
  });

  test("leaves out tiles that nothing is wanted of, and hands out all rows nevertheless", async () => {
    const whole = await run();
    for (const [name, corners] of [
      ["corner", [[0, 0]]],
      [
        "two corners",
        [
          [0, 129],
          [89, 0],
        ],
      ],
      ["middle", [[44, 60]]],
      ["none", []],
    ] as const) {
      const inside = (y: number, x: number): boolean =>
        corners.some(([row, column]) => row === y && column === x);
      const { out, shares, counts } = await run((top, bottom, left, right) =>
        corners.some(([y, x]) => y >= top && y < bottom && x >= left && x < right),
      );
      for (let i = 0; i < HEIGHT * WIDTH; i++)
        if (inside(Math.floor(i / WIDTH), i % WIDTH))
          expect(out[i], `${name}, pixel ${i}`).toBe(whole.out[i]);
      // A pixel lies in one tile, or in four where they fade.
      expect(counts.read, name).toBeLessThanOrEqual(4 * corners.length * IMAGES);
      expect(counts.read, name).toBeGreaterThanOrEqual(corners.length * IMAGES);
      expect(counts.rows, name).toBe(HEIGHT);
      expect(out.includes(0), name).toBe(true);
      expect(shares.at(-1), name).toBe(corners.length === 0 ? undefined : 1);
    }
  });
});
