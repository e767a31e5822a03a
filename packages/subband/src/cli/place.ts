/**
 * @module What the file system says of one path, at one moment: which file it is, whatever its name, whether one can be
 * written there, and whether it belongs to a run or a model.
 */
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { foldedName } from "../restoration/output-names.ts";
import { type Target, targetOf } from "../training/atomic-file.ts";
import { MODEL_FILE } from "../training/model-file.ts";
import { runPaths } from "../training/run-directory.ts";

/** A path, looked at. */
export interface Place {
  readonly target: Target | "unreachable";
  /** One text for all names of one file: links, hard links, and names that some file systems take for one. */
  readonly identity: string;
  /** Why no file can be written here, as the end of a sentence: `it is a device, no file`. */
  readonly refusal?: string;
  /** The run or model folder that it lies in. */
  readonly home?: Home;
}

/** A folder that belongs to one thing. */
export interface Home {
  readonly kind: "run" | "model";
  /** Its real path. */
  readonly folder: string;
  /** The path inside of it, `/` between parts. */
  readonly within: string;
}

/** Looks at a path; nothing is made, and nothing is thrown. */
export type Look = (path: string) => Place;

/** What is known of a folder, be it there or not. */
interface Folder {
  /** Real path of the nearest one that exists. */
  readonly real: string;
  readonly identity: string;
  /** Names below it that do not exist. */
  readonly missing: readonly string[];
  readonly refusal?: string;
}

/** Bytes of a name, in every file system in common use. */
const NAME_BYTES = 255;
const WORDS: Readonly<Record<string, string>> = {
  ELOOP: "links lead in a circle",
  ENAMETOOLONG: "its path is too long",
  EACCES: "a folder above it may not be entered",
};

/** A look at the file system as it is now; what is found of folders is remembered. */
export function createLook(): Look {
  const folders = new Map<string, Folder>();
  const homes = new Map<string, Omit<Home, "within"> | undefined>();
  const folderAt = (path: string): Folder => memo(folders, path, () => lookAtFolder(path));
  const homeOf = ({ real, missing }: Folder, name: string): Home | undefined => {
    const found = memo(homes, real, () => homeAround(real));
    return found && { ...found, within: parts(relative(found.folder, join(real, ...missing, name))) };
  };
  return (path) => {
    try {
      requirePossible(path);
      const target = throughFile(() => targetOf(path)) ?? "absent";
      const folder = folderAt(dirname(path));
      const name = basename(path);
      const exists = target !== "absent" && target !== "dangling link";
      const end = exists ? realpathSync(path) : path;
      const home = homeOf(folder, name) ?? homeOf(folderAt(dirname(end)), basename(end));
      const below = [...folder.missing, name].join("/");
      const refusal = refusalOf(path, target, folder);
      return {
        target,
        identity: exists ? inodeOf(path) : `${folder.identity}/${foldedName(below)}`,
        ...(refusal !== undefined && { refusal }),
        ...(home !== undefined && { home }),
      };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === undefined ? message : `${WORDS[code] ?? "it cannot be reached"} (${code})`;
      return { target: "unreachable", identity: `name ${path}`, refusal: why };
    }
  };
}

/** The real path of the folder that exists at `path`, else `path`. */
export function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** @throws Error for what no file can be called. */
function requirePossible(path: string): void {
  if (path === "") throw new Error("the name is empty");
  if (path.split(sep).some((name) => Buffer.byteLength(name) > NAME_BYTES))
    throw new Error(`a name takes ${NAME_BYTES} bytes at most (ENAMETOOLONG)`);
}

function lookAtFolder(path: string): Folder {
  const missing: string[] = [];
  let folder = path;
  let status = statusOf(folder);
  for (; status === undefined && dirname(folder) !== folder; folder = dirname(folder)) {
    if (basename(folder) !== ".") missing.unshift(basename(folder));
    status = statusOf(dirname(folder));
  }
  const real = realpathSync(folder);
  if (missing.includes("..")) return lookAtFolder(join(real, ...missing)); // nothing there is a link
  const refusal =
    status?.isDirectory() !== true
      ? `"${folder}" is a file, no folder`
      : may(folder, constants.W_OK | constants.X_OK)
        ? undefined
        : `the folder "${folder}" is not writable`;
  return { real, identity: inodeOf(real), missing, ...(refusal !== undefined && { refusal }) };
}

function statusOf(path: string): Stats | undefined {
  return throughFile(() => statSync(path, { throwIfNoEntry: false }));
}

/** What `look` finds; undefined for a path that leads through a file. */
function throughFile<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

function inodeOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

function refusalOf(path: string, target: Target, folder: Folder): string | undefined {
  if (path.endsWith(sep) || [".", ".."].includes(basename(path))) return "it is the name of a folder";
  if (target !== "absent" && target !== "file") return `it is a ${target}, no file`;
  if (folder.refusal !== undefined) return folder.refusal;
  return target === "file" && !may(path, constants.W_OK) ? "it is read-only" : undefined;
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** The innermost run at or above the folder `real`, or the model that the folder is. */
function homeAround(real: string): Omit<Home, "within"> | undefined {
  for (let folder = real; ; folder = dirname(folder)) {
    if (isRunOfOurs(folder)) return { kind: "run", folder };
    if (folder === real && isModelFolder(folder)) return { kind: "model", folder };
    if (dirname(folder) === folder) return undefined;
  }
}

/** Whether `folder` holds a `run.json`, be it damaged, that is not plainly another program's. */
function isRunOfOurs(folder: string): boolean {
  const { run } = runPaths(folder);
  if (!existsSync(run)) return false;
  try {
    const found = JSON.parse(readFileSync(run, "utf8")) as unknown;
    return typeof found === "object" && found !== null && ("config" in found || "imagesSeen" in found);
  } catch {
    return true;
  }
}

/** Whether `folder` holds a model and nothing else. */
function isModelFolder(folder: string): boolean {
  if (!existsSync(join(folder, MODEL_FILE))) return false;
  return readdirSync(folder).every((name) => name.startsWith(".") || name === MODEL_FILE);
}

const parts = (path: string): string => path.split(sep).join("/");

function memo<T>(known: Map<string, T>, key: string, find: () => T): T {
  if (!known.has(key)) known.set(key, find());
  return known.get(key)!;
}
