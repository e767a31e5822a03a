import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Picture, readPicture, requireWritable, writePicture } from "./picture.ts";
import { testPicture } from "./pictures.testing.ts";

let dir: string;
const at = (name: string): string => join(dir, name);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-picture-"));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const rgb = { raw: { width: 4, height: 6, channels: 3 as const } };
const colourful = Uint8Array.from({ length: 4 * 6 * 3 }, (_, i) => (i * 37) % 256);

describe("readPicture() and writePicture()", () => {
  test("keep samples, depth, colours and alpha", async () => {
    for (const colours of [1, 3] as const)
      for (const alpha of [false, true])
        for (const deep of [false, true])
          for (const extension of ["png", "tiff"]) {
            const picture = testPicture({ height: 7, width: 11, colours, alpha, deep, noise: 0.1 });
            const what = `${colours} colours, alpha ${alpha}, deep ${deep}, ${extension}`;
            await writePicture(at(`kept.${extension}`), picture);
            const found = await readPicture(at(`kept.${extension}`), true);
            expect(found, what).toEqual(picture);
          }
  });

  test("a profile stays with its samples in a PNG, and is converted elsewhere", async () => {
    const tagged = await sharp(colourful, rgb).withIccProfile("p3").png().toBuffer();
    writeFileSync(at("p3.png"), tagged);
    const raw = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    const kept = await readPicture(at("p3.png"), true);
    expect([...kept.samples]).toEqual([...raw]);
    expect(kept.notes).toEqual([]);
    await writePicture(at("again.png"), kept);
    const { icc } = await sharp(at("again.png")).metadata();
    expect(icc?.equals((await sharp(tagged).metadata()).icc!)).toBe(true);
    expect([...(await readPicture(at("again.png"), true)).samples]).toEqual([...raw]);
    const converted = await readPicture(at("p3.png"), false);
    expect(converted.profile).toBeUndefined();
    expect(converted.notes).toEqual([expect.stringMatching(/colour profile .* was converted to sRGB/)]);
    expect(Math.max(...colourful.map((v, i) => Math.abs(v - converted.samples[i]!)))).toBeLessThan(8);
  });

  test("a profile is kept only where the samples are in it, and what became of it is told", async () => {
    const cases = JSON.parse(
      readFileSync(new URL("../data/fixtures/pictures.json", import.meta.url), "utf8"),
    ) as {
      name: string;
      file: string;
      refused?: string;
      samples: number[];
      profile?: boolean;
      raw?: number[];
    }[];
    for (const { name, file, refused, samples, profile, raw } of cases) {
      const source = { name, bytes: Buffer.from(file, "base64") };
      if (refused !== undefined) {
        const error: unknown = await readPicture(source, true).catch((e: unknown) => e);
        expect(error, name).toMatchObject({
          name: "UserError",
          code: expect.stringMatching(/^picture\//) as string,
        });
        expect((error as Error).message, name).toMatch(
          /^(?:"[^"\n]+" (?:is|has) [^\n]+|not a [^\n]+: "[^"\n]+")\. [A-Z][^\n]+\.$/,
        );
        continue;
      }
      const [kept, converted] = [await readPicture(source, true), await readPicture(source, false)];
      expect(kept.profile !== undefined, name).toBe(profile === true);
      expect(converted.profile, name).toBeUndefined();
      const says = (picture: Picture): string => picture.notes.join();
      if (profile === true) {
        expect(kept.notes, name).toEqual([]);
        expect(says(converted), name).toMatch(/^the colour profile of .* was converted to sRGB/);
        // A conversion that is claimed has happened, wherever it changes something.
        const differs = raw!.some((v, i) => Math.abs(v - samples[i]!) > 5) && samples.length === raw!.length;
        if (differs) expect(converted.samples, name).not.toEqual(kept.samples);
      } else {
        expect(says(kept), name).toBe(says(converted));
        expect(converted.samples, name).toEqual(kept.samples);
        const told = /cmyk|ycck/.test(name)
          ? "is CMYK"
          : /damaged|(png .*another space)/.test(name)
            ? "is damaged"
            : undefined;
        if (told === undefined)
          expect(says(kept), name).toMatch(/^$|is (damaged or )?of another colour space/);
        else expect(says(kept), name).toContain(told);
      }
    }
  });

  test("EXIF orientation is honoured and CMYK converted", async () => {
    writeFileSync(
      at("turned.jpg"),
      await sharp(colourful, rgb).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    );
    expect(await readPicture(at("turned.jpg"), true)).toMatchObject({ width: 6, height: 4 });
    writeFileSync(at("cmyk.jpg"), await sharp(colourful, rgb).toColourspace("cmyk").jpeg().toBuffer());
    const cmyk = await readPicture(at("cmyk.jpg"), true);
    expect(cmyk).toMatchObject({ colours: 3, alpha: false });
    expect(cmyk.notes).toEqual([`"${at("cmyk.jpg")}" is CMYK; it was converted to sRGB.`]);
  });

  test("what a format cannot hold is told", async () => {
    const deep = testPicture({ height: 4, width: 4, alpha: true, deep: true });
    const notes = await writePicture(at("lost.jpg"), deep);
    expect(notes.join(" ")).toMatch(/holds 8 bits a sample.*cannot hold transparency/);
    expect((await readPicture(at("lost.jpg"), true)).alpha).toBe(false);
  });

  test("what cannot be read is refused in one line", async () => {
    const frames = { raw: { ...rgb.raw, pageHeight: 3 } };
    writeFileSync(at("moving.gif"), await sharp(colourful, frames).gif().toBuffer());
    writeFileSync(at("empty.png"), "");
    writeFileSync(at("text.png"), "not a picture");
    const whole = await sharp(testPicture({ height: 64, width: 64, noise: 0.2 }).samples, {
      raw: { width: 64, height: 64, channels: 1 },
    })
      .jpeg()
      .toBuffer();
    writeFileSync(at("cut.jpg"), whole.subarray(0, whole.length / 2));
    for (const [name, code, message] of [
      ["gone.png", "picture/missing", "no such picture"],
      [".", "picture/missing", "not a file"],
      ["moving.gif", "picture/animated", "has 2 frames"],
      ["empty.png", "picture/broken", "empty file"],
      ["text.png", "picture/broken", "not a picture, or a broken one"],
      ["cut.jpg", "picture/broken", "not a picture, or a broken one"],
    ] as const)
      await expect(readPicture(at(name), true), name).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message) as string,
      });
  });

  test("every format holds the longest side that is let through, and a longer one is refused before writing", async () => {
    for (const [extension, longest] of [
      ["webp", 16_383],
      ["jpg", 65_500],
      ["JPEG", 65_500],
      ["png", 200_000], // more than any format with a bound
      ["tif", 200_000],
    ] as const)
      for (const turned of [false, true]) {
        const strip = (length: number): Picture => ({
          ...testPicture({ height: 1, width: length }),
          ...(turned && { height: length, width: 1 }),
        });
        const path = at(`long.${extension}`);
        await writePicture(path, strip(longest));
        const { height, width } = await sharp(readFileSync(path)).metadata();
        expect([height, width], path).toEqual(turned ? [longest, 1] : [1, longest]);
        if (longest === 200_000) continue;
        const before = readFileSync(path);
        const refusal = `cannot write "${path}": the picture will have ${turned ? `1 x ${longest + 1}` : `${longest + 1} x 1`} pixels, and`;
        expect(() => requireWritable(path, strip(longest + 1)), path).toThrow(refusal);
        await expect(writePicture(path, strip(longest + 1)), path).rejects.toMatchObject({
          code: "picture/size",
        });
        expect(readFileSync(path).equals(before), path).toBe(true);
      }
  });

  test("an unknown extension is refused and nothing written", async () => {
    const before = readdirSync(dir);
    await expect(writePicture(at("a.bmp"), testPicture({ height: 2, width: 2 }))).rejects.toThrow(
      'unknown extension ".bmp". Known: .png, .tif, .tiff, .webp, .jpg, .jpeg.',
    );
    expect(readdirSync(dir)).toEqual(before);
  });
});
