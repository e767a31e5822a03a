/** @module The files behind a path that a command reads: the file, or those of the run or the model that the folder is. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MODEL_FILE } from "../training/model-file.ts";
import type { PlannedRead } from "./file-plan.ts";

/** What is read of a run. */
const OF_RUN = /^(?:run\.json|metrics\.jsonl|state\..*)$/;

/** The file at `path`, or the files of the run or model in that folder; none where nothing can be found. */
export function readsAt(path: string, what: string): PlannedRead[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, what }];
    return readdirSync(path)
      .filter((name) => name === MODEL_FILE || OF_RUN.test(name))
      .map((name) => ({ path: join(path, name), what: `${what}'s ${name}` }));
  } catch {
    return [];
  }
}
