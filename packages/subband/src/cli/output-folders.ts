/**
 * @module The folders of a command's outputs: made and tried before the work, and taken back when nothing came of them. Long
 * work that writes files is done here, with its progress shown, and can be stopped.
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeError } from "../training/atomic-file.ts";
import { makeFolder, removeIfEmpty } from "../training/run-directory.ts";
import type { Context } from "./context.ts";
import { type Progress, withProgress } from "./progress.ts";
import { stoppable } from "./stoppable.ts";

/**
 * Does long work that writes the files `paths`: its folders as in {@link withFolders}, its progress as in `withProgress`,
 * and Ctrl-C as in `stoppable`.
 * @throws UserError `file/...` for a folder that cannot be made or written; whatever `work` throws.
 */
export async function withOutputs<T>(
  context: Context,
  paths: readonly string[],
  work: (progress: Progress, wrote: () => void) => Promise<T>,
): Promise<T> {
  return withProgress(context, async (progress) =>
    stoppable(context, progress, (steps, wrote) => withFolders(paths, () => work(steps, wrote))),
  );
}

/**
 * Makes the folders of the files `paths`, sees that a file can be made in each, and does `work`. Folders that
 * were made and are still empty then, because it failed or was stopped, are removed.
 * @throws UserError `file/...` for a folder that cannot be made or written; whatever `work` throws.
 */
export async function withFolders<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  const folders = new Set(paths.map((path) => dirname(path)));
  const made: string[] = [];
  try {
    for (const folder of folders) {
      made.push(...makeFolder(folder));
      tryFolder(folder);
    }
    return await work();
  } finally {
    for (const folder of made.toReversed()) removeIfEmpty(folder);
  }
}

/** What permissions do not tell: file systems that are read-only, full, or take no files at all. */
function tryFolder(folder: string): void {
  const path = join(folder, `.subband.${process.pid}.tmp`);
  try {
    closeSync(openSync(path, "w"));
    rmSync(path);
  } catch (error) {
    throw writeError(path, undefined, error);
  }
}
