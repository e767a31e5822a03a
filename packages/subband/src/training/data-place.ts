/**
 * @module Where the data of a run lie: what `--data` said holds for one working folder, so the whole path is kept as well,
 * and the way from the run to its data, for when both are moved together.
 */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { UserError } from "onnxgrad";
import { KNOWN_DATASETS } from "../data/dataset-recipes.ts";
import type { RunData } from "./run-config.ts";

/** What is kept of a source beside its name. */
type Place = Pick<RunData, "path" | "pathFromRun">;

/** Where `source`, as given now, lies, and how it is reached from the folder `run`; nothing for a known data set. */
export function placeOf(source: string, run: string): Place {
  if (KNOWN_DATASETS.includes(source)) return {};
  const path = resolve(source);
  return { path, pathFromRun: relative(resolve(run), path) };
}

/**
 * The data of the run in the folder `run`: where they were, or as far from the run as they were, or what `--data` said from
 * the present working folder.
 * @throws UserError `data/missing`, naming what was tried.
 */
export function locateData(
  run: string,
  { source, path, pathFromRun }: Pick<RunData, "source"> & Place,
): string {
  if (path === undefined) return source;
  const tried = [path, ...(pathFromRun === undefined ? [] : [join(run, pathFromRun)]), source];
  const found = tried.find((each) => existsSync(each));
  if (found !== undefined) return found;
  const places = [...new Set(tried.map((each) => resolve(each)))].map((each) => `"${each}"`);
  throw new UserError(
    "data/missing",
    `no data: those of run "${run}" are at none of ${places.join(", ")}. Put them back, or say with --data where they are.`,
  );
}
