/**
 * @module PyTorch checkpoints: the zip with one pickle and one entry a storage that `torch.save` has written since
 * version 1.6. Nothing in it is run, unpacked to disk or trusted; what it announces is checked against what it holds.
 */
import { readFileSync, statSync } from "node:fs";
import { crc32 } from "node:zlib";
import { UserError } from "onnxgrad";
import { type Entry, fromBufferPromise } from "yauzl";
import { shown, unpickle } from "./pickle.ts";
import { isTorchTensor, type TorchTensor, torchHooks } from "./torch-tensor.ts";

/** Files beyond this are refused before they are read. */
const MAX_FILE_BYTES = 2 ** 30;
/** A state dict has as many entries as tensors, and a few more. */
const MAX_ENTRIES = 100_000;
/** What TorchScript puts beside the tensors. */
const PROGRAM = /^[^/]+\/(?:code\/|constants\.pkl$)/;
/** Where training scripts keep the state dict of the model, when it is not the whole file. */
const STATE_DICT_KEYS = ["state_dict", "model_state_dict", "model"];
/** How the files of torch before 1.6 begin: a pickle of protocol 2 holding a magic number of 10 bytes. */
const LEGACY_START = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/**
 * The tensors of the state dict in the file `path`, by name, in the order of the file.
 * @throws UserError `torch/missing`, `torch/not-a-checkpoint`, `torch/damaged`, `torch/refused`, `torch/no-tensors`,
 * `pickle/...`: one line that names the file.
 */
export async function readTorchCheckpoint(path: string): Promise<ReadonlyMap<string, TorchTensor>> {
  return await namingFile(path, async () => {
    const entries = await zipEntries(readWhole(path));
    const { pickle, storage } = layout(entries);
    return stateDict(unpickle(pickle, torchHooks(storage)));
  });
}

/** Does `work` on the file `path`; its errors say which file they are about. */
export async function namingFile<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, `cannot load ${JSON.stringify(path)}: ${error.message}`, {
      cause: error,
    });
  }
}

function readWhole(path: string): Buffer {
  let size: number;
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new UserError("torch/not-a-checkpoint", "it is no file.");
    size = found.size;
    if (size <= MAX_FILE_BYTES) return readFileSync(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new UserError(
      "torch/missing",
      code === "ENOENT" ? "there is no such file." : `it cannot be read (${code}).`,
      { cause: error },
    );
  }
  throw new UserError("torch/refused", `it has ${size} bytes, over ${MAX_FILE_BYTES} are not read.`);
}

/** Name and bytes of each entry of a zip. torch.save compresses none, so what is compressed is refused unseen. */
async function zipEntries(file: Buffer): Promise<ReadonlyMap<string, Uint8Array>> {
  const start = file.toString("latin1", 0, LEGACY_START.length);
  if (start === LEGACY_START)
    throw new UserError(
      "torch/not-a-checkpoint",
      "it has the format of torch before 1.6. Load and save it again with a newer torch.",
    );
  if (!start.startsWith("PK\x03\x04"))
    throw new UserError(
      "torch/not-a-checkpoint",
      "it is no PyTorch checkpoint (a zip written by torch.save).",
    );
  const entries = new Map<string, Uint8Array>();
  let total = 0;
  try {
    const zip = await fromBufferPromise(file, { lazyEntries: true });
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName;
      total += entry.compressedSize;
      if (PROGRAM.test(name))
        throw new UserError(
          "torch/not-a-checkpoint",
          "it is a TorchScript program, which holds code. Save model.state_dict() with torch.save.",
        );
      if (entries.size >= MAX_ENTRIES) throw refused(`it has over ${MAX_ENTRIES} entries`);
      if (entries.has(name)) throw refused(`entry ${shown(name)} comes twice`);
      if (
        entry.compressionMethod !== 0 ||
        entry.isEncrypted() ||
        entry.compressedSize !== entry.uncompressedSize
      )
        throw refused(`entry ${shown(name)} is compressed or encrypted, as torch.save does not`);
      if (total > file.length) throw refused("its entries overlap");
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      entries.set(name, checked(entry, file.subarray(fileDataStart, fileDataStart + entry.compressedSize)));
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      "torch/damaged",
      `its zip is damaged or cut off (${String((error as Error).message).split(/[.:\n]/, 1)[0]}).`,
      { cause: error },
    );
  }
  return entries;
}

function refused(why: string): UserError {
  return new UserError("torch/refused", `${why}.`);
}

/** The bytes of an entry, when they are those that were written. */
function checked({ fileName, compressedSize, crc32: expected }: Entry, bytes: Uint8Array): Uint8Array {
  if (bytes.length !== compressedSize || crc32(bytes) !== expected)
    throw new UserError(
      "torch/damaged",
      `checksum of entry ${shown(fileName)} differs. The file is damaged.`,
    );
  return bytes;
}

/** The pickle and the storages; the folder they are in is called after the file that was saved. */
function layout(entries: ReadonlyMap<string, Uint8Array>): {
  readonly pickle: Uint8Array;
  readonly storage: (key: string) => Uint8Array | undefined;
} {
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [name] = pickles;
  if (name === undefined || pickles.length > 1)
    throw new UserError("torch/not-a-checkpoint", "it is a zip, but not one that torch.save wrote.");
  const folder = name.slice(0, -"data.pkl".length);
  const order = entries.get(`${folder}byteorder`);
  if (order !== undefined && Buffer.from(order).toString("latin1") !== "little")
    throw refused("its numbers are not little-endian");
  return { pickle: entries.get(name)!, storage: (key) => entries.get(`${folder}data/${key}`) };
}

/** The map of names to tensors: the value itself, or under one of the usual keys. */
function stateDict(root: unknown): ReadonlyMap<string, TorchTensor> {
  const inner = root instanceof Map ? STATE_DICT_KEYS.map((key) => root.get(key)) : [];
  const dict = [...inner, root].find(
    (value): value is Map<unknown, unknown> =>
      value instanceof Map && [...value.values()].some((item) => isTorchTensor(item)),
  );
  if (dict === undefined)
    throw new UserError(
      "torch/no-tensors",
      "it holds no state dict. Save model.state_dict() with torch.save.",
    );
  const tensors = new Map<string, TorchTensor>();
  for (const [name, value] of dict) {
    if (typeof name !== "string" || !isTorchTensor(value))
      throw new UserError(
        "torch/no-tensors",
        `its ${shown(name)} is no tensor. Save model.state_dict() with torch.save.`,
      );
    tensors.set(name, value);
  }
  return tensors;
}
