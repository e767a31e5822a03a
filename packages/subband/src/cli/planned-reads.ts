/** @module The files behind a path that a command reads: the file, or those of a run, a model or another folder. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { PlannedRead } from "./file-plan.ts";

/** The file at `path`, or the files directly in that folder; none where nothing can be found. */
export function readsAt(path: string, what: string): PlannedRead[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, what }];
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => ({ path: join(path, name), what: `${what}'s ${name}` }));
  } catch {
    return [];
  }
}
