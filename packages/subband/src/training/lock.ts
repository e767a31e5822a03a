/**
 * @module One trainer a run: a lock file that names its process. The lock of a process that is gone, killed for example,
 * is taken over; that of a living one, or of another machine, is respected.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import { z } from "zod";
import { writeError } from "./atomic-file.ts";

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

/**
 * Locks the folder `dir`, which must exist, for this process.
 * @throws UserError `run/locked` when another process holds it, with its number and the remedy; `file/...` when the
 * folder is not writable.
 */
export function acquireLock(dir: string): Lock {
  const path = join(dir, LOCK_FILE);
  const self: LockHolder = {
    pid: process.pid,
    host: hostname(),
    started: new Date(performance.timeOrigin).toISOString(),
    identity: processIdentity(process.pid),
  };
  const text = `${JSON.stringify(self)}\n`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(path, text)) return heldLock(path, text);
    const found = readText(path);
    if (found === undefined) continue; // released in the meantime
    const holder = parseHolder(found);
    if (holder === undefined || isAlive(holder)) throw locked(dir, path, holder);
    takeAside(path, found);
  }
  throw locked(dir, path, undefined);
}

/** Who holds the lock of the folder `dir` now; undefined when nobody does, or its process is gone. */
export function lockHolder(dir: string): LockHolder | undefined {
  const text = readText(join(dir, LOCK_FILE));
  const holder = text === undefined ? undefined : parseHolder(text);
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

function heldLock(path: string, text: string): Lock {
  const release = (): void => {
    process.off("exit", release);
    if (readText(path) === text) rmSync(path, { force: true });
  };
  process.on("exit", release);
  return { release };
}

/** Creates the lock file with its text in one step, so that nobody reads a half-written one. False when it exists. */
function create(path: string, text: string): boolean {
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, text);
    try {
      linkSync(temporary, path);
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      // File systems without hard links, as on memory cards: exclusive creation, then the text.
      writeFileSync(path, text, { flag: "wx" });
    }
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw writeError(path, undefined, error);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Removes the lock of a dead process, whose text was `stale`. Moving it is atomic, so of several who try, one succeeds;
 * who finds that it moved a newer lock instead puts it back.
 */
function takeAside(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw writeError(path, undefined, error);
  }
  try {
    if (readText(aside) !== stale) linkSync(aside, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw writeError(path, undefined, error);
  } finally {
    rmSync(aside, { force: true });
  }
}

function isAlive(holder: LockHolder): boolean {
  if (holder.host !== hostname()) return true; // cannot be known from here
  try {
    process.kill(holder.pid, 0); // signal 0 only asks
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
  }
  // A number in use may belong to a younger process.
  const identity = processIdentity(holder.pid);
  return holder.identity === "" || identity === "" || identity === holder.identity;
}

/** Boot and start time (in clock ticks since boot) of a process: unique on a machine. Empty where there is no /proc. */
function processIdentity(pid: number): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    const status = readFileSync(`/proc/${pid}/stat`, "latin1");
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
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
