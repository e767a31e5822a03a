/**
 * @module Image files of a folder and its subfolders, in an order that does not depend on the file system. What we made
 * ourselves is no input: runs, and the output of the command that asks, are left out and named.
 */
import type { BigIntStats } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { byteBudget } from "./byte-budget.ts";
import { mapConcurrent } from "./concurrent.ts";
import { MAX_FILE_BYTES, OVER_BYTES, type SkipReason } from "./skip-reason.ts";

/** An encoded image, not yet read, or the reason why it will not be. */
export interface ImageFile {
  /** Path inside the folder or archive, `/` between parts. */
  readonly name: string;
  /** Hands the encoded bytes, or why they cannot be had, to `work`; they count as in memory until it has ended. */
  use<T>(work: (bytes: Uint8Array | SkipReason) => Promise<T>): Promise<T>;
}

/** Encoded bytes of one folder or archive in memory at once, waiting to be decoded or being decoded. */
export const MAX_IN_FLIGHT: number = MAX_FILE_BYTES;

/** A file or folder that is left out. */
export interface SkippedFile {
  /** Path inside the folder or archive, `/` between parts; `.` is the folder itself. */
  readonly name: string;
  readonly reason: SkipReason;
}

/** What {@link listImageFolder} found. */
export interface ImageFolder {
  readonly files: readonly ImageFile[];
  /** Name and {@link fileStamp} of each file: changes when the folder's images change. */
  readonly stamp: readonly (readonly [name: string, ...stamp: string[]])[];
  /** What was left out, in the order of the names. */
  readonly skipped: readonly SkippedFile[];
}

/** Options of {@link listImageFolder}. */
export interface ListOptions {
  /**
   * Files and folders that are no input, whether they exist yet or not: where the command writes. Known by what they
   * are, not by how they are called: links and other spellings lead to the same.
   */
  readonly exclude?: readonly string[];
  /** Files and folders that the command reads as something else: a mask, a kernel, references. Known alike. */
  readonly otherInputs?: readonly string[];
  /** Whether hidden files, and what desktops leave behind, are named among what was left out. */
  readonly nameHidden?: boolean;
}

const EXTENSIONS = /\.(jpe?g|jfif|png|webp|avif|gif|tiff?)$/i;
/** Pictures that we know of and cannot read. */
const FOREIGN =
  /\.(hei[cf]s?|hif|jxl|jp2|j2k|jpx|bmp|dib|ico|svgz?|psd|psb|xcf|exr|hdr|tga|dds|p[bgpn]m|pfm|dng|cr[23w]|nef|arw|orf|raf|rw2)$/i;
/** What desktops leave behind; not worth counting. */
const LITTER = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini|__MACOSX\/.*)$/i;
/** What makes a folder a run; see `training/run-directory.ts`. */
const RUN_FILE = "run.json";

/** How a name is treated: decoded, counted as no image or as one of another format, or passed over in silence. */
export function classifyName(name: string): "image" | "foreign" | "other" | "litter" {
  if (LITTER.test(name)) return "litter";
  if (EXTENSIONS.test(name)) return "image";
  return FOREIGN.test(name) ? "foreign" : "other";
}

/** Why a file of a class that is not decoded is left out. */
export function reasonOf(kind: "foreign" | "litter" | "other"): SkipReason {
  return kind === "foreign" ? "format not supported" : "not an image file";
}

/** The folder of a run, `.` or without a slash at its end, when `name` is the file that makes it one. */
export function runFolderOf(name: string): string | undefined {
  if (name === RUN_FILE) return ".";
  return name.endsWith(`/${RUN_FILE}`) ? name.slice(0, -RUN_FILE.length - 1) : undefined;
}

/**
 * What changes when another file takes the place of one: besides size and time of writing, which can be set, the time
 * of the last change of either, which cannot, and the file's number.
 */
