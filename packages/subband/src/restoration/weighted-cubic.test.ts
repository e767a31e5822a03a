import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { testPicture } from "./pictures.testing.ts";
import { visibleColours } from "./visible-colours.ts";
import { enlargeColours } from "./weighted-cubic.ts";

function enlarge(picture: ReturnType<typeof testPicture>, factor: number, shown = picture) {
  const rows: { readonly plain: number[]; readonly weighted: number[] }[] = [];
  enlargeColours(picture, shown, factor, (y, plain, weighted) => {
    rows[y] = { plain: [...plain], weighted: [...weighted] };
  });
  return rows;
}

describe("enlargeColours()", () => {
  test("continues squares exactly, as Keys' kernel does, where no border is near", () => {
    const [height, width] = [9, 10];
    const picture = testPicture({ height, width, deep: true, alpha: true });
    const formula = (y: number, x: number): number => 0.1 + 0.005 * x * x + 0.004 * y * y - 0.002 * x * y;
    for (let i = 0; i < height * width; i++) {
      picture.samples[2 * i] = Math.round(65535 * formula(Math.floor(i / width), i % width));
      picture.samples[2 * i + 1] = 65535;
    }
    for (const factor of [2, 4, 8]) {
      const rows = enlarge(picture, factor);
      expect(rows).toHaveLength(factor * height);
      for (let y = 2 * factor; y < (height - 2) * factor; y++)
        for (let x = 2 * factor; x < (width - 2) * factor; x++) {
          const want = formula((y + 0.5) / factor - 0.5, (x + 0.5) / factor - 0.5);
          const what = `factor ${factor}, row ${y}, column ${x}`;
          expectClose([rows[y]!.plain[x]!], [want], { atol: 3e-5, what });
          expectClose([rows[y]!.weighted[x]!], [want], { atol: 3e-5, what });
        }
    }
  });

  test("between white and black of alpha 1 and a: the white counts 1 / (1 + a) of it, not a half", () => {
    const picture = testPicture({ height: 8, width: 16, alpha: true });
    const a = 51;
    for (let i = 0; i < 128; i++) picture.samples.set(i % 16 < 8 ? [255, 255] : [0, a], 2 * i);
    const { plain, weighted } = enlarge(picture, 4)[16]!;
    // By symmetry the two pixels about the border have a half and a half, in the mean.
    const mean = (values: readonly number[]): number => (values[31]! + values[32]!) / 2;
    expect(mean(plain)).toBeCloseTo(0.5, 6);
    const alphas = [31, 32].map((x) => plain[x]! + (1 - plain[x]!) * (a / 255));
    expectClose(
      [31, 32].map((x) => weighted[x]!),
      [31, 32].map((x, k) => plain[x]! / alphas[k]!),
      {
        atol: 1e-6,
      },
    );
    expect(mean(weighted)).toBeGreaterThan(0.75);
  });

  test("a flat colour stays flat, whatever alpha does and whatever lies under it", () => {
    const picture = testPicture({ height: 12, width: 14, colours: 3, alpha: true });
    for (let i = 0; i < 168; i++) {
      const alpha = Math.max(0, 40 * ((i % 14) - 5));
      picture.samples.set(alpha === 0 ? [0, 0, 0, 0] : [255, 51, 0, Math.min(255, alpha)], 4 * i);
    }
    for (const { plain, weighted } of enlarge(picture, 2, visibleColours(picture)))
      for (const row of [plain, weighted])
        expectClose(
          row,
          row.map((_, i) => [1, 0.2, 0][Math.floor(i / 28)]!),
          { atol: 1e-5 },
        );
  });
});
