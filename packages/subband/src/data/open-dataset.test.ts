import { mkdir, mkdtemp, readdir, rename, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DatasetOptions } from "./dataset-recipes.ts";
import { requireImages } from "./dataset.ts";
import { openDataset } from "./open-dataset.ts";

let root = "";
let folder = "";
let cacheDir = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "subband-open-dataset-"));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(root, "images-"));
  cacheDir = await mkdtemp(join(root, "cache-"));
});

const open = (options: DatasetOptions = {}, source = folder): ReturnType<typeof openDataset> =>
  openDataset(source, { size: { height: 2, width: 2 }, channels: 1, cacheDir, ...options });

/** A grey 2 x 2 PNG of one value. */
function grey(value: number): Promise<Buffer> {
  const raw = { channels: 1, height: 2, width: 2 } as const;
  return sharp(new Uint8Array(4).fill(value), { raw }).png().toBuffer();
}

async function put(name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, bytes);
  return path;
}

/** A tar of the entries, in their order. */
async function tar(entries: Readonly<Record<string, Buffer | string>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, bytes] of Object.entries(entries)) archive.entry({ name }, bytes);
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

const four = (...values: number[]): number[] => values.flatMap((v) => [v, v, v, v]);

describe("openDataset() of a folder", () => {
  test("reads all subfolders in the order of their paths, whatever order they were written in", async () => {
    await put("b/deep/er/4.png", await grey(4));
    await put("a/10.png", await grey(1));
    await put("c.png", await grey(5));
    await put("a/9.png", await grey(2));
    await put("b/3.PNG", await grey(3));
    const set = await open();
    expect([...set.pixels]).toEqual(four(1, 2, 3, 4, 5));
    expect(set).toMatchObject({ count: 5, channels: 1, height: 2, width: 2, skipped: {} });
    expect(set.credit).toContain("images-");
  });

  test("good images survive bad company, counted by reason", async () => {
    await put("1-good.png", await grey(1));
    await put("2-empty.png", "");
    await put("3-text.jpg", "not a picture");
    const whole = await sharp({ create: { width: 64, height: 64, channels: 3, background: "#123" } })
      .jpeg()
      .toBuffer();
    await put("4-cut.jpg", whole.subarray(0, whole.length >> 1));
    const frames = [await grey(1), await grey(200)];
    await put(
      "5-moves.gif",
      await sharp(frames, { join: { animated: true } })
        .gif()
        .toBuffer(),
    );
    await put("6-labels.csv", "a,b");
    await put(".DS_Store", "litter");
    await truncate(await put("7-huge.tiff", ""), 257e6); // sparse: no disk is used
    await symlink(join(folder, "nowhere"), join(folder, "8-dangling.png"));
    await symlink(folder, join(folder, "9-loop"));
    await symlink(join(folder, "1-good.png"), join(folder, "10-link"));
    await put("11-good.png", await grey(2));
    const set = await open();
    expect([...set.pixels]).toEqual(four(1, 2));
    expect(set.skipped).toEqual({
      "empty file": 1,
      "corrupt or truncated": 2,
      animated: 1,
      "not an image file": 2,
      "over 256 MB": 1,
      unreadable: 1,
      "linked folder": 1,
    });
    expect(set.skippedNames).toMatchObject({
      "empty file": ["2-empty.png"],
      "corrupt or truncated": ["3-text.jpg", "4-cut.jpg"],
      "linked folder": ["9-loop"],
      unreadable: ["8-dangling.png"],
    });
    const warnings: string[] = [];
    const again = await open({ onWarning: (message) => warnings.push(message) });
    expect(again.skippedNames, "from the cache").toEqual(set.skippedNames);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('2 corrupt or truncated: "3-text.jpg", "4-cut.jpg"');
    expect(warnings[0]).not.toContain("6-labels.csv");
  });

  test("of many damaged files a few are shown and a hundred kept by name", async () => {
    for (let i = 100; i < 205; i++) await put(`${i}.png`, "x");
    await put("good.png", await grey(1));
    const warnings: string[] = [];
    const set = await open({ onWarning: (message) => warnings.push(message) });
    expect(set.skipped).toEqual({ "corrupt or truncated": 105 });
    expect(set.skippedNames!["corrupt or truncated"]).toHaveLength(100);
    expect(warnings[0]).toContain('"100.png", "101.png", "102.png" and 102 more');
  });

  test("runs and the output of the command are no data, however they are called", async () => {
    await put("a.png", await grey(1));
    await put("runs/old/run.json", "{}");
    await put("runs/old/samples/100.png", await grey(99));
    await put("out/b.png", await grey(98));
    await symlink(join(folder, "out"), join(folder, "..", `${basename(folder)}-link`));
    await symlink(join(folder, "out", "b.png"), join(folder, "c.png"));
    const set = await open({
      exclude: [join(folder, "..", `${basename(folder)}-link`), join(folder, "new")],
    });
    expect([...set.pixels]).toEqual(four(1));
    expect(set.skipped).toEqual({ "folder of a run": 1, "own output": 2 });
    expect(set.skippedNames).toMatchObject({
      "folder of a run": ["runs/old"],
      "own output": ["c.png", "out"],
    });
    // A run that has appeared since is left out though the pixels come from the cache.
    await put("runs/new/run.json", "{}");
    await put("runs/new/samples/100.png", await grey(97));
    const again = await open({ exclude: [join(folder, "out")], onProgress: () => expect.fail("decoded") });
    expect(again.skipped).toMatchObject({ "folder of a run": 2 });
    expect(again.fingerprint).toBe(set.fingerprint);
    // What contains the input does not exclude it.
    expect((await open({ exclude: [folder, root] })).count).toBe(3);
  });

  test("one image opens; whoever needs two refuses", async () => {
    await put("only.png", await grey(7));
    const set = await open();
    expect(set.count).toBe(1);
    expect(() => requireImages(set, 2)).toThrow("has 1; at least 2 are needed");
  });

  test("shapes need not be square, and limit takes the first images", async () => {
    const raw = { channels: 3, height: 2, width: 4 } as const;
    const picture = sharp(
      Uint8Array.from({ length: 24 }, (_, i) => i),
      { raw },
    ).png();
    await put("a.png", await picture.toBuffer());
    await put("b.png", await grey(9));
    const set = await open({ size: { height: 2, width: 4 }, channels: 3, limit: 1 });
    expect(set).toMatchObject({ count: 1, channels: 3, height: 2, width: 4 });
    expect([...set.pixels]).toEqual([0, 1, 2].flatMap((c) => Array.from({ length: 8 }, (_, i) => 3 * i + c)));
  });

  test("progress counts every file", async () => {
    for (let i = 0; i < 6; i++) await put(`${i}.png`, await grey(i));
    const done: number[] = [];
    await open({
      onProgress: (progress) => {
        expect(progress).toMatchObject({ stage: "decode", unit: "images", total: 6 });
        done.push(progress.done);
      },
    });
    expect(done).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("openDataset() decodes once", () => {
  const decodings = async (options: DatasetOptions = {}): Promise<[number, number[]]> => {
    let count = 0;
    const set = await open({ ...options, onProgress: () => count++ });
    return [count, [...set.pixels]];
  };

  test("the second time nothing is decoded; a changed file, size or limit is", async () => {
    const path = await put("a.png", await grey(1));
    await put("b.png", await grey(2));
    expect(await decodings()).toEqual([2, four(1, 2)]);
    expect(await decodings()).toEqual([0, four(1, 2)]);
    expect(await decodings({ limit: 1 })).toEqual([1, four(1)]);
    expect(await decodings({ size: { height: 1, width: 1 } })).toEqual([2, [1, 2]]);
    await writeFile(path, await grey(3));
    await utimes(path, 1e9, 1e9);
    expect(await decodings()).toEqual([2, four(3, 2)]);
    await rm(path);
    expect(await decodings()).toEqual([1, four(2)]);
  });

  test("a file replaced by another of the same size and time is noticed, in an archive too", async () => {
    const [one, other] = [await grey(1), await grey(2)];
    expect(one).toHaveLength(other.length);
    const path = await put("a.png", one);
    await utimes(path, 1e9, 1e9);
    expect(await decodings()).toEqual([1, four(1)]);
    await writeFile(path, other);
    await utimes(path, 1e9, 1e9);
    expect(await decodings(), "written over").toEqual([1, four(2)]);
    await writeFile(`${path}.new`, one);
    await utimes(`${path}.new`, 1e9, 1e9);
    await rename(`${path}.new`, path);
    expect(await decodings(), "renamed over").toEqual([1, four(1)]);

    const archive = join(folder, "set.tar");
    await writeFile(archive, await tar({ "a.png": one }));
    await utimes(archive, 1e9, 1e9);
    expect([...(await open({}, archive)).pixels]).toEqual(four(1));
    await writeFile(archive, await tar({ "a.png": other }));
    await utimes(archive, 1e9, 1e9);
    expect([...(await open({}, archive)).pixels]).toEqual(four(2));
  });

  test("a torn cache file is made anew", async () => {
    await put("a.png", await grey(1));
    await decodings();
    const [name] = await readdir(cacheDir);
    await truncate(join(cacheDir, name!), 100);
    expect(await decodings()).toEqual([1, four(1)]);
    expect(await decodings()).toEqual([0, four(1)]);
  });

  test("a cache that cannot be written is a warning, not a failure", async () => {
    await put("a.png", await grey(1));
    const inTheWay = await put("file", "");
    const warnings: string[] = [];
    const set = await open({
      cacheDir: join(inTheWay, "cache"),
      onWarning: (message) => warnings.push(message),
    });
    expect([...set.pixels]).toEqual(four(1));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("cannot cache");
  });
});

describe("openDataset() of an archive", () => {
  test("reads a tar; limit counts images only", async () => {
    const entries: Record<string, Buffer | string> = { "readme.txt": "hello" };
    for (const value of [3, 1, 2]) entries[`x/${value}.png`] = await grey(value);
    const path = await put("set.tar", await tar(entries));
    const set = await open({}, path);
    expect([...set.pixels]).toEqual(four(3, 1, 2));
    expect(set.skipped).toEqual({ "not an image file": 1 });
    expect([...(await open({ limit: 2 }, path)).pixels]).toEqual(four(3, 1));
    expect([...(await open({}, path)).pixels]).toEqual(four(3, 1, 2));
  });

  test("leaves runs in it out, wherever their run.json stands in the order", async () => {
    const path = await put(
      "set.tar",
      await tar({
        "x/runs/a/samples/100.png": await grey(99),
        "x/runs/a/run.json": "{}",
        "x/runs/ab.png": await grey(2),
        "x/photo.heic": "no matter what",
      }),
    );
    const set = await open({}, path);
    expect([...set.pixels]).toEqual(four(2));
    expect(set.skippedNames).toEqual({
      "folder of a run": ["x/runs/a"],
      "format not supported": ["x/photo.heic"],
    });
  });
});

describe("openDataset() refuses in one line", () => {
  const refusal = async (
    code: string,
    part: string,
    source = folder,
    options: DatasetOptions = {},
  ): Promise<void> => {
    const error: unknown = await open(options, source).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "UserError", code });
    expect((error as Error).message).toContain(part);
    expect((error as Error).message).not.toContain("\n");
  };

  test("a missing folder, with the nearest known name", async () => {
    await refusal("data/missing", `no such data: "${join(folder, "none")}"`, join(folder, "none"));
    await refusal("data/missing", 'Did you mean "cifar10"?', "cifar-10");
  });

  test("an empty folder, and one without images", async () => {
    await refusal("data/empty", "it is empty");
    await put("notes.txt", "x");
    await refusal("data/empty", "1 not an image file");
  });

  test("a folder with no image left", async () => {
    await put("a.png", "");
    await put("b.jpg", "x");
    await refusal("data/none-left", "1 empty file, 1 corrupt or truncated");
  });

  test("a file that is no archive, and an archive that cannot be read", async () => {
    await refusal("data/not-images", "not a folder or archive", await put("picture.png", await grey(1)));
    await refusal(
      "data/none-left",
      "1 archive damaged",
      await put("broken.zip", "PK\x03\x04 and then nothing"),
    );
  });

  test("a size that is none", async () => {
    for (const size of [
      { height: 0, width: 2 },
      { height: 2, width: 2.5 },
      { height: 2, width: 5000 },
    ])
      await refusal("data/bad-size", "whole numbers in 1..4096", folder, { size });
  });
});
