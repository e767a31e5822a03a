/**
 * @module Files that exist whole or not at all: temporary file in the same folder, write, fsync, rename, fsync of the
 * folder. Synchronous on purpose, or in pieces: what is written may be views of live buffers, which must not change meanwhile.
 */
import * as fs from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { atOnce, UserError } from "onnxgrad";
import { type FileType, typeOf } from "./regular-file.ts";

/** The part of `node:fs` that durable writing needs; tests pass one that fails at a chosen call. */
export type FileSystem = Pick<
  typeof fs,
  "closeSync" | "fsyncSync" | "linkSync" | "openSync" | "renameSync" | "rmSync" | "writeSync"
>;

/** What a path leads to, as far as writing is concerned. */
export type Target = FileType | "absent" | "dangling link";

/** Letters of a name that its temporary file keeps: together they stay below what a folder takes. */
const KEPT_LETTERS = 48;
/** Bytes that one system call writes at most: some milliseconds' worth. */
const LARGEST_WRITE = 1 << 24;
const TEMPORARY = /^\..+\.\d+\.tmp$/;
const DISK_FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
const FORBIDDEN: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);
const NO_FOLDER: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/**
 * Replaces the file `path` by `content` (text as UTF-8; bytes, or pieces of them one after the other) so that a crash at
 * any moment, of the process or of the machine, leaves either the old file or the new one. When it fails, the old file is
 * untouched and the temporary one removed. Only a regular file is replaced, or a link to one: no device, no pipe, and no
 * link to nothing.
 * @throws UserError `file/disk-full`, `file/not-writable`, `file/no-folder` or `file/cannot-write`.
 */
export function writeFileAtomic(
  path: string,
  content: Uint8Array | string | readonly Uint8Array[],
  files: FileSystem = fs,
): void {
  atOnce(writingFileAtomic(path, content, files));
}

/** {@link writeFileAtomic} in pieces; `content` must not change until the last. */
export function* writingFileAtomic(
  path: string,
  content: Uint8Array | string | readonly Uint8Array[],
  files: FileSystem = fs,
): Generator<void, void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const pieces = bytes instanceof Uint8Array ? [bytes] : bytes;
  // Not join(): it would take "link/.." for nothing, and the temporary file would lie elsewhere.
  const temporary = `${dirname(path)}${sep}.${basename(path).slice(0, KEPT_LETTERS)}.${process.pid}.tmp`;
  try {
    requireReplaceable(path);
    yield* writingAndSyncing(temporary, pieces, files);
    files.renameSync(temporary, path);
    syncFolder(dirname(path), files);
  } catch (error) {
    removeQuietly(temporary, files);
    const length = pieces.reduce((total, piece) => total + piece.length, 0);
    throw writeError(path, length, error);
  }
}

/**
 * What stands at `path`, at the end of whatever links.
 * @throws the file system's own error where it cannot be looked at, e.g. ELOOP or ENAMETOOLONG.
 */
export function targetOf(path: string): Target {
  const link = fs.lstatSync(path, { throwIfNoEntry: false });
  if (link === undefined) return "absent";
  const status = link.isSymbolicLink() ? fs.statSync(path, { throwIfNoEntry: false }) : link;
  if (status === undefined) return "dangling link";
  return typeOf(status);
}

/**
 * Refuses a path whose writing would replace what is no regular file.
 * @throws UserError `file/cannot-write`; what {@link targetOf} throws.
 */
export function requireReplaceable(path: string): void {
  const target = targetOf(path);
  if (target === "absent" || target === "file") return;
  throw new UserError(
    "file/cannot-write",
    `cannot write "${path}": it is a ${target}, no file. Give the name of a file.`,
  );
}

/** Makes renames and new names in `folder` durable. Windows cannot, and does so by itself. */
export function syncFolder(folder: string, files: FileSystem = fs): void {
  if (process.platform === "win32") return;
  const descriptor = files.openSync(folder, "r");
  try {
    files.fsyncSync(descriptor);
  } finally {
    files.closeSync(descriptor);
  }
}

/**
 * Removes what killed writers left in `folder` itself, save for what `keep` names. Only for who knows that nobody writes
 * there now.
 */
export function removeTemporaries(folder: string, keep: (name: string) => boolean = () => false): void {
  for (const name of fs.readdirSync(folder))
    if (TEMPORARY.test(name) && !keep(name)) fs.rmSync(join(folder, name), { recursive: true, force: true });
}

/**
 * What an error of the file system means for the user who wanted `path` written (`bytes` long, when known). Anything
 * that is no error of the file system comes back as it is.
 */
export function writeError(path: string, bytes: number | undefined, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (error instanceof UserError || code === "") return error;
  const size = bytes === undefined ? "" : ` (${(bytes / 1e6).toFixed(1)} MB to write)`;
  if (DISK_FULL.has(code))
    return new UserError(
      "file/disk-full",
      `disk full: cannot write "${path}"${size}. What was saved before is intact: free some space and run the same command again.`,
      { cause: error },
    );
  if (FORBIDDEN.has(code))
    return new UserError(
      "file/not-writable",
      `not writable: "${path}" (${code}). Choose another place or change its permissions.`,
      { cause: error },
    );
  if (NO_FOLDER.has(code))
    return new UserError(
      "file/no-folder",
      `no such folder: "${dirname(path)}", to write "${basename(path)}". Make it first, or choose another place.`,
      { cause: error },
    );
  return new UserError(
    "file/cannot-write",
    `cannot write "${path}": ${(error as Error).message}. Choose another place, or mend this one and run again.`,
    { cause: error },
  );
}

function* writingAndSyncing(
  path: string,
  pieces: readonly Uint8Array[],
  files: FileSystem,
): Generator<void, void> {
  const descriptor = files.openSync(path, "w");
  try {
    for (const bytes of pieces)
      for (let at = 0; at < bytes.length;) {
        at += files.writeSync(descriptor, bytes, at, Math.min(LARGEST_WRITE, bytes.length - at));
        yield;
      }
    files.fsyncSync(descriptor);
  } finally {
    files.closeSync(descriptor);
  }
}

/** The first error is the one worth telling. */
function removeQuietly(path: string, files: FileSystem): void {
  try {
    files.rmSync(path, { force: true });
  } catch {
    // Left for removeTemporaries.
  }
}
