/**
 * @module One trainer a run: a lock file that names its process. The lock of a process that is gone, killed for example,
 * is taken over; that of a living one, or of another machine, is respected. Whatever moment a kill chooses, the next
 * trainer gets the lock: what is half-made lies under hidden names that count as nothing.
 */
import * as fs from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import * as z from "zod";
import { type FileSystem, removeTemporaries, writeError } from "./atomic-file.ts";
import { kindOf, readRegularFile } from "./regular-file.ts";

/** Who holds a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** When that process started, ISO 8601. */
  readonly started: string;
  /** Distinguishes processes that were given the same number one after the other; empty where the system cannot tell. */
  readonly identity: string;
}

/** A lock that this process holds. */
export interface Lock {
  /** Gives the run free. Happens by itself when the process exits; doing it twice does no harm. */
  release(): void;
}

const Holder = z.object({
  pid: z.int().positive(),
  host: z.string(),
  started: z.string(),
  identity: z.string(),
});

/** Name of the lock file in a run directory. */
export const LOCK_FILE = "lock.json";
/** Rounds of finding a lock, taking it over, and finding that another was quicker. */
const ATTEMPTS = 10;
/** Writing a lock's one line takes less: one that is torn and older was left by a process killed meanwhile. */
const TORN_MS = 10_000;
/** What older versions left beside the lock when they were killed. */
const LEFTOVER = /^lock\.json\.\d+(\.stale)?$/;
/** Half-made locks, and locks being taken away, of the process in the name. */
const HALF_MADE = /^\.lock\.json\.(?:stale\.)?(\d+)\.tmp$/;

/**
 * Locks the folder `dir`, which must exist, for this process.
 * @throws UserError `run/locked` when another process holds it, with its number and the remedy, or when something else
 * than a file has the lock's name; `file/...` when the folder is not writable.
 */
export function acquireLock(dir: string, files: FileSystem = fs): Lock {
  const path = join(dir, LOCK_FILE);
  const self: LockHolder = {
    pid: process.pid,
    host: hostname(),
    started: new Date(performance.timeOrigin).toISOString(),
    identity: processIdentity(process.pid),
  };
  const text = `${JSON.stringify(self)}\n`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    refuseIrregular(dir, path);
    if (create(dir, text, files)) return heldLock(path, text);
    const found = readText(path);
    if (found === undefined) continue; // released in the meantime
    const holder = parseHolder(found);
    if (holder === undefined ? !isTorn(path) : isAlive(holder)) throw locked(dir, path, holder);
    takeAside(dir, found, files);
  }
  throw locked(dir, path, undefined);
}

/** Who holds the lock of the folder `dir` now; undefined when nobody does, or its process is gone. */
export function lockHolder(dir: string): LockHolder | undefined {
  const text = readText(join(dir, LOCK_FILE));
  const holder = text === undefined ? undefined : parseHolder(text);
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

/** Whether `name` in a run directory is a lock, or what a killed process left of one. */
export function isOfLock(name: string): boolean {
  return name === LOCK_FILE || LEFTOVER.test(name) || HALF_MADE.test(name);
}

/** Removes what killed processes left in the folder `dir`. Only for the holder of its lock. */
export function removeLeftovers(dir: string): void {
  // Who is about to be refused has a half-made lock, too, and may have moved ours: it puts that back.
  removeTemporaries(dir, (name) => {
    const [, pid] = HALF_MADE.exec(name) ?? [];
    return pid !== undefined && Number(pid) !== process.pid && isRunning(Number(pid));
  });
  for (const name of fs.readdirSync(dir))
    if (LEFTOVER.test(name)) fs.rmSync(join(dir, name), { recursive: true, force: true });
}

function heldLock(path: string, text: string): Lock {
  const release = (): void => {
    process.off("exit", release);
    if (readText(path) === text) fs.rmSync(path, { force: true });
  };
  process.on("exit", release);
  return { release };
}

/** Creates the lock file with its text in one step, so that nobody reads a half-written one. False when it exists. */
function create(dir: string, text: string, files: FileSystem): boolean {
  const path = join(dir, LOCK_FILE);
  const temporary = join(dir, `.${LOCK_FILE}.${process.pid}.tmp`);
  try {
    write(temporary, text, "w", files);
    try {
      files.linkSync(temporary, path);
    } catch (error) {
      if (["EEXIST", "ENOENT"].includes(codeOf(error))) return false;
      // File systems without hard links, as on memory cards: exclusive creation, then the text.
      write(path, text, "wx", files);
      return readText(path) === text;
    }
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw writeError(path, undefined, error);
  } finally {
    files.rmSync(temporary, { force: true });
  }
}

function write(path: string, text: string, flag: "w" | "wx", files: FileSystem): void {
  const descriptor = files.openSync(path, flag);
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += files.writeSync(descriptor, bytes, at, bytes.length - at);
  } finally {
    files.closeSync(descriptor);
  }
}

/**
 * Removes the lock of a dead process, whose text was `stale`. Moving it is atomic, so of several who try, one succeeds;
 * who finds that it moved a newer lock instead puts it back.
 */
function takeAside(dir: string, stale: string, files: FileSystem): void {
  const path = join(dir, LOCK_FILE);
  const aside = join(dir, `.${LOCK_FILE}.stale.${process.pid}.tmp`);
  try {
    files.renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw writeError(path, undefined, error);
  }
  try {
    if (readText(aside) !== stale) files.linkSync(aside, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw writeError(path, undefined, error);
  } finally {
    files.rmSync(aside, { force: true });
  }
}

/** A pipe would be waited for, a link leads elsewhere: whatever is no file of its own was not made by a trainer. */
function refuseIrregular(dir: string, path: string): void {
  const status = fs.lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined || status.isFile()) return;
  throw new UserError(
    "run/locked",
    `cannot lock "${dir}": "${path}" is ${kindOf(status)}, where the lock file of the run belongs. Delete it, or choose another --out.`,
  );
}

/** Whether the lock file, which names nobody, was left by a process that was killed as it wrote. */
function isTorn(path: string): boolean {
  const status = fs.lstatSync(path, { throwIfNoEntry: false });
  return status === undefined || Date.now() - status.mtimeMs > TORN_MS;
}

function isAlive(holder: LockHolder): boolean {
  if (holder.host !== hostname()) return true; // cannot be known from here
  if (!isRunning(holder.pid)) return false;
  // A number in use may belong to a younger process.
  const identity = processIdentity(holder.pid);
  return holder.identity === "" || identity === "" || identity === holder.identity;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

/** Boot and start time (in clock ticks since boot) of a process: unique on a machine. Empty where there is no /proc. */
function processIdentity(pid: number): string {
  try {
    const boot = fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    const status = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    // Field 22 of proc(5); the name in field 2 may contain anything, so count from its closing parenthesis.
    const afterName = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return `${boot}:${afterName[19]}`;
  } catch {
    return "";
  }
}

function locked(dir: string, path: string, holder: LockHolder | undefined): UserError {
  const who =
    holder === undefined
      ? "by an unknown process"
      : `by process ${holder.pid} on ${holder.host}, started ${holder.started}`;
  return new UserError(
    "run/locked",
    `run in use: "${dir}" is being trained ${who}. Wait for it or stop it; if it no longer exists, delete "${path}".`,
  );
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    return Holder.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readRegularFile(path)?.toString("utf8");
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