export function fileStamp({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string[] {
  return [size, mtimeNs, ctimeNs, ino].map(String);
}

/**
 * Lists every image file under `root`, sorted by path. Links to files are followed, links to folders are not (they may
 * form a loop). A folder with a `run.json` is a run, whose pictures are our own: it is left out, and so is `exclude`.
 */
export async function listImageFolder(
  root: string,
  { exclude = [], otherInputs = [], nameHidden = false }: ListOptions = {},
): Promise<ImageFolder> {
  const places = await placesOf(
    [
      ...exclude.map((path) => ({ path, reason: "own output" as const })),
      ...otherInputs.map((path) => ({ path, reason: "another input" as const })),
    ],
    root,
  );
  const names: { readonly name: string; readonly link: boolean }[] = [];
  const skipped: SkippedFile[] = [];
  const pending = [""];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const path = join(root, folder);
    const name = folder.slice(0, -1) || ".";
    const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
    const other = folder === "" || places.size === 0 ? undefined : await reasonOfPlace(path, places);
    if (entries === undefined) skipped.push({ name, reason: "unreadable" });
    else if (entries.some((entry) => entry.name === RUN_FILE && !entry.isDirectory()))
      skipped.push({ name, reason: "folder of a run" });
    else if (other !== undefined) skipped.push({ name, reason: other });
    else
      for (const entry of entries) {
        const inner = folder + entry.name;
        const kind = classifyName(inner);
        const link = entry.isSymbolicLink();
        if (kind === "litter") {
          if (nameHidden) skipped.push({ name: inner, reason: "hidden file" });
          continue;
        }
        if (entry.isDirectory()) pending.push(`${inner}/`);
        else if (kind === "image" || link) names.push({ name: inner, link });
        else skipped.push({ name: inner, reason: reasonOf(kind) });
      }
  }
  names.sort(byName);

  const found = await mapConcurrent(names, 16, async ({ name, link }) => {
    const path = join(root, name);
    const status = await stat(path, { bigint: true }).catch(() => undefined);
    const other =
      places.size === 0 || status === undefined
        ? undefined
        : (places.get(identity(status))?.reason ?? (link ? await reasonOfTarget(path, places) : undefined));
    return { name, path, status, reason: other ?? reasonToSkip(name, status) };
  });
  const budget = byteBudget(MAX_IN_FLIGHT);
  const files: ImageFile[] = [];
  const stamp: [string, ...string[]][] = [];
  for (const { name, path, status, reason } of found) {
    if (reason !== undefined || status === undefined) {
      skipped.push({ name, reason: reason ?? "unreadable" });
      continue;
    }
    stamp.push([name, ...fileStamp(status)]);
    files.push({
      name,
      use: async (work) => {
        if (status.size > MAX_FILE_BYTES) return work(OVER_BYTES);
        const release = await budget.take(Number(status.size));
        try {
          return await work(await readFile(path).catch((): SkipReason => "unreadable"));
        } finally {
          release();
        }
      },
    });
  }
  return { files, stamp, skipped: skipped.sort(byName) };
}

function reasonToSkip(name: string, status: BigIntStats | undefined): SkipReason | undefined {
  // Bytes that are no UTF-8 have become U+FFFD, under which nothing is found.
  if (status === undefined) return name.includes("\uFFFD") ? "name not in UTF-8" : "unreadable";
  if (status.isDirectory()) return "linked folder";
  if (!status.isFile()) return "unreadable";
  const kind = classifyName(name);
  return kind === "image" || kind === "litter" ? undefined : reasonOf(kind);
}

/** A file or folder that is no input, by its true path. */
interface Place {
  readonly path: string;
  readonly reason: SkipReason;
}

/** Places by identity, as far as the root is not in them. */
async function placesOf(given: readonly Place[], root: string): Promise<ReadonlyMap<string, Place>> {
  const places = new Map<string, Place>();
  const home = await realpath(root).catch(() => root);
  for (const { path, reason } of given) {
    const status = await stat(path, { bigint: true }).catch(() => undefined);
    if (status === undefined) continue;
    const place = await realpath(path);
    if (!`${home}${sep}`.startsWith(place + sep)) places.set(identity(status), { path: place, reason });
  }
  return places;
}

async function reasonOfPlace(
  path: string,
  places: ReadonlyMap<string, Place>,
): Promise<SkipReason | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined);
  return status && places.get(identity(status))?.reason;
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/** Why the target of a link is no input: the place that it lies in. */
async function reasonOfTarget(
  link: string,
  places: ReadonlyMap<string, Place>,
): Promise<SkipReason | undefined> {
  const target = await realpath(link);
  return [...places.values()].find(({ path }) => target.startsWith(path + sep))?.reason;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
