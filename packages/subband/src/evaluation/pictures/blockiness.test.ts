import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { blockiness, changeSums } from "./blockiness.ts";
import { leaves } from "./leaves.testing.ts";

const [LARGE, SIDE, COUNT, LEVELS] = [40, 32, 400, 3];
const image = { channels: 1, height: SIDE, width: SIDE } as const;
/** Pictures of 32 x 32 out of larger ones, from (shift, shift) on. */
function cropped(pictures: Float32Array, shift: number): Float32Array {
  return Float32Array.from({ length: (pictures.length / LARGE ** 2) * SIDE ** 2 }, (_, i) => {
    const [x, row] = [i % SIDE, Math.floor(i / SIDE)];
    return pictures[(Math.floor(row / SIDE) * LARGE + (row % SIDE) + shift) * LARGE + x + shift]!;
  });
}
const large = leaves(5, COUNT, LARGE);
const pictures = cropped(large, 0);
const sums = changeSums(image);
const real = cropped(leaves(6, COUNT, LARGE), 0);
const metric = blockiness(image, LEVELS, sums.add(sums.start(), real, COUNT));
const ratios = (of: Float32Array): number[] =>
  metric.result(metric.add(metric.start(), of, of.length / SIDE ** 2)).map(({ ratio }) => ratio);

/** Every block of `side` pixels moved towards its mean by `share`. */
function averaged(of: Float32Array, side: number, share: number): Float32Array {
  return of.map((value, i) => {
    const [x, row] = [i % SIDE, Math.floor(i / SIDE)];
    const corner = (row - (row % side)) * SIDE + x - (x % side);
    let sum = 0;
    for (let y = 0; y < side; y++) for (let k = 0; k < side; k++) sum += of[corner + y * SIDE + k]!;
    return (1 - share) * value + (share * sum) / side ** 2;
  });
}

/** As read back from a JPEG file of low quality, whose blocks are 8 x 8. */
async function jpeg(of: Float32Array, count: number): Promise<Float32Array> {
  const out = new Float32Array(count * SIDE ** 2);
  for (let n = 0; n < count; n++) {
    const bytes = Uint8Array.from(of.subarray(n * SIDE ** 2, (n + 1) * SIDE ** 2), (v) =>
      Math.min(255, Math.max(0, 127.5 * (v + 1))),
    );
    const file = await sharp(bytes, { raw: { width: SIDE, height: SIDE, channels: 1 } })
      .jpeg({ quality: 8 })
      .toBuffer();
    const read = await sharp(file).extractChannel(0).raw().toBuffer();
    out.set(
      Float32Array.from(read, (v) => v / 127.5 - 1),
      n * SIDE ** 2,
    );
  }
  return out;
}

describe("blockiness()", () => {
  test("of real pictures is 1 for every grid, wherever they are cut, and noise and blur make no grid", () => {
    // Standard errors of 400 pictures: about 0.01, 0.015 and 0.02.
    const tolerances = [0.035, 0.05, 0.07];
    const random = rng(7, "noise");
    const blurry = large.map((value, i) => (value + (i % LARGE < LARGE - 1 ? large[i + 1]! : value)) / 2);
    const cases = [
      ...Array.from({ length: 8 }, (_, shift) => ({
        what: `shifted by ${shift}`,
        of: cropped(large, shift),
      })),
      { what: "noise", of: pictures.map((value) => value + 0.1 * random.normal()) },
      { what: "blur", of: cropped(blurry, 0) },
    ];
    for (const { what, of } of cases)
      for (const [i, ratio] of ratios(of).entries())
        expect(Math.abs(ratio - 1), `${what}, blocks of ${2 ** (i + 1)}: ${ratio}`).toBeLessThan(
          tolerances[i]!,
        );
  });

  test.each([2, 4, 8])(
    "blocks of %d pixels that are moved to their means show in that grid alone",
    (side) => {
      for (const share of [0.1, 0.5]) {
        const found = ratios(averaged(pictures, side, share));
        for (const [i, ratio] of found.entries()) {
          const what = `share ${share}, blocks of ${2 ** (i + 1)}: ${ratio}`;
          if (2 ** (i + 1) === side) expect(ratio, what).toBeGreaterThan(share === 0.1 ? 1.08 : 1.6);
          else expect(Math.abs(ratio - 1), what).toBeLessThan(0.09);
        }
      }
    },
  );

  test("JPEG files of low quality show their blocks of 8", async () => {
    const found = ratios(await jpeg(pictures, 200));
    expect(found[2]).toBeGreaterThan(1.2);
    expect(Math.max(...found)).toBe(found[2]);
  });

  test("where real pictures have edges of their own at the borders, noise does not change the figure", () => {
    // All edges lie at column 16, the border of all three grids.
    const random = rng(8, "edges");
    const edges = (strength: number): Float32Array =>
      pictures.map((value, i) => 0.1 * value + (i % SIDE < 16 ? strength : 0) + 0.05 * random.normal());
    const own = blockiness(image, LEVELS, sums.add(sums.start(), edges(0.5), COUNT));
    const noisy = edges(0.5).map((value) => value + 0.02 * random.normal());
    for (const { side, ratio } of own.result(own.add(own.start(), noisy, COUNT)))
      expect(Math.abs(ratio - 1), `blocks of ${side}: ${ratio}`).toBeLessThan(0.05);
  });

  test("pictures whose blocks are plain have Infinity, and merged parts give what the whole gives", () => {
    expect(ratios(averaged(pictures, 8, 1).map((value) => Math.round(value * 64) / 64))[2]).toBe(Infinity);
    const part = (from: number, to: number) =>
      metric.add(metric.start(), pictures.subarray(from * SIDE ** 2, to * SIDE ** 2), to - from);
    const merged = metric.result(metric.merge(part(0, 150), part(150, COUNT)));
    expectClose(
      merged.map(({ ratio }) => ratio),
      ratios(pictures),
      { rtol: 1e-12 },
    );
  });

  test("refuses grids without borders, and real pictures of another size", () => {
    expect(() => blockiness(image, 5, new Float64Array(62))).toThrow("blocks of 32 have no borders");
    expect(() => blockiness(image, 2, new Float64Array(10))).toThrow("Compare pictures of one size");
  });
});
