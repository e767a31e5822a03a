import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atOnce } from "onnxgrad";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DatasetContents } from "./dataset.ts";
import { cacheFolder, cachePath, fingerprinting, readCache, writeCache } from "./pixel-cache.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "subband-pixel-cache-"));
});
afterAll(() => rm(folder, { recursive: true }));

const pixels = Uint8Array.from({ length: 5 * 3 * 4 * 2 }, (_, i) => i);
const labels = Uint8Array.from([4, 3, 2, 1, 0]);
const contents: DatasetContents = {
  name: "tiny",
  channels: 3,
  height: 4,
  width: 2,
  pixels,
  labels,
  licence: "CC0",
  credit: "nobody, 2020",
  skipped: { animated: 2 },
  fingerprint: atOnce(fingerprinting(pixels, labels)),
};

describe("readCache()", () => {
  test("gives back what writeCache() wrote, labels or none, and leaves no temporary file", async () => {
    const path = join(folder, "made", "tiny.pixels");
    await writeCache(path, contents);
    expect(await readCache(path)).toEqual(contents);
    const { labels: _, ...unlabelled } = contents;
    const bare = { ...unlabelled, fingerprint: atOnce(fingerprinting(pixels, undefined)) };
    await writeCache(path, bare);
    expect(await readCache(path)).toEqual(bare);
    expect(await readdir(join(folder, "made"))).toEqual(["tiny.pixels"]);
  });

  test("a folder that takes none is told, not tried for ever", async () => {
    await expect(writeCache("/proc/none/deep/tiny.pixels", contents)).rejects.toThrow(
      /ENOENT|EACCES|EROFS|EPERM/,
    );
    await writeFile(join(folder, "file"), "");
    await expect(writeCache(join(folder, "file", "tiny.pixels"), contents)).rejects.toThrow(/ENOTDIR|EEXIST/);
    await Promise.all([1, 2, 3].map((i) => writeCache(join(folder, "at", "once", `${i}.pixels`), contents)));
    expect(await readdir(join(folder, "at", "once"))).toHaveLength(3);
  });

  test("refuses a missing file, a file cut anywhere, and one with any byte changed", async () => {
    const path = join(folder, "torn.pixels");
    expect(await readCache(path)).toBeUndefined();
    await writeCache(path, contents);
    const whole = await readFile(path);
    for (let length = 0; length < whole.length; length += 13) {
      await writeFile(path, whole.subarray(0, length));
      expect(await readCache(path), `cut at ${length}`).toBeUndefined();
    }
    for (let at = 0; at < whole.length; at += 7) {
      const altered = Buffer.from(whole);
      altered[at]! ^= 0x10;
      await writeFile(path, altered);
      const read = await readCache(path);
      // A changed letter of the name, licence or credit is not a changed picture; the pixels must be right.
      if (read !== undefined) expect([read.pixels, read.labels], `byte ${at}`).toEqual([pixels, labels]);
      if (at >= whole.length - pixels.length - labels.length) expect(read, `byte ${at}`).toBeUndefined();
    }
  });
});

test("writeCache() that fails leaves the old file and no litter", async () => {
  const path = join(folder, "kept.pixels");
  await writeCache(path, contents);
  const before = await stat(path);
  const broken = { ...contents, labels: { length: 5 } as unknown as Uint8Array };
  await expect(writeCache(path, broken)).rejects.toThrow();
  expect((await stat(path)).ino).toBe(before.ino);
  expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("cachePath() depends on every part of the identity and is a safe file name", () => {
  const paths = [{ a: 1 }, { a: 2 }, { a: 1, b: 0 }].map((identity) =>
    cachePath("/c", "../my set", identity),
  );
  expect(new Set(paths).size).toBe(3);
  expect(paths[0]).toMatch(/^\/c\/\.\._my_set-[0-9a-f]{24}\.pixels$/);
});

test("SUBBAND_CACHE moves the cache folder", () => {
  const before = process.env["SUBBAND_CACHE"];
  process.env["SUBBAND_CACHE"] = "/elsewhere";
  expect(cacheFolder()).toBe("/elsewhere");
  process.env["SUBBAND_CACHE"] = "";
  expect(cacheFolder()).toContain("subband");
  if (before === undefined) delete process.env["SUBBAND_CACHE"];
  else process.env["SUBBAND_CACHE"] = before;
});
