import sharp, { type Sharp } from "sharp";
import { describe, expect, test } from "vitest";
import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { decodeImage, drawSvg, type ImageShape, refit } from "./decode-image.ts";
import { OVER_PIXELS } from "./skip-reason.ts";

const grey = (height: number, width: number): ImageShape => ({ channels: 1, height, width });
const rgb = (height: number, width: number): ImageShape => ({ channels: 3, height, width });

/** A lossless PNG of the given interleaved samples. */
function png(samples: number[], channels: 1 | 2 | 3 | 4, height: number, width: number): Promise<Buffer> {
  return sharp(Uint8Array.from(samples), { raw: { channels, height, width } }).png().toBuffer();
}

/** Noise: it does not compress, so half of the file is about half of the picture. */
function noise(height: number, width: number): Sharp {
  const random = rng(1, "noise");
  const samples = Uint8Array.from({ length: 3 * height * width }, () => random.uint32() >>> 24);
  return sharp(samples, { raw: { channels: 3, height, width } });
}

function solid(red: number, green: number, blue: number, side = 16): Sharp {
  return sharp({
    create: { width: side, height: side, channels: 3, background: { r: red, g: green, b: blue } },
  });
}

describe("decodeImage() keeps pixels exact", () => {
  test("a lossless image of the wanted size becomes planar, unchanged, square or not", async () => {
    for (const [height, width] of [
      [4, 4],
      [3, 7],
      [8, 2],
      [1, 1],
    ] as const) {
      const samples = Array.from({ length: 3 * height * width }, (_, i) => (37 * i) % 256);
      const planar = [0, 1, 2].flatMap((c) => samples.filter((_, i) => i % 3 === c));
      const got = await decodeImage(await png(samples, 3, height, width), rgb(height, width));
      expect([...got], `${height} x ${width}`).toEqual(planar);
    }
  });

  test("grey files fill all three channels", async () => {
    expect([...(await decodeImage(await png([10, 200], 1, 1, 2), rgb(1, 2)))]).toEqual([
      10, 200, 10, 200, 10, 200,
    ]);
  });

  test("one channel is Rec. 601 luma", async () => {
    const file = await png([255, 0, 0, 0, 255, 0, 0, 0, 255, 90, 90, 90], 3, 1, 4);
    expect([...(await decodeImage(file, grey(1, 4)))]).toEqual([76, 150, 29, 90]);
  });

  test("alpha is composited on white", async () => {
    const file = await png([200, 100, 0, 255, 200, 100, 0, 0, 0, 0, 0, 102], 4, 1, 3);
    // 255 (1 - a) + v a with a = 1, 0 and 0.4
    expectClose(
      Float32Array.from(await numbers(decodeImage(file, rgb(1, 3)))),
      [200, 255, 153, 100, 255, 153, 0, 255, 153],
      { atol: 1 },
    );
    const greyAlpha = await png([0, 0, 40, 255], 2, 1, 2);
    expect([...(await decodeImage(greyAlpha, grey(1, 2)))]).toEqual([255, 40]);
  });

  test("wider or taller images are cropped at the centre", async () => {
    expect([...(await decodeImage(await png([1, 2, 3, 4, 5, 6, 7, 8], 1, 2, 4), grey(2, 2)))]).toEqual([
      2, 3, 6, 7,
    ]);
    expect([...(await decodeImage(await png([1, 2, 3, 4, 5, 6, 7, 8], 1, 4, 2), grey(2, 2)))]).toEqual([
      3, 4, 5, 6,
    ]);
  });

  test("scaling keeps aspect and colour: a white disc in a 2:1 image stays a disc", async () => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="256" height="128"><rect width="256" height="128" fill="#000"/><circle cx="128" cy="64" r="48" fill="#fff"/></svg>`;
    const file = await sharp(Buffer.from(svg)).png().toBuffer();
    const got = await numbers(decodeImage(file, grey(32, 32)));
    const area = got.reduce((sum, v) => sum + v / 255, 0);
    expectClose([area], [Math.PI * 12 * 12], { rtol: 0.01 });
    for (const [y, x, want] of [
      [16, 5, 255],
      [16, 2, 0],
      [5, 16, 255],
      [2, 16, 0],
    ] as const)
      expectClose([got[y * 32 + x]!], [want], { atol: 12, what: `y ${y} x ${x}` });
  });

  test("EXIF orientation 1..8 is honoured", async () => {
    // Stored 2 rows x 3 columns; where upright (x, y) lies in what is stored, by the EXIF 2.32 table of orientations.
    const H = 2;
    const W = 3;
    const stored: Record<number, (x: number, y: number) => [number, number]> = {
      1: (x, y) => [x, y],
      2: (x, y) => [W - 1 - x, y],
      3: (x, y) => [W - 1 - x, H - 1 - y],
      4: (x, y) => [x, H - 1 - y],
      5: (x, y) => [y, x],
      6: (x, y) => [y, H - 1 - x],
      7: (x, y) => [W - 1 - y, H - 1 - x],
      8: (x, y) => [W - 1 - y, x],
    };
    const samples = [10, 20, 30, 40, 50, 60];
    for (const [orientation, at] of Object.entries(stored)) {
      const raw = { channels: 1, height: H, width: W } as const;
      const file = await sharp(Uint8Array.from(samples), { raw })
        .withMetadata({ orientation: Number(orientation) })
        .tiff({ compression: "none" })
        .toBuffer();
      const turned = Number(orientation) >= 5;
      const [height, width] = turned ? [W, H] : [H, W];
      const want = Array.from({ length: 6 }, (_, i) => {
        const [x, y] = at(i % width, Math.floor(i / width));
        return samples[y * W + x]!;
      });
      expect([...(await decodeImage(file, grey(height, width)))], `orientation ${orientation}`).toEqual(want);
    }
  });

  test("16 bits a sample become 8: v * 257 is v", async () => {
    const values = [0, 1, 100, 254, 255, 77];
    const raw = { channels: 3, height: 1, width: 2 } as const;
    const colour = await sharp(
      Uint16Array.from(values, (v) => 257 * v),
      { raw },
    )
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    expect((await sharp(colour).metadata()).depth).toBe("ushort");
    expect([...(await decodeImage(colour, rgb(1, 2)))]).toEqual([0, 254, 1, 255, 100, 77]);
    const mono = await sharp(Uint16Array.from([0, 257 * 128, 65535, 257 * 3]), {
      raw: { channels: 1, height: 2, width: 2 },
    })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    expect((await sharp(mono).metadata()).depth).toBe("ushort");
    expect([...(await decodeImage(mono, grey(2, 2)))]).toEqual([0, 128, 255, 3]);
  });
});

describe("decodeImage() reads every format", () => {
  test("JPEG, PNG, WebP, AVIF, GIF and TIFF of one colour give that colour", async () => {
    const picture = solid(200, 120, 40, 32);
    const files = {
      jpeg: await picture.clone().jpeg({ quality: 95 }).toBuffer(),
      png: await picture.clone().png().toBuffer(),
      webp: await picture.clone().webp({ lossless: true }).toBuffer(),
      avif: await picture.clone().avif({ quality: 90, effort: 0 }).toBuffer(),
      gif: await picture.clone().gif().toBuffer(),
      tiff: await picture.clone().tiff().toBuffer(),
    };
    for (const [format, bytes] of Object.entries(files)) {
      const got = await decodeImage(bytes, rgb(2, 2));
      // Lossy codecs and palettes may be a few levels off.
      expectClose(
        await numbers(got),
        [200, 120, 40].flatMap((v) => [v, v, v, v]),
        { atol: 4, what: format },
      );
    }
  });

  test("CMYK is converted to sRGB", async () => {
    const cases: [string, number[]][] = [
      ["white", [255, 255, 255]],
      ["grey", [128, 128, 128]],
      ["brick", [180, 90, 80]],
    ];
    for (const [name, [r, g, b]] of cases as [string, [number, number, number]][]) {
      const file = await solid(r, g, b).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer();
      expect((await sharp(file).metadata()).space).toBe("cmyk");
      // The round trip through ink is approximate: the gamuts differ.
      expectClose(await numbers(decodeImage(file, rgb(1, 1))), [r, g, b], { atol: 25, what: name });
    }
  });
});

describe("decodeImage() names why an image is left out", () => {
  const expectReason = async (bytes: Uint8Array, reason: string): Promise<void> =>
    expect(await decodeImage(bytes, rgb(8, 8))).toBe(reason);

  test("zero bytes", () => expectReason(new Uint8Array(), "empty file"));

  test("text, and a picture with bytes overwritten", async () => {
    await expectReason(Buffer.from("this is no picture, whatever its name says"), "corrupt or truncated");
    const file = await noise(64, 64).png().toBuffer();
    file.fill(0x55, 2000, 4000);
    await expectReason(file, "corrupt or truncated");
  });

  test("files cut at a half, in every format", async () => {
    const files = {
      jpeg: await noise(64, 64).jpeg().toBuffer(),
      png: await noise(64, 64).png().toBuffer(),
      webp: await noise(64, 64).webp({ lossless: true }).toBuffer(),
      avif: await noise(64, 64).avif({ effort: 0 }).toBuffer(),
      gif: await noise(64, 64).gif().toBuffer(),
      tiff: await noise(64, 64).tiff({ compression: "none" }).toBuffer(),
    };
    for (const [format, bytes] of Object.entries(files))
      expect(await decodeImage(bytes.subarray(0, bytes.length >> 1), rgb(64, 64)), format).toBe(
        "corrupt or truncated",
      );
  });

  test("a decompression bomb: a PNG header that claims 50000 x 50000", async () => {
    const file = await solid(0, 0, 0).png().toBuffer();
    file.writeUInt32BE(50_000, 16);
    file.writeUInt32BE(50_000, 20);
    file.writeUInt32BE(crc32(file.subarray(12, 29)), 29);
    await expectReason(file, OVER_PIXELS);
    expect(OVER_PIXELS).toBe("over 128 megapixels");
  });

  test("animated GIF and WebP", async () => {
    const frames = [await solid(255, 0, 0).png().toBuffer(), await solid(0, 0, 255).png().toBuffer()];
    const moving = sharp(frames, { join: { animated: true } });
    await expectReason(await moving.clone().gif().toBuffer(), "animated");
    await expectReason(await moving.clone().webp().toBuffer(), "animated");
  });

  test("a vector drawing", () =>
    expectReason(
      Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>`),
      "format not supported",
    ));
});

test("drawSvg() renders at the wanted shape", async () => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4" fill="#0a141e"/></svg>`;
  expect([...(await drawSvg(svg, rgb(2, 1)))]).toEqual([10, 10, 20, 20, 30, 30]);
});

test("refit() goes through planar and back", async () => {
  const planar = Uint8Array.from({ length: 3 * 2 * 4 }, (_, i) => 10 * i);
  expect([...(await refit(planar, rgb(2, 4), rgb(2, 4)))]).toEqual([...planar]);
  expect([...(await refit(planar, rgb(2, 4), rgb(2, 2)))]).toEqual(
    [1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22].map((i) => 10 * i),
  );
});

async function numbers(result: Promise<Uint8Array | string> | Uint8Array | string): Promise<number[]> {
  const value = await result;
  if (typeof value === "string") throw new Error(`skipped: ${value}`);
  return [...value];
}

/** CRC-32 of PNG and zip (ISO 3309), bit by bit. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
