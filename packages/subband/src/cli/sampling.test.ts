import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Picture, readPicture, writePicture } from "../restoration/picture.ts";
import { meanOfNine, testPicture } from "../restoration/pictures.testing.ts";
import { localModel } from "../systems/parts/local/model.ts";
import { saveModel } from "../training/model-file.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

let dir: string;
const at = (name: string): string => join(dir, name);
const size = { height: 20, width: 24 };
const square = (side: number, value: (i: number) => number): Picture => ({
  height: side,
  width: side,
  colours: 1,
  alpha: false,
  samples: Uint8Array.from({ length: side * side }, (_, i) => value(i)),
  notes: [],
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main([...argv, "--model", at("model")], io);
  return { code, out: io.out, err: io.err };
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "subband-sampling-"));
  saveModel(at("model"), localModel(meanOfNine(), []));
  await writePicture(at("gray.png"), testPicture(size));
  await writePicture(at("colour.png"), testPicture({ ...size, colours: 3, alpha: true }));
  const mask = { ...testPicture(size), samples: new Uint8Array(480).fill(0) };
  for (const i of [100, 101, 102, 124, 125, 126]) mask.samples[i] = 255;
  await writePicture(at("mask.png"), mask);
  await writePicture(
    at("small-mask.png"),
    square(5, () => 255),
  );
  await writePicture(at("full-mask.png"), { ...mask, samples: mask.samples.map(() => 255) });
  await writePicture(at("no-mask.png"), { ...mask, samples: mask.samples.map(() => 0) });
  await writePicture(
    at("kernel.png"),
    square(3, () => 200),
  );
  await writePicture(
    at("even.png"),
    square(4, () => 200),
  );
  await writePicture(
    at("black.png"),
    square(3, () => 0),
  );
  await writePicture(
    at("wide.png"),
    square(33, () => 9),
  );
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe("subband upscale", () => {
  test("writes a picture whose block means are the input, and alpha with it", async () => {
    const { code } = await run("upscale", at("colour.png"), "--factor", "2", "--out", at("large.png"));
    expect(code).toBe(0);
    const [small, large] = [
      await readPicture(at("colour.png"), true),
      await readPicture(at("large.png"), true),
    ];
    expect(large).toMatchObject({ width: 48, height: 40, colours: 3, alpha: true });
    for (let y = 0; y < 20; y++)
      for (let x = 0; x < 24; x++)
        for (let c = 0; c < 3; c++) {
          let sum = 0;
          for (const [dy, dx] of [
            [0, 0],
            [0, 1],
            [1, 0],
            [1, 1],
          ] as const)
            sum += large.samples[((2 * y + dy) * 48 + 2 * x + dx) * 4 + c]!;
          const want = small.samples[(y * 24 + x) * 4 + c]!;
          // Each of the four is rounded by up to 1/2; weighting by alpha moves what is hardly to be seen.
          const seen = small.samples[(y * 24 + x) * 4 + 3]! / 255;
          expect(seen * Math.abs(sum / 4 - want), `row ${y}, column ${x}, colour ${c}`).toBeLessThan(0.51);
        }
  });
});

describe("subband inpaint", () => {
  test("changes marked pixels only; samples differ there only; the same seed gives the same picture", async () => {
    const inpaint = (out: string, ...more: string[]) =>
      run("inpaint", at("gray.png"), "--mask", at("mask.png"), "--out", at(out), "--json", ...more);
    const { code, out } = await inpaint("filled.png", "--samples", "3", "--uncertainty", at("map.png"));
    expect(code).toBe(0);
    const { pictures } = JSON.parse(out) as { pictures: Record<string, number>[] };
    expect(pictures[0]).toMatchObject({
      filled: 6,
      samples: 3,
      seed: 0,
      sigma: 0,
      uncertainty: at("map.png"),
    });
    const [before, after, mask, map] = await Promise.all(
      ["gray.png", "filled.png", "mask.png", "map.png"].map((name) => readPicture(at(name), true)),
    );
    for (const [i, marked] of mask!.samples.entries()) {
      if (marked === 0)
        expect([after!.samples[i], map!.samples[i]], `pixel ${i}`).toEqual([before!.samples[i], 0]);
      else expect(Math.abs(after!.samples[i]! - before!.samples[i]!), `pixel ${i}`).toBeLessThan(64);
    }
    expect(Math.max(...map!.samples)).toBe(255);
    await inpaint("again.png", "--samples", "3");
    expect((await readPicture(at("again.png"), true)).samples).toEqual(after!.samples);
    await inpaint("other.png", "--samples", "3", "--seed", "1");
    expect((await readPicture(at("other.png"), true)).samples).not.toEqual(after!.samples);
  });
});

