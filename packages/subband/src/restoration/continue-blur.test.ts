import { describe, expect, test } from "vitest";
import { continueBlur } from "./continue-blur.ts";
import type { Picture } from "./picture.ts";
import { testPicture } from "./pictures.testing.ts";
import { visibleColours } from "./visible-colours.ts";

const [HEIGHT, WIDTH] = [24, 60];

/** Gray, visible left of column 30. */
function halfSeen(gray: (y: number, x: number) => number): Picture {
  const picture = testPicture({ height: HEIGHT, width: WIDTH, alpha: true, deep: true });
  for (let i = 0; i < HEIGHT * WIDTH; i++) {
    const [y, x] = [Math.floor(i / WIDTH), i % WIDTH];
    picture.samples.set(x < 30 ? [Math.round(65535 * gray(y, x)), 65535] : [0, 0], 2 * i);
  }
  return picture;
}

const rowOf = ({ samples }: Picture, y: number): number[] =>
  Array.from({ length: WIDTH }, (_, x) => samples[2 * (y * WIDTH + x)]! / 65535);

const kernel = (height: number, width: number, values: readonly number[]) => ({ height, width, values });

describe("continueBlur()", () => {
  test("what is visible stays, and what is hidden is the blur of what is there", () => {
    const given = halfSeen((y, x) => 0.5 + 0.3 * Math.sin(0.4 * x + 0.2 * y));
    const box = kernel(3, 5, Array<number>(15).fill(7));
    const { samples } = continueBlur(given, visibleColours(given), box);
    const at = (y: number, x: number): number =>
      samples[2 * (Math.min(HEIGHT - 1, Math.max(0, y)) * WIDTH + x)]! / 65535;
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < 30; x++)
        expect(samples[2 * (y * WIDTH + x)]).toBe(given.samples[2 * (y * WIDTH + x)]);
      // Next to what is visible the rounds have settled.
      for (let x = 30; x < 32; x++) {
        let mean = 0;
        for (const dy of [-1, 0, 1]) for (const dx of [-2, -1, 0, 1, 2]) mean += at(y + dy, x + dx) / 15;
        expect(Math.abs(at(y, x) - mean), `row ${y}, column ${x}`).toBeLessThan(0.01);
      }
    }
  });

  test("a kernel that moves the picture continues it by what comes after: it is not turned around", () => {
    // All weight two columns right of the centre: b(x) = sharp(x - 2).
    const given = halfSeen((_, x) => (x === 28 ? 1 : x === 29 ? 0.25 : 0.5));
    const shifted = continueBlur(given, visibleColours(given), kernel(1, 5, [0, 0, 0, 0, 3]));
    const row = rowOf(shifted, 12);
    expect(row.slice(28, 34).map((v) => Math.round(100 * v))).toEqual([100, 25, 100, 25, 100, 25]);
    const back = continueBlur(given, visibleColours(given), kernel(1, 5, [3, 0, 0, 0, 0]));
    expect(Math.round(100 * rowOf(back, 12)[30]!)).not.toBe(100);
  });

  test("a flat colour stays flat, a point kernel changes nothing, and an opaque picture comes back itself", () => {
    const flat = halfSeen(() => 0.3);
    const box = kernel(3, 3, [1, 2, 1, 2, 4, 2, 1, 2, 1]);
    for (const value of rowOf(continueBlur(flat, visibleColours(flat), box), 3))
      expect(value).toBeCloseTo(0.3, 4);
    const wavy = halfSeen((y, x) => 0.5 + 0.3 * Math.sin(x + y));
    const shown = visibleColours(wavy);
    expect(continueBlur(wavy, shown, kernel(1, 1, [9])).samples).toEqual(shown.samples);
    const opaque = testPicture({ height: 5, width: 7, colours: 3 });
    expect(continueBlur(opaque, visibleColours(opaque), box)).toBe(opaque);
  });
});
