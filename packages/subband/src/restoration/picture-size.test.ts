import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodePicture, readPicture } from "./picture.ts";
import { pictureSize } from "./picture-size.ts";
import { testPicture } from "./pictures.testing.ts";

let dir: string;
const at = (name: string): string => join(dir, name);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-size-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("the size is that of the picture read, upright, from a file and from bytes", async () => {
  const image = sharp({ create: { width: 7, height: 5, channels: 3, background: "red" } });
  for (const orientation of [1, 3, 6, 8]) {
    const path = at(`${orientation}.jpg`);
    await image.clone().jpeg().withMetadata({ orientation }).toFile(path);
    const { height, width } = await readPicture(path, true);
    expect(await pictureSize(path)).toEqual({ height, width });
    expect(width).toBe(orientation < 5 ? 7 : 5);
  }
  const picture = testPicture({ height: 12, width: 15, deep: true });
  for (const name of ["a.png", "a.tiff", "a.webp", "a.jpg"]) {
    const { bytes } = await encodePicture(name, picture);
    expect(await pictureSize({ name, bytes })).toEqual({ height: 12, width: 15 });
    expect(await readPicture({ name, bytes }, true)).toMatchObject({ height: 12, width: 15 });
  }
});

test("what is no picture has none, and a pipe is not waited for", async () => {
  writeFileSync(at("broken.png"), "no");
  execFileSync("mkfifo", [at("pipe.png")]);
  for (const name of ["broken.png", "pipe.png", "missing.png", "."])
    expect(await pictureSize(at(name))).toBeUndefined();
  await expect(readPicture({ name: "-", bytes: new Uint8Array([1]) }, true)).rejects.toThrow(
    'or a broken one: "-"',
  );
});
