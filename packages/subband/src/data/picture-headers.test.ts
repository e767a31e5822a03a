import { readFileSync } from "node:fs";
import { rng } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { statesAdobeRgb } from "./adobe-rgb.ts";
import { greyToSrgb } from "./grey-curve.ts";
import { heifHeader } from "./heif-header.ts";
import { profileFit } from "./icc-profile.ts";
import { jpegHeader, withMissingEnd } from "./jpeg-header.ts";
import { headerRefusal } from "./picture-kinds.ts";
import { pngHeader } from "./png-header.ts";
import { tiffHeader } from "./tiff-header.ts";

const cases = JSON.parse(
  readFileSync(new URL("fixtures/pictures.json", import.meta.url), "utf8"),
) as readonly { readonly name: string; readonly file: string }[];
const fileOf = (name: string): Buffer =>
  Buffer.from(cases.find((each) => each.name === name)!.file, "base64");

describe("the headers of pictures", () => {
  test("are read without a failure, whatever bytes are flipped, cut off or made up", () => {
    const random = rng(0, "headers");
    for (const { file } of cases) {
      const whole = Buffer.from(file, "base64");
      for (let i = 0; i < 20; i++) {
        const bytes = Buffer.from(whole.subarray(0, 1 + (random.uint32() % whole.length)));
        for (let k = 0; k < 1 + (i % 5); k++)
          bytes[random.uint32() % Math.min(bytes.length, 300)] = random.uint32() >>> 24;
        expect(() => headerRefusal(bytes)).not.toThrow();
        expect(() => withMissingEnd(bytes)).not.toThrow();
        expect(() => profileFit(bytes, 3)).not.toThrow();
        expect(() => profileFit(bytes, 1)).not.toThrow();
        expect(() => statesAdobeRgb(bytes)).not.toThrow();
      }
    }
  });

  test("say nothing of files of another format", () => {
    const [png, jpeg, tiff, avif] = ["png rgb 8", "jpeg rgb", "tiff rgb 8", "avif 8"].map(fileOf);
    for (const other of [jpeg!, tiff!, avif!]) expect(pngHeader(other)).toBeUndefined();
    for (const other of [png!, tiff!, avif!]) expect(jpegHeader(other)).toBeUndefined();
    for (const other of [png!, jpeg!, avif!]) expect(tiffHeader(other)).toBeUndefined();
    for (const other of [png!, jpeg!, tiff!]) expect(heifHeader(other)).toBeUndefined();
  });

  test("are bounded in time: circles of directories, millions of boxes and of chunks", () => {
    const began = performance.now();
    const circle = fileOf("tiff rgb 8");
    const entries = circle.readUInt16LE(8);
    circle.writeUInt32LE(8, 8 + 2 + 12 * entries);
    expect(tiffHeader(circle)).toBeUndefined();

    const boxes = Buffer.alloc(32e6);
    boxes.write("\0\0\0\x10ftypavif", "latin1");
    for (let at = 16; at < boxes.length; at += 8) boxes.writeUInt32BE(8, at);
    expect(heifHeader(boxes)).toMatchObject({ isSequence: false });

    const chunks = Buffer.alloc(32e6);
    chunks.write("\x89PNG\r\n\x1a\n", "latin1");
    expect(pngHeader(chunks)).toEqual({ frames: 1, hasProfile: false, isSrgb: false });
    // A tenth of that on an idle machine; without bounds it would be far more.
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe("profileFit()", () => {
  test("survives a grey profile with any bytes flipped or cut off, and then no table is built from it", () => {
    const file = fileOf("tiff gray 8, gray profile");
    const at = file.indexOf("acsp") - 36;
    const whole = file.subarray(at, at + file.readUInt32BE(at));
    expect(profileFit(whole, 1)).toBe("fits");
    expect(profileFit(whole, 3)).toBe("of another colour space");
    expect(profileFit(whole.subarray(0, -4), 1)).toBe("damaged");
    const random = rng(1, "profiles");
    for (let i = 0; i < 2000; i++) {
      const bytes = Buffer.from(whole);
      for (let k = 0; k < 1 + (i % 4); k++) bytes[random.uint32() % bytes.length] = random.uint32() >>> 24;
      if (profileFit(bytes, 1) === "fits") expect(() => greyToSrgb(bytes, 255)).not.toThrow();
    }
  });
});

describe("withMissingEnd()", () => {
  test("adds the end that is missing, and only that", () => {
    const whole = fileOf("jpeg rgb");
    expect(withMissingEnd(whole)).toBeUndefined();
    expect(withMissingEnd(Buffer.concat([whole, Buffer.from("junk")]))).toBeUndefined();
    expect(withMissingEnd(whole.subarray(0, -2))).toEqual(whole);
    expect(withMissingEnd(fileOf("png rgb 8"))).toBeUndefined();
  });
});
