import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { arraySource, mirrored, noiseGains, pictureSource, viewOf, writeRows } from "./image-source.ts";
import { testPicture } from "./pictures.testing.ts";

describe("pictureSource() and writeRows()", () => {
  test("give back every picture as it was, for gray and colour models", () => {
    for (const colours of [1, 3] as const)
      for (const alpha of [false, true])
        for (const deep of [false, true])
          for (const channels of [1, 3] as const) {
            const picture = testPicture({ height: 5, width: 9, colours, alpha, deep, noise: 0.2 });
            const view = viewOf(picture, channels);
            const source = pictureSource(picture, view);
            const size = source.channels * 5 * 9;
            const values = new Float32Array(source.images * size);
            for (let i = 0; i < source.images; i++)
              source.read(i, 0, 0, 5, 9, values.subarray(i * size, (i + 1) * size));
            const samples = picture.samples.map((v, i) => (alpha && i % (colours + 1) === colours ? v : 0));
            writeRows(picture, view, 0, 5, values, samples);
            expect([...samples], `${colours} colours, alpha ${alpha}, ${view}`).toEqual([...picture.samples]);
          }
  });

  test("gray in colour has no chroma, so that it stays gray", () => {
    const gray = testPicture({ height: 3, width: 4 });
    const samples = Uint8Array.from({ length: 36 }, (_, i) => gray.samples[Math.floor(i / 3)]!);
    const source = pictureSource({ ...gray, colours: 3, samples }, "luma-chroma");
    const out = new Float32Array(12);
    for (const image of [1, 2]) {
      source.read(image, 0, 0, 3, 4, out);
      expectClose(out, new Float32Array(12), { atol: 1e-7 });
    }
  });

  test("noise of a view has the stated gains: each row's length", () => {
    expectClose(noiseGains("luma-chroma"), [1 / Math.sqrt(3), Math.SQRT1_2, Math.sqrt(6) / 4]);
    expect(noiseGains("gray")).toEqual([1]);
  });
});

describe("mirrored()", () => {
  test("repeats the border and goes back, as far as asked", () => {
    const source = arraySource(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 1, 2, 3]);
    const out = new Float32Array(5 * 8);
    mirrored(source, 5, 8).read(0, 0, 0, 5, 8, out);
    const row = [1, 2, 3, 3, 2, 1, 1, 2];
    const low = row.map((v) => v + 3);
    expect([...out]).toEqual([row, low, low, row, row].flat());
    const part = new Float32Array(4);
    mirrored(source, 5, 8).read(0, 1, 2, 2, 2, part);
    expect([...part]).toEqual([6, 6, 6, 6]);
  });

  test("continues to above and to the left, too, further than the source is large", () => {
    const source = arraySource(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 1, 2, 3]);
    const out = new Float32Array(6 * 9);
    mirrored(source, 6, 9, 4).read(0, 0, 0, 6, 9, out);
    const row = [3, 3, 2, 1, 1, 2, 3, 3, 2];
    const low = row.map((v) => v + 3);
    expect([...out]).toEqual([row, low, low, row, row, low].flat());
    const inside = new Float32Array(6);
    mirrored(source, 6, 9, 4).read(0, 4, 4, 2, 3, inside);
    expect([...inside]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
