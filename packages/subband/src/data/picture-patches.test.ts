import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "./open-dataset.ts";
import { cutPatches, patchPlaces } from "./picture-patches.ts";

const tile = { height: 8, width: 8 };
const gray = { channels: 1, ...tile } as const;

/** Grey levels x + 4 y, lossless. */
const ramp = (width: number, height: number): Promise<Buffer> =>
  sharp(
    Uint8Array.from({ length: width * height }, (_, i) => (i % width) + 4 * Math.floor(i / width)),
    {
      raw: { width, height, channels: 1 },
    },
  )
    .png()
    .toBuffer();

describe("patchPlaces()", () => {
  test("are tiles of either size within the picture that do not overlap, centred", () => {
    const places = patchPlaces({ height: 35, width: 50 }, tile, 1000, "a.png");
    // 4 x 6 tiles of 50 x 35, 2 x 3 of 25 x 17.
    expect(places.filter(({ halvings }) => halvings === 0)).toHaveLength(24);
    expect(places.filter(({ halvings }) => halvings === 1)).toHaveLength(6);
    expect(places[0]).toEqual({ halvings: 0, top: 1, left: 1 });
    expect(places[24]).toEqual({ halvings: 1, top: 0, left: 0 });
    expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(30);
  });

  test("are as many of either size, or what there is", () => {
    const count = (most: number, halvings: number) =>
      patchPlaces({ height: 35, width: 50 }, tile, most, "a").filter((each) => each.halvings === halvings)
        .length;
    expect([count(8, 0), count(8, 1)]).toEqual([4, 4]);
    expect([count(20, 0), count(20, 1)]).toEqual([14, 6]);
    expect(patchPlaces({ height: 7, width: 50 }, tile, 8, "a")).toEqual([]);
    expect(patchPlaces({ height: 8, width: 15 }, tile, 8, "a")).toHaveLength(1);
  });

  test("depend on the name alone", () => {
    const of = (name: string) => patchPlaces({ height: 200, width: 300 }, tile, 10, name);
    expect(of("a")).toEqual(of("a"));
    expect(of("a")).not.toEqual(of("b"));
  });
});

describe("cutPatches()", () => {
  test("takes pixels as they are at full size, and their averages at half", async () => {
    const cut = await cutPatches(await ramp(16, 16), gray, { most: 99, name: "ramp" });
    if (typeof cut === "string") throw new Error(cut);
    const patches = cut.pixels;
    expect(patches).toHaveLength(5 * 64);
    // The last tile of full size starts at (8, 8).
    expect(patches[3 * 64]).toBe(8 + 4 * 8);
    expect(patches[3 * 64 + 9]).toBe(9 + 4 * 9);
    // Half a pixel further in either direction: 0.5 + 2, where the smoothing kernel is whole.
    expect(Math.abs(patches[4 * 64 + 9 * 3]! - (6.5 + 4 * 6.5))).toBeLessThanOrEqual(1);
  });

  test("makes colour of grey and grey of colour, and names pictures that are too small", async () => {
    const colour = await cutPatches(await ramp(16, 16), { ...gray, channels: 3 }, { most: 1, name: "x" });
    expect(colour).toMatchObject({ pixels: { length: 3 * 64 } });
    expect(await cutPatches(await ramp(7, 30), gray, { most: 1, name: "x" })).toBe("smaller than a patch");
    expect(await cutPatches(new Uint8Array([1, 2]), gray, { most: 1, name: "x" })).toBe(
      "corrupt or truncated",
    );
  });
});

describe("openDataset() with patches", () => {
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "subband-patches-"));
    mkdirSync(join(dir, "pictures"));
    for (const [name, side] of [
      ["a", 40],
      ["b", 24],
      ["c", 4],
    ] as const)
      writeFileSync(join(dir, "pictures", `${name}.png`), await ramp(side, side));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test("has the patches of all pictures in their order, from the cache too", async () => {
    const options = { size: tile, channels: 1, cacheDir: join(dir, "cache") } as const;
    const dataset = await openDataset(join(dir, "pictures"), { ...options, patches: 6 });
    expect(dataset.count).toBe(6 + 6);
    expect(dataset.skipped).toEqual({ "smaller than a patch": 1 });
    const again = await openDataset(join(dir, "pictures"), { ...options, patches: 6 });
    expect(again.fingerprint).toBe(dataset.fingerprint);
    for (const each of [dataset, again])
      expect([...each.pictures!]).toEqual([...Array<number>(6).fill(0), ...Array<number>(6).fill(1)]);
    expect((await openDataset(join(dir, "pictures"), options)).count).toBe(3);
    await expect(openDataset("faces", { ...options, patches: 6 })).rejects.toThrow(/its images are small/);
  });

  test("take copies of a picture for one picture, whatever their names and formats", async () => {
    const folder = join(dir, "copies");
    mkdirSync(folder);
    writeFileSync(join(folder, "a.png"), await ramp(40, 40));
    writeFileSync(join(folder, "b.png"), await ramp(40, 40));
    writeFileSync(
      join(folder, "c.tif"),
      await sharp(await ramp(40, 40))
        .tiff({ compression: "lzw" })
        .toBuffer(),
    );
    writeFileSync(join(folder, "d.png"), await ramp(41, 40));
    const dataset = await openDataset(folder, {
      ...{ size: tile, channels: 1, patches: 4, cacheDir: join(dir, "cache") },
    });
    expect([...dataset.pictures!]).toEqual([...Array<number>(12).fill(0), ...Array<number>(4).fill(1)]);
  });
});