test("a mask painted on transparency fills in what is painted; one that can be read both ways is refused", async () => {
  const paint = (name: string, marked: readonly number[], rest: readonly number[]): Promise<unknown> => {
    const samples = new Uint8Array(4 * 480);
    for (let i = 0; i < 480; i++) samples.set([100, 101, 124, 125].includes(i) ? marked : rest, 4 * i);
    return writePicture(at(name), { ...testPicture({ ...size, colours: 3, alpha: true }), samples });
  };
  await paint("paint.png", [0, 0, 0, 255], [255, 255, 255, 0]);
  await paint("hole.png", [0, 0, 0, 0], [90, 120, 60, 255]);
  const found = await run("inpaint", at("gray.png"), "--mask", at("paint.png"), "--json");
  expect(found.code, found.err).toBe(0);
  expect(JSON.parse(found.out)).toMatchObject({ pictures: [{ filled: 4 }] });
  const refused = await run("inpaint", at("gray.png"), "--mask", at("hole.png"));
  expect(refused).toMatchObject({ code: 1, out: "" });
  expect(refused.err).toMatch(/^error: the mask has alpha, and 99 % of it is painted[^\n]*\n$/);
});

describe("subband deblur", () => {
  test("comes nearer to the picture that was blurred", async () => {
    const sharp = testPicture({ height: 30, width: 36, noise: 0.15 });
    const blurred = { ...sharp, samples: sharp.samples.slice() };
    for (let y = 0; y < 30; y++)
      for (let x = 0; x < 36; x++) {
        let sum = 0;
        for (const dy of [-1, 0, 1])
          for (const dx of [-1, 0, 1])
            sum += sharp.samples[Math.min(29, Math.max(0, y + dy)) * 36 + Math.min(35, Math.max(0, x + dx))]!;
        blurred.samples[y * 36 + x] = Math.round(sum / 9);
      }
    await writePicture(at("sharp.png"), sharp);
    await writePicture(at("blurred.png"), blurred);
    const { code, out } = await run(
      "deblur",
      at("blurred.png"),
      "--kernel",
      at("kernel.png"),
      "--sigma",
      "0",
      "--compare",
      at("sharp.png"),
      "--json",
    );
    expect(code).toBe(0);
    const { pictures } = JSON.parse(out) as { pictures: Record<string, { psnr: number }>[] };
    expect(pictures[0]!["after"]!.psnr).toBeGreaterThan(pictures[0]!["before"]!.psnr + 1);
  });
});

test("wrong requests are refused in one line, and nothing is written", async () => {
  mkdirSync(at("photos"));
  await writePicture(at("photos/a.png"), testPicture(size));
  writeFileSync(at("broken.png"), "no");
  const gray = at("gray.png");
  const before = readdirSync(dir, { recursive: true }).map(String).toSorted();
  for (const [exit, argv, message] of [
    [2, ["upscale", gray], "required option '--factor <n>' not specified"],
    [2, ["upscale", gray, "--factor", "3"], "Known: 2, 4, 8."],
    [
      1,
      ["upscale", gray, "--factor", "2", "--uncertainty", at("m.png"), "--samples", "1"],
      "--samples of 2 or more",
    ],
    [1, ["upscale", at("photos"), "--factor", "2", "--uncertainty", at("m.png")], "Give it a picture."],
    [
      1,
      ["upscale", gray, "--factor", "2", "--method", "conditional"],
      "this one has 0. Take --method measured",
    ],
    [
      1,
      ["upscale", gray, "--factor", "2", "--method", "conditional", "--sigma", "0.1"],
      "takes the picture as it is",
    ],
    [
      2,
      ["upscale", gray, "--factor", "2", "--method", "bicubic"],
      "Allowed choices are measured, conditional",
    ],
    [1, ["upscale", gray, "--factor", "2", "--uncertainty", at("m.bmp")], 'unknown extension ".bmp"'],
    [1, ["inpaint", gray, "--mask", at("gone.png")], "no such picture"],
    [1, ["inpaint", gray, "--mask", at("broken.png")], "not a picture, or a broken one"],
    [1, ["inpaint", gray, "--mask", at("small-mask.png")], "the mask has 5 x 5 pixels, the picture 24 x 20."],
    [1, ["inpaint", gray, "--mask", at("full-mask.png")], "the mask marks the whole picture"],
    [1, ["inpaint", gray, "--mask", at("no-mask.png")], "the mask marks nothing"],
    [1, ["deblur", gray, "--kernel", at("even.png")], "the kernel has 4 x 4 pixels; it needs odd sides"],
    [1, ["deblur", gray, "--kernel", at("black.png")], "sums to zero"],
    [1, ["deblur", gray, "--kernel", at("wide.png")], "more than the picture's 24 x 20"],
    [2, ["deblur", gray, "--kernel", at("kernel.png"), "--sigma", "-1"], "Give auto, or a deviation"],
  ] as const) {
    const { code, out, err } = await run(...argv);
    const what = argv.join(" ");
    expect([code, out], what).toEqual([exit, ""]);
    expect(err, what).toMatch(/^error: [^\n]+\n$/);
    expect(err, what).toContain(message);
  }
  expect(readdirSync(dir, { recursive: true }).map(String).toSorted()).toEqual(before);
});
