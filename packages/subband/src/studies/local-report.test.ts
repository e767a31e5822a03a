import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { roundTicks } from "./line-chart.ts";
import { type LocalReportRequest, reportLocalStudy } from "./local-report.ts";
import type { Method } from "./method.ts";
import { smallPicture } from "./narrow-model.testing.ts";
import { busiestCrop } from "./study-strip.ts";
import { parseGain } from "./study-tables.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-report-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Leaves `share` of the noise: 20 log10(1 / share) dB better than the noisy picture. */
const keeps = (name: string, share: number, macsPerPixel?: number): Method => ({
  name,
  isPeer: macsPerPixel === undefined,
  parameters: macsPerPixel === undefined ? undefined : 1234,
  macsPerPixel,
  ready: () =>
    Promise.resolve({
      denoise: (noisy, { data }) =>
        Promise.resolve({ image: noisy.map((v, i) => data[i]! + share * (v - data[i]!)), ms: 8 }),
      dispose: () => Promise.resolve(),
    }),
});

const request = (out: string, more: Partial<LocalReportRequest> = {}): LocalReportRequest => ({
  methods: [keeps("ours", 0.1, 2000), keeps("theirs <1>", 0.2, 8000), keeps("peer", 0.5)],
  pictures: [smallPicture("a"), smallPicture("b", 32, 32)],
  sigmas: [10, 25, 50],
  seed: 0,
  gains: [parseGain("ours, theirs <1>")],
  stripSigma: 40,
  out,
  ...more,
});

describe("reportLocalStudy()", () => {
  test("writes a CSV line a result, tables, a figure with a line a method in each panel, and a strip", async () => {
    const out = join(dir, "new", "report");
    const { rows, markdown, files } = await reportLocalStudy(request(out));
    expect(rows).toHaveLength(3 * 2 * 3);
    expect(files.map((file) => existsSync(file))).toEqual([true, true, true, true]);
    expect(readFileSync(join(out, "results.csv"), "utf8").trim().split("\n")).toHaveLength(1 + 18);
    expect(readFileSync(join(out, "tables.md"), "utf8")).toBe(markdown);

    // 20 log10(0.2 / 0.1) = 6.02 dB at every level, with a quarter of the operations.
    expect(markdown).toMatch(/\| ours over theirs <1> \| \+6\.02 \| \+6\.02 \| \+6\.02 at \d+ \| 0\.25x \|/);
    expect(markdown).toContain("| ours | 1,234 | 2.0 |");

    const svg = readFileSync(join(out, "psnr.svg"), "utf8");
    const lines = [...svg.matchAll(/<g class="series"><title>([^<]*)<\/title>/g)].map(([, name]) => name);
    expect(lines).toEqual(["ours", "theirs &lt;1&gt;", "peer", "ours", "theirs &lt;1&gt;", "peer"]);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(await sharp(Buffer.from(svg)).metadata()).toMatchObject({ format: "svg" });

    // Noisy, three methods, clean: one row of five, of 16 pixels at twice the size.
    const strip = await sharp(join(out, "strip.png")).metadata();
    expect([strip.width, strip.height]).toEqual([5 * (32 + 6) + 6, 32 + 6 + 22 + 6]);
  });

  test("shows the noisy crop first and the clean one last, at the nearest level", async () => {
    const out = join(dir, "strip");
    const picture = smallPicture("a", 16, 16);
    await reportLocalStudy(request(out, { pictures: [picture], methods: [keeps("none", 1, 1)], gains: [] }));
    const { data, info } = await sharp(join(out, "strip.png")).raw().toBuffer({ resolveWithObject: true });
    const at = (field: number, x: number, y: number) =>
      data[((28 + 2 * y) * info.width + 6 + field * 38 + 2 * x) * info.channels]!;
    for (const [x, y] of [
      [0, 0],
      [5, 9],
      [15, 15],
    ] as const)
      expect(Math.abs(at(2, x, y) - 255 * picture.data[16 * y + x]!), `clean at ${x}, ${y}`).toBeLessThan(1);
    let error = 0;
    for (let i = 0; i < 256; i++) error += (at(0, i % 16, i >> 4) - 255 * picture.data[i]!) ** 2;
    expect(Math.sqrt(error / 256)).toBeGreaterThan(40); // sigma 50, some of it clipped
    expect(Math.sqrt(error / 256)).toBeLessThan(55);
  });

  test("refuses names that it does not know before it runs anything", async () => {
    const out = join(dir, "unknown");
    await expect(reportLocalStudy(request(out, { reference: "our" }))).rejects.toThrow(
      /^unknown method: "our"\. Did you mean "ours"\?/,
    );
    await expect(reportLocalStudy(request(out, { gains: [parseGain("ours,pear")] }))).rejects.toThrow(
      /^unknown method: "pear"\. Did you mean "peer"\?/,
    );
    await expect(
      reportLocalStudy(request(out, { methods: [keeps("a", 1), keeps("a", 2)] })),
    ).rejects.toMatchObject({ code: "study/name" });
    expect(existsSync(out)).toBe(false);
    expect(() => parseGain("ours")).toThrow(/^gain: "ours"/);
  });
});

describe("roundTicks()", () => {
  test.each([
    [-0.17, 34.1, 8, [-5, 0, 5, 10, 15, 20, 25, 30, 35]],
    [0.21, 0.83, 7, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]],
    [3, 3, 5, [3, 3.0000000005]],
  ])("covers %d..%d with about %d", (low, high, count, ticks) => {
    const found = roundTicks(low, high, count);
    expect(found[0]).toBeLessThanOrEqual(low);
    expect(found.at(-1)).toBeGreaterThanOrEqual(high);
    if (low !== high) expect(found).toEqual(ticks);
    else expect(found.length).toBeGreaterThan(1);
  });
});

describe("busiestCrop()", () => {
  test("finds where there is something to see", () => {
    const flat = { ...smallPicture("flat", 64, 96), data: new Float32Array(64 * 96).fill(0.5) };
    for (let y = 40; y < 60; y++) for (let x = 70; x < 90; x++) flat.data[96 * y + x] = (x + y) % 2;
    expect(busiestCrop(flat, 32)).toEqual({ top: 32, left: 64, side: 32 });
    expect(busiestCrop(flat, 128).side).toBe(64);
  });
});
