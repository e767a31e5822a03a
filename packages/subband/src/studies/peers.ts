/**
 * @module Denoisers from outside in a study: the noisy pictures are written as raw float32 with a list, another program
 * denoises them, and its results are read back and measured here, with the yardstick of all.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { slices, UserError } from "onnxgrad";
import { psnr } from "../evaluation/psnr.ts";
import { writeFileAtomic } from "../training/atomic-file.ts";
import { makeFolder } from "../training/run-directory.ts";
import type { Method } from "./method.ts";
import { addNoise, type Picture } from "./noisy-pictures.ts";

/** Columns of the list `noisy.csv` that {@link dumpNoisy} writes: `crc32` is that of the file `noisy`. */
const DUMP_COLUMNS = ["picture", "sigma", "channels", "height", "width", "clean", "noisy", "crc32"] as const;

/** Columns of a peer's results: `crc32` is that of the noisy picture which it denoised, `file` lies beside the list. */
const PEER_COLUMNS = ["method", "picture", "sigma", "crc32", "ms", "psnr_out", "file"] as const;
type PeerRow = Readonly<Record<(typeof PEER_COLUMNS)[number], string>>;

/** A peer's own PSNR must be what is found here, to this many dB. */
const TOLERANCE_DB = 0.01;

/** Name of the list. */
const DUMP_LIST = "noisy.csv";
const cleanName = (picture: number): string => `${picture}-clean.f32`;
const noisyName = (picture: number, sigma: number): string => `${picture}-sigma${sigma}.f32`;

/** Names of the files that {@link dumpNoisy} writes. */
export function dumpFiles(pictures: number, sigmas: readonly number[]): string[] {
  const indices = Array.from({ length: pictures }, (_, i) => i);
  return [DUMP_LIST, ...indices.flatMap((i) => [cleanName(i), ...sigmas.map((s) => noisyName(i, s))])];
}

/**
 * Writes every noisy picture, and the clean ones, as little-endian float32 `[channels, height, width]`, and the list of
 * them, `noisy.csv`; returns its path. `onFile` is told of each file when it is written; throw from it to stop.
 * @throws UserError `file/...`.
 */
export async function dumpNoisy(
  folder: string,
  pictures: readonly Picture[],
  sigmas: readonly number[],
  seed: number,
  onFile?: () => void,
): Promise<string> {
  makeFolder(folder);
  const pause = slices();
  const write = async (name: string, content: Uint8Array | string): Promise<void> => {
    writeFileAtomic(join(folder, name), content);
    await pause();
    onFile?.();
  };
  const lines = [DUMP_COLUMNS.join(",")];
  for (const [i, picture] of pictures.entries()) {
    const { name, channels, height, width, data } = picture;
    const clean = cleanName(i);
    await write(clean, bytesOf(data));
    for (const sigma of sigmas) {
      const bytes = bytesOf(addNoise(picture, sigma, seed));
      const noisy = noisyName(i, sigma);
      await write(noisy, bytes);
      lines.push([plain(name), sigma, channels, height, width, clean, noisy, crc32(bytes)].join(","));
    }
  }
  await write(DUMP_LIST, `${lines.join("\n")}\n`);
  return join(folder, DUMP_LIST);
}

/**
 * The methods in a peer's list of results, in the order of the list.
 * @throws UserError `peers/missing`, `peers/format`.
 */
export function readPeers(file: string): Method[] {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    // a device or a pipe may have no end
    throw new UserError(
      "peers/missing",
      `no such list of results: "${file}". Dump the noisy pictures, then run bench/peers/skimage_denoise.py on the folder.`,
    );
  const [header = "", ...lines] = readFileSync(file, "utf8").trim().split(/\r?\n/);
  const columns = header.split(",");
  const missing = PEER_COLUMNS.filter((column) => !columns.includes(column));
  if (missing.length > 0)
    throw new UserError(
      "peers/format",
      `"${file}" has no column ${missing.join(", ")}. Expected: ${PEER_COLUMNS.join(",")}.`,
    );
  const rows = lines.map((line, i) => {
    const cells = line.split(",");
    if (cells.length !== columns.length)
      throw new UserError(
        "peers/format",
        `"${file}" line ${i + 2} has ${cells.length} cells; expected ${columns.length}, without quotes.`,
      );
    return Object.fromEntries(columns.map((column, c) => [column, cells[c]!])) as PeerRow;
  });
  const names = [...new Set(rows.map(({ method }) => method))];
  return names.map((name) =>
    peerMethod(
      name,
      file,
      rows.filter(({ method }) => method === name),
    ),
  );
}

/** The method whose results are `rows`. */
function peerMethod(name: string, list: string, rows: readonly PeerRow[]): Method {
  return {
    name,
    isPeer: true,
    parameters: undefined,
    macsPerPixel: undefined,
    ready: () =>
      Promise.resolve({
        async denoise(noisy, picture, sigma) {
          const of = `"${name}" in "${list}"`;
          const row = rows.find(
            (each) => each.picture === plain(picture.name) && Number(each.sigma) === sigma,
          );
          if (row === undefined)
            throw new UserError(
              "peers/incomplete",
              `${of} has no result for ${picture.name} at sigma ${sigma}. Dump the noisy pictures again and run the peer on them.`,
            );
          if (Number(row.crc32) !== crc32(bytesOf(noisy)))
            throw new UserError(
              "peers/noise",
              `${of} denoised other noise at sigma ${sigma} of ${picture.name}: another seed, size or picture. Dump the noisy ` +
                `pictures again and run the peer on them.`,
            );
          const path = join(dirname(list), row.file);
          const bytes = existsSync(path) ? readFileSync(path) : undefined;
          if (bytes?.length !== 4 * noisy.length)
            throw new UserError(
              "peers/file",
              `${of}: "${path}" ${bytes === undefined ? "is missing" : `has ${bytes.length} bytes; expected ${4 * noisy.length}`}. ` +
                `Run the peer again.`,
            );
          const image = new Float32Array(new Uint8Array(bytes).buffer);
          const found = psnr(image, picture.data);
          if (!(Math.abs(found - Number(row.psnr_out)) < TOLERANCE_DB))
            throw new UserError(
              "peers/psnr",
              `${of} says ${row.psnr_out} dB at sigma ${sigma} of ${picture.name}; its picture has ${found.toFixed(3)}. The ` +
                `list and the pictures do not belong together.`,
            );
          return { image, ms: Number(row.ms) };
        },
        dispose: () => Promise.resolve(),
      }),
  };
}

/** A name as it stands in a list without quotes. */
const plain = (name: string): string => name.replaceAll(/[,\s"]/g, "_");

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
