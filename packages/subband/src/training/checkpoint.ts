/**
 * @module Checkpoints: tensors and string metadata in a safetensors file with a checksum over every byte. Each name is
 * only ever given to a whole file, and the old one is kept until the new one has its name, so that whatever moment a
 * crash chooses, a good checkpoint can be found. Which tensors, and what they mean, is the trainer's business.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import {
  atOnce,
  decodingSafetensors,
  inSlices,
  invariant,
  type NamedArray,
  safetensorsPieces,
  UserError,
} from "onnxgrad";
import { requireFinite } from "../nn/finite-weights.ts";
import { type FileSystem, syncFolder, writeError, writingFileAtomic } from "./atomic-file.ts";
import { readLargeFile } from "./regular-file.ts";

/** What a checkpoint holds. */
export interface Checkpoint {
  /** Float32 arrays by name, e.g. `State.tensors()`. */
  readonly tensors: ReadonlyMap<string, NamedArray>;
  /** Counters and the like. Keys must be no whole numbers, and not `sha256`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A checkpoint read back. */
export interface LoadedCheckpoint extends Checkpoint {
  /** Name of the file it came from. */
  readonly file: string;
  /** Size of that file. */
  readonly bytes: number;
  /** One line for the user when a newer checkpoint was damaged and this older one is used. */
  readonly warning: string | undefined;
}

const CURRENT = "state.safetensors";
const PREVIOUS = "state.previous.safetensors";
/** The new one between being whole and being called the current one. */
const NEXT = "state.next.safetensors";

/** How every file starts after its 8-byte header length: puts the checksum at a fixed place. */
const HEADER_START = '{"__metadata__":{"sha256":"';
const CHECKSUM_AT = 8 + HEADER_START.length;
const CHECKSUM_LENGTH = 64;
/** Bytes that are added to the checksum at a time: some milliseconds' worth. */
const PIECE_BYTES = 1 << 22;
/** What stands in the place of the checksum while it is computed. */
const BLANK = "0".repeat(CHECKSUM_LENGTH);

/**
 * Saves a checkpoint in the folder `dir`; the one before stays as `state.previous.safetensors`. Equal checkpoints give
 * equal bytes, whatever the order of names. Only for the holder of the run's lock.
 * @throws UserError `file/disk-full`, ... of `writeFileAtomic`; what was saved before is intact then.
 */
export function saveCheckpoint(dir: string, checkpoint: Checkpoint, files: FileSystem = fs): void {
  atOnce(savingCheckpoint(dir, checkpoint, files));
}

/** {@link saveCheckpoint} in pieces; the arrays must not change until the last. */
export function* savingCheckpoint(
  dir: string,
  checkpoint: Checkpoint,
  files: FileSystem = fs,
): Generator<void, void> {
  const current = join(dir, CURRENT);
  const next = join(dir, NEXT);
  yield* writingFileAtomic(next, yield* encodingCheckpoint(checkpoint), files);
  try {
    // Between the two renames there is no current one, but `next` is whole, and loading looks there first.
    if (fs.existsSync(current)) files.renameSync(current, join(dir, PREVIOUS));
    files.renameSync(next, current);
    syncFolder(dir, files);
  } catch (error) {
    throw writeError(current, undefined, error);
  }
}

/**
 * The newest good checkpoint of the folder `dir`, or undefined when there is none at all.
 * @throws UserError `checkpoint/damaged` when there are some and none is good; `checkpoint/unreadable`; `nn/not-finite` when it
 * is whole, but holds what is no number: nothing older is taken in its place unasked.
 */
export async function loadCheckpoint(dir: string): Promise<LoadedCheckpoint | undefined> {
  const damaged: string[] = [];
  for (const file of [NEXT, CURRENT, PREVIOUS]) {
    const bytes = await readIfPresent(join(dir, file));
    if (bytes === undefined) continue;
    const found = await inSlices(decodingCheckpoint(bytes, join(dir, file), () => remedy(dir, file)));
    if (typeof found === "string") damaged.push(`${file} (${found})`);
    else
      return {
        ...found,
        file,
        bytes: bytes.length,
        warning:
          damaged.length === 0
            ? undefined
            : `damaged checkpoint: ${damaged.join(", ")} in "${dir}"; using ${file}, which is older.`,
      };
  }
  if (damaged.length === 0) return undefined;
  throw new UserError(
    "checkpoint/damaged",
    `damaged checkpoint: no good one is left in "${dir}": ${damaged.join(", ")}. Restore a copy, or train into a new folder.`,
  );
}

/** What can be done about a checkpoint of a run that holds what is no number. */
function remedy(dir: string, file: string): string {
  const older = [CURRENT, PREVIOUS].find(
    (name) => name > "" && name !== file && fs.existsSync(join(dir, name)),
  );
  return older === undefined
    ? "Restore a copy of the run, or train into a new folder with a lower --lr."
    : `Restore a copy of the run, or delete this file to go back to ${older}.`;
}

/** Whether the folder `dir` has a checkpoint, good or damaged. */
export function hasCheckpoint(dir: string): boolean {
  return [NEXT, CURRENT, PREVIOUS].some((file) => fs.existsSync(join(dir, file)));
}

/** The bytes of a checkpoint: a safetensors file whose metadata hold its checksum, in one order whatever was given. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.concat(atOnce(encodingCheckpoint(checkpoint)));
  return new Uint8Array(buffer, byteOffset, length);
}

/** The same as one buffer after the other, made in pieces: the arrays lie where they were given. */
function* encodingCheckpoint({ tensors, metadata }: Checkpoint): Generator<void, readonly Uint8Array[]> {
  const pieces = safetensorsPieces({
    tensors: new Map(byName([...tensors])),
    metadata: { sha256: BLANK, ...Object.fromEntries(byName(Object.entries(metadata))) },
  });
  const [header] = pieces;
  invariant(
    metadata["sha256"] === undefined && startsAsExpected(header),
    "metadata keys of a checkpoint must be no whole numbers, and not sha256",
  );
  header.set(new TextEncoder().encode(yield* checksumming(pieces)), CHECKSUM_AT);
  return pieces;
}

/**
 * The contents of what {@link encodeCheckpoint} wrote to `path`, or what is wrong with them; in pieces.
 * @throws UserError `nn/not-finite`, naming the file and the array, with a remedy.
 */
export function* decodingCheckpoint(
  bytes: Uint8Array,
  path: string,
  remedy: () => string,
): Generator<void, Checkpoint | string> {
  if (bytes.length < CHECKSUM_AT + CHECKSUM_LENGTH) return `cut off after ${bytes.length} bytes`;
  if (!startsAsExpected(bytes)) return "not a checkpoint of subband";
  const stored = latin1(bytes, CHECKSUM_AT, CHECKSUM_LENGTH);
  if (stored !== (yield* checksumming([bytes]))) return "checksum differs";
  const { tensors, metadata } = yield* decodingSafetensors(bytes);
  try {
    requireFinite(tensors, remedy());
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, `cannot use "${path}": ${error.message}`, { cause: error });
  }
  return {
    tensors,
    metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => key !== "sha256")),
  };
}

/** SHA-256 of a file, with zeros in the place of the checksum itself, hex; in whatever buffers it is, that is in the first. */
function* checksumming(buffers: readonly Uint8Array[]): Generator<void, string> {
  const hash = createHash("sha256").update(buffers[0]!.subarray(0, CHECKSUM_AT)).update(BLANK);
  for (const [i, bytes] of buffers.entries())
    for (let at = i === 0 ? CHECKSUM_AT + CHECKSUM_LENGTH : 0; at < bytes.length; at += PIECE_BYTES) {
      hash.update(bytes.subarray(at, at + PIECE_BYTES));
      yield;
    }
  return hash.digest("hex");
}

function startsAsExpected(bytes: Uint8Array): boolean {
  return latin1(bytes, 8, HEADER_START.length) === HEADER_START;
}

function latin1(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("latin1");
}

function byName<T>(entries: [string, T][]): [string, T][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    const found = await readLargeFile(path);
    if (found === undefined) return undefined;
    const { buffer, byteOffset, byteLength } = found;
    return new Uint8Array(buffer, byteOffset, byteLength); // no Buffer: its slice() would share memory
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("checkpoint/unreadable", `cannot read "${path}": ${(error as Error).message}.`, {
      cause: error,
    });
  }
}
