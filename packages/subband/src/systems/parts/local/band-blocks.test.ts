import { constant, conv2d, input, interpret, rng, type Tensor } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { convolveBlocks, fitsBlocks, synthesiseBlocks } from "./band-blocks.ts";
import { analyseLevel } from "./denoiser.ts";

const normal = (name: string, size: number) => rng(1, name).fillNormal(new Float64Array(size));
const values = (tensor: Tensor, feeds: Record<string, ArrayLike<number>>) =>
  interpret([tensor], feeds)[0]!.data;

describe("convolveBlocks()", () => {
  test("is the padded convolution, its pixels sorted by their place in blocks of 2 x 2", () => {
    const [n, width, h, w] = [2, 3, 6, 4] as const;
    const features = input("features", [n, width, h, w]);
    const weight = constant(normal("weight", 4 * width * 9), [4, width, 3, 3]);
    const feeds = { features: normal("features", n * width * h * w) };
    const plain = values(conv2d(features, weight, { padding: 1 }), feeds);
    const blocks = values(convolveBlocks(features, weight), feeds);
    const want = blocks.map((_, at) => {
      const column = at % (w / 2);
      const row = Math.floor(at / (w / 2)) % (h / 2);
      const channel = Math.floor(at / ((w / 2) * (h / 2))) % 16;
      const image = Math.floor(at / (16 * (w / 2) * (h / 2)));
      const [block, band] = [channel >> 2, channel & 3];
      return plain[((image * 4 + band) * h + 2 * row + (block >> 1)) * w + 2 * column + (block & 1)]!;
    });
    expectClose(blocks, want, { atol: 1e-12 });
  });
});

describe("synthesiseBlocks()", () => {
  test("makes the image whose bands the blocks are", () => {
    const [n, h, w] = [2, 3, 2] as const;
    const blocks = input("blocks", [n, 16, h, w]);
    const data = normal("blocks", n * 16 * h * w);
    const image = synthesiseBlocks(blocks);
    expect(image.shape).toEqual([n, 1, 4 * h, 4 * w]);
    const { low, detail } = analyseLevel(image, "haar"); // [n, 1, 2h, 2w], [n, 3, 2h, 2w]
    const bands = [low, detail].map((band) => values(band, { blocks: data }));
    for (let i = 0; i < n; i++)
      for (let band = 0; band < 4; band++)
        for (let r = 0; r < 2 * h; r++)
          for (let s = 0; s < 2 * w; s++) {
            const channel = 4 * (2 * (r & 1) + (s & 1)) + band;
            const want = data[((i * 16 + channel) * h + (r >> 1)) * w + (s >> 1)]!;
            const own = band === 0 ? i : 3 * i + band - 1;
            const found = bands[band === 0 ? 0 : 1]![(own * 2 * h + r) * 2 * w + s]!;
            expect(found, `image ${i}, band ${band}, ${r}, ${s}`).toBeCloseTo(want, 12);
          }
  });
});

describe("fitsBlocks()", () => {
  test("takes four outputs and even extents", () => {
    const weight = (out: number) => input("weight", [out, 8, 3, 3]);
    const features = (h: number, w: number) => input("features", [1, 8, h, w]);
    expect(fitsBlocks(features(4, 6), weight(4))).toBe(true);
    expect(fitsBlocks(features(4, 6), weight(12))).toBe(false);
    expect(fitsBlocks(features(5, 6), weight(4))).toBe(false);
    expect(fitsBlocks(features(4, 7), weight(4))).toBe(false);
  });
});
