import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { faceSvg } from "./faces.ts";
import { openDataset } from "./open-dataset.ts";

let cacheDir = "";
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "subband-faces-"));
});
afterAll(() => rm(cacheDir, { recursive: true }));

/** Fill of the background rectangle. */
const background = (svg: string): string => /<rect fill="(#\w+)" width="768"/.exec(svg)?.[1] ?? "none";

describe("faceSvg()", () => {
  test("is a function of seed and number", () => {
    expect(faceSvg(1, 2, 64)).toBe(faceSvg(1, 2, 64));
    expect(faceSvg(1, 3, 64)).not.toBe(faceSvg(1, 2, 64));
    expect(faceSvg(2, 2, 64)).not.toBe(faceSvg(1, 2, 64));
  });

  test("draws background colours evenly, and hardly ever the same face twice", () => {
    const count = 600;
    const drawings = Array.from({ length: count }, (_, i) => faceSvg(0, i, 64));
    expect(new Set(drawings).size).toBeGreaterThan(0.97 * count);
    const colours = new Map<string, number>();
    for (const svg of drawings) colours.set(background(svg), (colours.get(background(svg)) ?? 0) + 1);
    expect(colours.size).toBe(6);
    const chiSquare = [...colours.values()].reduce((sum, n) => sum + (n - 100) ** 2 / 100, 0);
    expect(chiSquare).toBeLessThan(20.5); // 99.9 % point of chi-square with 5 degrees of freedom
  });
});

describe('openDataset("faces")', () => {
  test("is drawn at 64 x 64 in colour, with licence and credit", async () => {
    const set = await openDataset("faces", { limit: 24, cacheDir });
    expect(set).toMatchObject({ name: "faces", count: 24, channels: 3, height: 64, width: 64, skipped: {} });
    expect(set.licence).toContain("CC BY 4.0");
    expect(set.credit).toContain("Johan Melin");
    // The top left corner is background, the middle of the face is not.
    for (let i = 0; i < set.count; i++) {
      const corner = `#${[0, 1, 2].map((c) => set.pixels[(3 * i + c) * 4096]!.toString(16).padStart(2, "0")).join("")}`;
      expect(corner, `face ${i}`).toBe(background(faceSvg(0, i, 64)));
      const middle = [0, 1, 2].map((c) => set.pixels[(3 * i + c) * 4096 + 40 * 64 + 32]!);
      expect(middle[0]! - middle[2]!, `face ${i}: skin is redder than blue`).toBeGreaterThan(20);
    }
  });

  test("another seed gives other faces; any shape can be drawn", async () => {
    const options = { limit: 4, size: { height: 16, width: 24 }, channels: 1, cacheDir } as const;
    const [a, b] = [await openDataset("faces", options), await openDataset("faces", { ...options, seed: 1 })];
    expect(a).toMatchObject({ count: 4, channels: 1, height: 16, width: 24 });
    expect(a.fingerprint).not.toBe(b.fingerprint);
  });
});
