import sharp from "sharp";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { markedOf } from "./mask.ts";
import { type Picture, readPicture } from "./picture.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-mask-"));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const [HEIGHT, WIDTH] = [30, 40];
/** The square of 6 x 6 that every mask here means. */
const square = (y: number, x: number): boolean => y >= 9 && y < 15 && x >= 20 && x < 26;
const wanted = Uint8Array.from({ length: HEIGHT * WIDTH }, (_, i) =>
  square(Math.floor(i / WIDTH), i % WIDTH) ? 1 : 0,
);

type Pixel = readonly number[];

/** A picture of one pixel value in the square and another around it: 1 to 4 channels, the last of 2 or 4 alpha. */
function painted(inside: Pixel, around: Pixel, deep = false): Picture {
  const samples = new (deep ? Uint16Array : Uint8Array)(HEIGHT * WIDTH * inside.length);
  for (const [i, marked] of wanted.entries()) samples.set(marked === 1 ? inside : around, i * inside.length);
  return {
    ...{ height: HEIGHT, width: WIDTH, samples, notes: [] },
    colours: inside.length < 3 ? 1 : 3,
    alpha: inside.length % 2 === 0,
  };
}

describe("markedOf()", () => {
  test.each<readonly [string, Pixel, Pixel]>([
    ["white on black", [255, 255, 255], [0, 0, 0]],
    ["gray above the middle on black", [128], [0]],
    ["white on dark gray", [255], [60]],
    ["red on black", [255, 0, 0], [0, 0, 0]],
    ["green on black", [0, 255, 0], [0, 0, 0]],
    ["blue on black", [0, 0, 255], [0, 0, 0]],
    ["white on transparent black", [255, 255, 255, 255], [0, 0, 0, 0]],
    ["white on transparent white", [255, 255, 255, 255], [255, 255, 255, 0]],
    ["black on transparent black", [0, 0, 0, 255], [0, 0, 0, 0]],
    ["black on transparent white", [0, 0, 0, 255], [255, 255, 255, 0]],
    ["red on transparent black", [255, 0, 0, 255], [0, 0, 0, 0]],
    ["dark green on transparent white", [0, 90, 0, 255], [255, 255, 255, 0]],
    ["blue on transparent red", [0, 0, 255, 255], [255, 0, 0, 0]],
    ["gray and alpha: black on transparency", [0, 255], [0, 0]],
    ["a brush of 40 %", [255, 0, 0, 102], [0, 0, 0, 0]],
    ["opaque paint on a faint layer", [0, 0, 0, 255], [255, 255, 255, 20]],
    ["white on black, both opaque in a layer of 50 %", [255, 255, 255, 128], [0, 0, 0, 128]],
    ["white on black, alpha nearly opaque", [255, 255, 255, 255], [0, 0, 0, 250]],
    ["white on black, alpha opaque", [255, 255], [0, 255]],
  ])("%s", (_, inside, around) => {
    for (const deep of [false, true]) {
      const scale = (pixel: Pixel): Pixel => pixel.map((value) => (deep ? 257 * value : value));
      const found = markedOf(painted(scale(inside), scale(around), deep));
      expect([found.count, found.notes]).toEqual([36, []]);
      expect(found.pixels).toEqual(wanted);
    }
  });

  test("where black and white are both painted beside transparency, white is marked", () => {
    const mask = painted([255, 255, 255, 255], [0, 0, 0, 255]);
    for (let i = 0; i < 300; i++) mask.samples.set([255, 255, 255, 0], 4 * i);
    expect(markedOf(mask).pixels).toEqual(wanted);
  });

  test("what is opaque with a hole cut out is refused, because it may mean either", () => {
    const colours: readonly (readonly [Pixel, Pixel])[] = [
      [
        [0, 0, 0, 0],
        [90, 130, 60, 255],
      ],
      [
        [255, 255, 255, 0],
        [0, 0, 0, 255],
      ],
      [
        [255, 0],
        [130, 255],
      ],
    ];
    for (const [hole, around] of colours)
      expect(() => markedOf(painted(hole, around)), String(around)).toThrow(
        /^the mask has alpha, and 97 % of it is painted: .*Save it without alpha, white where to fill in/,
      );
  });

  test("nothing and everything are refused, each with its remedy", () => {
    for (const [inside, around, message] of [
      [[0], [0], "marks nothing: it is dark everywhere"],
      [[100, 100, 100, 255], [0, 0, 0, 255], "marks nothing: it is dark everywhere"],
      [[255, 255, 255, 0], [0, 0, 0, 0], "marks nothing: its alpha is 0 everywhere"],
      [[255], [200], "marks the whole picture: it is light everywhere"],
      [[255, 0, 0], [255, 255, 255], "marks the whole picture: it is light everywhere"],
    ] as const)
      expect(() => markedOf(painted(inside, around)), message).toThrow(message);
  });

  test("what looks like a mistake is told", () => {
    expect(markedOf(painted([0], [255])).notes).toEqual([
      "the mask marks 97 % of the picture: white is filled in, black is kept.",
    ]);
    expect(markedOf(painted([140], [100])).notes).toEqual([
      expect.stringMatching(/^much of the mask is neither black nor white, as in a photograph/),
    ]);
  });

  test("files of every depth, palettes, one bit and turned pictures are masks alike", async () => {
    const plain = painted([255, 255, 255], [0, 0, 0]);
    const raw = { raw: { height: HEIGHT, width: WIDTH, channels: 3 as const } };
    const image = () => sharp(plain.samples, raw);
    const clear = painted([200, 0, 0, 255], [255, 255, 255, 0]);
    const layer = () => sharp(clear.samples, { raw: { ...raw.raw, channels: 4 } });
    const files: readonly (readonly [string, Promise<Buffer>])[] = [
      ["palette.png", image().png({ palette: true, colours: 2 }).toBuffer()],
      ["clear-palette.png", layer().png({ palette: true, colours: 4 }).toBuffer()],
      ["bit.png", image().toColourspace("b-w").png({ palette: true, colours: 2 }).toBuffer()],
      ["bit.tif", image().toColourspace("b-w").threshold(128).tiff({ bitdepth: 1 }).toBuffer()],
      ["clear.webp", layer().webp({ lossless: true }).toBuffer()],
      ["rough.jpg", image().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer()],
      ["deep.png", image().toColourspace("rgb16").png().toBuffer()],
      // Stored turned by a quarter, with a tag that says so.
      ["turned.jpg", image().rotate(-90).withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toBuffer()],
    ];
    for (const [name, bytes] of files) {
      writeFileSync(join(dir, name), await bytes);
      expect(markedOf(await readPicture(join(dir, name), true)).pixels, name).toEqual(wanted);
    }
  });
});
