/** @module Image files of a folder and its subfolders, in an order that does not depend on the file system. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { mapConcurrent } from "./concurrent.ts";
import { MAX_FILE_BYTES, OVER_BYTES, type SkipReason } from "./decode-image.ts";

/** An encoded image, not yet read, or the reason why it will not be. */
export interface ImageFile {
  /** Path inside the folder or archive, `/` between parts. */
  readonly name: string;
  /** The encoded bytes, or why they cannot be had. */
  read(): Promise<Uint8Array | SkipReason>;
}

/** What {@link listImageFolder} found. */
export interface ImageFolder {
  readonly files: readonly ImageFile[];
  /** `[name, bytes, mtime in ms]` of each file: changes when the folder's images change. */
  readonly stamp: readonly (readonly [string, number, number])[];
  readonly skipped: readonly SkipReason[];
}

const EXTENSIONS = /\.(jpe?g|jfif|png|webp|avif|gif|tiff?)$/i;
/** What desktops leave behind; not worth counting. */
const LITTER = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini|__MACOSX\/.*)$/i;

/** How a name is treated: decoded, counted as no image, or passed over in silence. */
export function classifyName(name: string): "image" | "other" | "litter" {
  if (LITTER.test(name)) return "litter";
  return EXTENSIONS.test(name) ? "image" : "other";
}

/**
 * Lists every image file under `root`, sorted by path. Links to files are followed, links to folders are not (they may
 * form a loop).
 */
export async function listImageFolder(root: string): Promise<ImageFolder> {
  const names: string[] = [];
  const skipped: SkipReason[] = [];
  const pending = [""];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) {
      skipped.push("unreadable");
      continue;
    }
    for (const entry of entries) {
      const name = folder + entry.name;
      const kind = classifyName(name);
      if (kind === "litter") continue;
      if (entry.isDirectory()) pending.push(`${name}/`);
      else if (kind === "image" || entry.isSymbolicLink()) names.push(name);
      else skipped.push("not an image file");
    }
  }
  names.sort((a, b) => (a < b ? -1 : 1));

  const found = await mapConcurrent(names, 16, async (name) => {
    const path = join(root, name);
    const status = await stat(path).catch(() => undefined);
    return { name, path, status };
  });
  const files: ImageFile[] = [];
  const stamp: [string, number, number][] = [];
  for (const { name, path, status } of found) {
    if (status?.isDirectory() === true) skipped.push("linked folder");
    else if (status?.isFile() !== true) skipped.push("unreadable");
    else if (classifyName(name) !== "image") skipped.push("not an image file");
    else {
      stamp.push([name, status.size, status.mtimeMs]);
      files.push({
        name,
        read: async () =>
          status.size > MAX_FILE_BYTES ? OVER_BYTES : readFile(path).catch((): SkipReason => "unreadable"),
      });
    }
  }
  return { files, stamp, skipped };
}
