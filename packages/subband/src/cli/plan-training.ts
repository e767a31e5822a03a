/** @module The files of a training, checked before the work: what it reads is not where it writes. */
import { statSync } from "node:fs";
import type { TrainRequest } from "../training/train-run.ts";
import { checkFilePlan, checkRunFolder, type PlannedRead } from "./file-plan.ts";
import { requireMemory } from "./memory-limit.ts";

/**
 * Refuses more drawn faces than a memory holds, a run in another run or a model, in the place of its own data, or where nothing can be written; with the files
 * `inside` that will be written into the run besides.
 * @throws UserError `file/...`, `memory`.
 */
export function requireTrainingFiles(
  { out, data, from, limit, size, channels = 3 }: TrainRequest,
  inside: readonly string[] = [],
): void {
  const { height, width } = size ?? { height: 64, width: 64 };
  if (data === "faces" && limit !== undefined) requireMemory("--limit", limit, channels * height * width);
  const reads: PlannedRead[] = [
    { path: data, what: "--data" },
    { path: from, what: "--from" },
  ].flatMap(({ path, what }) => (path !== undefined && isFile(path) ? [{ path, what }] : []));
  checkRunFolder(out, reads);
  checkFilePlan({ reads, writes: inside.map((path) => ({ path, what: "--out" })), about: out });
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // what cannot be read is told by who reads it
  }
}
