import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeImage } from "./decode-image.ts";
import { isRefusal, openPicture, readSamples } from "./read-picture.ts";

/** One row of fixtures/pictures.json, made by fixtures/make-pictures.py. */
interface Case {
  readonly name: string;
  /** The encoded picture, base64. */
  readonly file: string;
  /** Why it is to be refused; all that follows is absent then. */
  readonly refused?: string;
  readonly height: number;
  readonly width: number;
  readonly colours: 1 | 3;
  readonly bits: 8 | 16;
  readonly alpha: boolean;
  /** In sRGB, upright. */
  readonly samples: readonly number[];
  readonly tolerance: number;
  /** Whether it has a profile that fits, and the samples in it. */
  readonly profile?: boolean;
  readonly raw?: readonly number[];
  /** What is told about it. */
  readonly note?: string;
}

const cases = JSON.parse(
  readFileSync(new URL("fixtures/pictures.json", import.meta.url), "utf8"),
) as readonly Case[];
const valid = cases.filter(({ refused }) => refused === undefined);

/** Greatest difference of two lists of samples. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (v, i) => Math.abs(v - b[i]!)).reduce((x, y) => Math.max(x, y), 0);
}

describe("readSamples() finds what other programs find", () => {
  test.each(valid)("$name", async ({ file, samples, tolerance, raw, profile, note, ...want }) => {
    const found = await openPicture(Buffer.from(file, "base64"));
    if (isRefusal(found)) throw new Error(found.what);
    const { colours, bits, alpha } = want;
    expect(found).toMatchObject({ colours, bits, alpha });
    const converted = await readSamples(found);
    expect(converted).toMatchObject({ height: want.height, width: want.width });
    expect(converted.samples).toBeInstanceOf(bits === 16 ? Uint16Array : Uint8Array);
    expect(distance(converted.samples, samples)).toBeLessThanOrEqual(tolerance);

    // A profile is kept only where the samples are really in it; lossless ones are then as they were stored.
    expect(found.profile !== undefined).toBe(profile === true);
    expect(found.profileProblem === "damaged").toBe(note === "damaged");
    if (raw === undefined) return;
    const kept = await readSamples(found, true);
    expect(distance(kept.samples, raw)).toBeLessThanOrEqual(
      /^(png|tiff|webp)/.test(want.name) ? 0 : tolerance,
    );
  });
});

describe("decodeImage() trains on the same pictures", () => {
  test.each(valid)("$name", async ({ file, samples, tolerance, height, width, colours, bits, alpha }) => {
    const found = await decodeImage(Buffer.from(file, "base64"), { channels: 3, height, width });
    if (typeof found === "string") throw new Error(found);
    // On white, planar, 8 bits.
    const [stride, peak, area] = [colours + (alpha ? 1 : 0), 2 ** bits - 1, height * width];
    const want = Array.from({ length: 3 * area }, (_, i) => {
      const pixel = (i % area) * stride;
      const opacity = alpha ? samples[pixel + colours]! / peak : 1;
      const value = samples[pixel + (colours === 1 ? 0 : Math.floor(i / area))]! / peak;
      return 255 * (1 - opacity + opacity * value);
    });
    // 16 bits are cut to 8, alpha is rounded once more.
    expect(distance(found, want)).toBeLessThanOrEqual((255 * tolerance) / peak + 1.5);
  });
});

describe("openPicture() and decodeImage() refuse the others by name", () => {
  const NAMES: Readonly<Record<string, readonly [code: string, reason: RegExp]>> = {
    animated: ["animated", /^animated$/],
    pages: ["pages", /^several pages$/],
    depth: ["depth", /^(8|12|16|32|64)-bit (signed |float |complex )?samples$/],
    lab: ["colour", /^CIE Lab$/],
    prem: ["alpha", /^premultiplied alpha$/],
    hdr: ["colour", /^HDR$/],
    gamut: ["colour", /^other primaries without a profile$/],
    gamma: ["colour", /^other gamma without a profile$/],
    channels: ["channels", /^5 channels$/],
    format: ["format", /^format not supported$/],
    broken: ["broken", /^corrupt or truncated$/],
  };
  test.each(cases.filter(({ refused }) => refused !== undefined))("$name", async ({ file, refused }) => {
    const bytes = Buffer.from(file, "base64");
    const [code, reason] = NAMES[refused!]!;
    const found = await openPicture(bytes);
    // What is damaged may show only when the pixels are decoded.
    if (refused !== "broken") expect(found).toMatchObject({ code });
    for (const side of [4, 64])
      expect(await decodeImage(bytes, { channels: 3, height: side, width: side })).toMatch(reason);
  });
});
