/**
 * @module Reads files of a run without trusting that they are files: a named pipe in the place of one would wait for ever,
 * a device would never end. They are opened without waiting and looked at before anything is read.
 */
import * as fs from "node:fs";
import { promisify } from "node:util";
import { UserError } from "onnxgrad";

/** Opening a pipe with this returns at once; absent on Windows, which has no such pipes in folders. */
const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants;

/**
 * The bytes of the file `path`, through links; undefined when there is none.
 * @throws UserError `file/irregular` for anything else than a file; errors of the file system as they are.
 */
export function readRegularFile(path: string): Buffer | undefined {
  const descriptor = openRegularFile(path);
  if (descriptor === undefined) return undefined;
  try {
    return fs.readFileSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The same for what may be large: events are handled while it is read. */
export async function readLargeFile(path: string): Promise<Buffer | undefined> {
  const descriptor = openRegularFile(path);
  if (descriptor === undefined) return undefined;
  try {
    return await readFile(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

const readFile = promisify(fs.readFile);

function openRegularFile(path: string): number | undefined {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, O_RDONLY | O_NONBLOCK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // A socket, or a device without a driver.
    if (code === "ENXIO" || code === "ENODEV") throw irregular(path, fs.statSync(path));
    throw error;
  }
  const status = fs.fstatSync(descriptor);
  if (status.isFile()) return descriptor;
  fs.closeSync(descriptor);
  throw irregular(path, status);
}

/** @throws UserError `file/irregular` when something else than a file, or a link to one, has the name `path`. */
export function requireRegularFile(path: string): void {
  const status = fs.statSync(path, { throwIfNoEntry: false });
  if (status !== undefined && !status.isFile()) throw irregular(path, status);
}

/** What is at a path, by its status; a link is not followed where that is `lstat`'s. */
export type FileType = "file" | "folder" | "link" | "pipe" | "socket" | "device";

/** The type that a status tells. */
export function typeOf(status: fs.Stats): FileType {
  if (status.isFile()) return "file";
  if (status.isDirectory()) return "folder";
  if (status.isSymbolicLink()) return "link";
  if (status.isFIFO()) return "pipe";
  return status.isSocket() ? "socket" : "device";
}

/** The same in words: `a folder`, `a named pipe`. */
export function kindOf(status: fs.Stats): string {
  const type = typeOf(status);
  return type === "pipe" ? "a named pipe" : `a ${type}`;
}

function irregular(path: string, status: fs.Stats): UserError {
  return new UserError(
    "file/irregular",
    `not a file: "${path}" is ${kindOf(status)}. Move it away, or give another path.`,
  );
}
