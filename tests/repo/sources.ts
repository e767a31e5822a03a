/** @module Reads the repository's own files for the tests of this folder. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceFile } from "./imports.ts";

/** Absolute path of the repository root. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Directories that hold nothing of ours. */
const SKIPPED: readonly string[] = ["node_modules", "dist", "coverage", "runs", ".git", ".cache"];

/** Every file under `directory` (relative to the root), as sorted paths relative to the root. */
export function filesUnder(directory: string): string[] {
  const paths: string[] = [];
  for (const entry of readdirSync(join(ROOT, directory), { withFileTypes: true })) {
    const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory() && !SKIPPED.includes(entry.name)) paths.push(...filesUnder(path));
    else if (entry.isFile()) paths.push(path);
  }
  return paths.sort();
}

/** Text of a file, by its path relative to the root. */
export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Every TypeScript source of the packages that is built: tests, and what only they use, left out. */
export function packageSources(): SourceFile[] {
  return filesUnder("packages").flatMap((path) => {
    const parts = /^packages\/([^/]+)\/src\/(.+\.tsx?)$/.exec(path);
    if (parts === null || /\.test(?:ing)?\.tsx?$/.test(path)) return [];
    return [{ packageName: parts[1]!, path: parts[2]!, text: textOf(path) }];
  });
}
