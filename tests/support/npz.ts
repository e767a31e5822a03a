/**
 * @module Test support: reads NumPy's `.npz` (a zip of `.npy` arrays) and finds the folder of outside truth that may
 * stand beside a checkout.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";

/** An array of an `.npz`: row-major values with their shape. */
export interface NpyArray {
  readonly data: Float64Array | Float32Array | Uint8Array;
  readonly shape: readonly number[];
}

/** Path of `name` in `../shared/data` beside the repository, or undefined (said on stderr) when it is not there. */
export function sharedData(name: string): string | undefined {
  const path = fileURLToPath(new URL(`../../../shared/data/${name}`, import.meta.url));
  if (existsSync(path)) return path;
  process.stderr.write(`skipped: ${name} is not in ../shared/data beside the repository\n`);
  return undefined;
}

/** All arrays of an `.npz` file by name (without `.npy`). */
export function readNpz(path: string): Map<string, NpyArray> {
  const file = readFileSync(path);
  const arrays = new Map<string, NpyArray>();
  const end = file.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  let entry = file.readUInt32LE(end + 16); // of the central directory
  for (let left = file.readUInt16LE(end + 10); left > 0; left--) {
    const method = file.readUInt16LE(entry + 10);
    const size = file.readUInt32LE(entry + 20);
    const nameLength = file.readUInt16LE(entry + 28);
    const local = file.readUInt32LE(entry + 42);
    const name = file.toString("utf8", entry + 46, entry + 46 + nameLength);
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const stored = file.subarray(start, start + size);
    arrays.set(name.replace(/\.npy$/, ""), readNpy(method === 0 ? stored : inflateRawSync(stored)));
    entry += 46 + nameLength + file.readUInt16LE(entry + 30) + file.readUInt16LE(entry + 32);
  }
  return arrays;
}

/** One `.npy` array of version 1, little-endian f8, f4 or bytes, C order. */
function readNpy(bytes: Buffer): NpyArray {
  const bodyAt = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, bodyAt);
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").flatMap((n) => {
    return n.trim() === "" ? [] : [Number(n)];
  });
  if (/'fortran_order': True/.test(header)) throw new Error("npy: column-major arrays are not read");
  const body = new Uint8Array(bytes.subarray(bodyAt)).buffer; // a copy, so that it is aligned
  if (type === "<f8") return { data: new Float64Array(body), shape };
  if (type === "<f4") return { data: new Float32Array(body), shape };
  if (type === "|u1") return { data: new Uint8Array(body), shape };
  throw new Error(`npy: type ${type} is not read`);
}
