import { describe, expect, test } from "vitest";
import { type Picture, peakOf } from "./picture.ts";
import { testPicture } from "./pictures.testing.ts";
import { isTranslucent, keepHidden, visibleColours } from "./visible-colours.ts";

/** Colours of a function of the place where alpha is above 0, others under alpha 0. */
function layered(
  size: { readonly height: number; readonly width: number; readonly colours: 1 | 3; readonly deep?: boolean },
  alpha: (y: number, x: number) => number,
  colour: (y: number, x: number, c: number) => number,
  hidden: number,
): Picture {
  const picture = testPicture({ ...size, alpha: true });
  const stride = size.colours + 1;
  const peak = peakOf(picture);
  for (let i = 0; i < size.height * size.width; i++) {
    const [y, x] = [Math.floor(i / size.width), i % size.width];
    const a = Math.round(peak * alpha(y, x));
    for (let c = 0; c < size.colours; c++)
      picture.samples[i * stride + c] = Math.round(peak * (a === 0 ? hidden : colour(y, x, c)));
    picture.samples[i * stride + size.colours] = a;
  }
  return picture;
}

const disc = (y: number, x: number): number => (Math.hypot(y - 11, x - 14) < 6 ? 1 : 0);

describe("visibleColours()", () => {
  test("a flat colour goes on everywhere, exactly, whatever lies under alpha 0, at any size and depth", () => {
    for (const [height, width] of [
      [24, 30],
      [23, 31],
      [1, 40],
      [12, 15],
    ] as const)
      for (const colours of [1, 3] as const)
        for (const deep of [false, true])
          for (const hidden of [0, 0.3, 1]) {
            const given = layered(
              { height, width, colours, deep },
              (y, x) => disc(height === 1 ? 11 : y, x),
              (_, __, c) => [1, 0.5, 0][c]!,
              hidden,
            );
            const { samples } = visibleColours(given);
            for (const [i, value] of samples.entries()) {
              const c = i % (colours + 1);
              const want = c === colours ? given.samples[i]! : Math.round(peakOf(given) * [1, 0.5, 0][c]!);
              expect(value, `${height} x ${width}, ${colours} colours, deep ${deep}, sample ${i}`).toBe(want);
            }
          }
  });

  test("visible colours stay what they are; hidden ones lie between those around them, the nearest most", () => {
    const given = layered(
      { height: 20, width: 64, colours: 1 },
      (_, x) => (x < 16 || x >= 48 ? 1 : 0),
      (_, x) => (x < 16 ? 0.2 : 0.8),
      0,
    );
    const { samples } = visibleColours(given);
    const row = Array.from({ length: 64 }, (_, x) => samples[2 * (10 * 64 + x)]!);
    expect(row.slice(0, 16)).toEqual(Array<number>(16).fill(51));
    expect(row.slice(48)).toEqual(Array<number>(16).fill(204));
    expect([row[16]! < 70, row[47]! > 185]).toEqual([true, true]);
    for (let x = 17; x < 48; x++) expect(row[x], `column ${x}`).toBeGreaterThanOrEqual(row[x - 1]!);
    expect(row[31]! + row[32]!).toBeGreaterThan(235);
    expect(row[31]! + row[32]!).toBeLessThan(275);
  });

  test("colours all but transparent count little: a black rim of alpha 1 / 255 becomes white", () => {
    const rim = (y: number, x: number): number => (Math.hypot(y - 11, x - 14) < 9 ? 1 / 255 : 0);
    const given = layered(
      { height: 24, width: 30, colours: 3 },
      (y, x) => Math.max(disc(y, x), rim(y, x)),
      (y, x) => disc(y, x),
      0,
    );
    const { samples } = visibleColours(given);
    for (let i = 0; i < samples.length; i += 4)
      if (given.samples[i + 3] === 1) expect(samples[i], `sample ${i}`).toBeGreaterThan(200);
  });

  test("pixels that are marked as hidden count as transparent", () => {
    const given = layered(
      { height: 16, width: 16, colours: 1 },
      (_, x) => (x < 8 ? 1 : 0),
      () => 0.5,
      0,
    );
    const red = new Uint8Array(256);
    for (let y = 0; y < 16; y++) {
      red[y * 16 + 7] = 1;
      given.samples[2 * (y * 16 + 7)] = 255;
    }
    const { samples } = visibleColours(given, red);
    expect(samples.filter((_, i) => i % 2 === 0)).toEqual(new Uint8Array(256).fill(128));
  });

  test("opaque pictures, and those without anything to see, come back themselves", () => {
    const opaque = testPicture({ height: 5, width: 6, colours: 3 });
    expect(visibleColours(opaque)).toBe(opaque);
    expect(isTranslucent(opaque)).toBe(false);
    const full = layered(
      { height: 5, width: 6, colours: 3 },
      () => 1,
      () => 0.5,
      0,
    );
    expect(visibleColours(full)).toBe(full);
    const empty = layered(
      { height: 5, width: 6, colours: 3 },
      () => 0,
      () => 0.5,
      0.25,
    );
    expect(visibleColours(empty)).toBe(empty);
    expect(isTranslucent(empty)).toBe(true);
  });
});

test("keepHidden() puts back what lies under alpha 0 and nothing else", () => {
  const given = layered(
    { height: 4, width: 6, colours: 3 },
    (_, x) => x / 5,
    () => 0.5,
    0.25,
  );
  const samples = new Uint8Array(given.samples.length).fill(7);
  keepHidden(given, samples);
  for (let i = 0; i < samples.length; i++)
    expect(samples[i], `sample ${i}`).toBe(i % 24 < 3 ? Math.round(255 * 0.25) : 7);
});
