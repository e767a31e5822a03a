/** @module Where the results of an evaluation go: bands as CSV, all figures as JSON, pictures side by side. */
import { existsSync, realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { requireWritable } from "../restoration/picture.ts";
import { gridSize, type ImageShape } from "../training/sample-grid.ts";
import { checkFilePlan, type PlannedRead, type PlannedWrite } from "./file-plan.ts";
import { readsAt } from "./planned-reads.ts";
import { requirePlaceFor } from "./run-output.ts";

/** What is asked for. */
export interface EvaluationFileFlags {
  /** CSV of the bands; JSON and pictures go beside it. */
  readonly out?: string | undefined;
  readonly strip?: string | undefined;
}

/** Files to write; of each run its own, or one of all. */
export interface EvaluationFiles {
  readonly csv: readonly { readonly path: string; readonly of: readonly number[] }[];
  readonly json: readonly { readonly path: string; readonly of: readonly number[] }[];
  readonly strip: string | undefined;
}

/** A subject, as far as files are concerned. */
export interface SubjectPlace {
  readonly name: string;
  readonly kind: "run" | "images" | "real";
}

/** Pictures of each subject in the strip. */
export const STRIP_COLUMNS = 8;

/**
 * The files of an evaluation: in every run its `bands.csv` and `evaluation.json`, in the first of them `strip.png`; with
 * `out`, that file alone and, beside it, the same name ending with .json and .png.
 */
export function evaluationFiles(
  subjects: readonly SubjectPlace[],
  { out, strip }: EvaluationFileFlags,
): EvaluationFiles {
  const all = subjects.map((_, i) => i);
  if (out !== undefined) {
    const stem = out.replace(/\.csv$/i, "");
    return {
      csv: [{ path: out, of: all }],
      json: [{ path: `${stem}.json`, of: all }],
      strip: strip ?? `${stem}.png`,
    };
  }
  const runs = all.filter((i) => subjects[i]!.kind === "run");
  const inRuns = (file: string) => runs.map((i) => ({ path: join(subjects[i]!.name, file), of: [i] }));
  const first = runs[0];
  return {
    csv: inRuns("bands.csv"),
    json: inRuns("evaluation.json"),
    strip: strip ?? (first === undefined ? undefined : join(subjects[first]!.name, "strip.png")),
  };
}

/**
 * Refuses places that are taken or cannot be written, and names of other formats; returns all paths.
 * @throws UserError `evaluate/name`, `picture/...`, `file/...`.
 */
export function planEvaluationFiles(
  { csv, json, strip }: EvaluationFiles,
  subjects: readonly SubjectPlace[],
  against: SubjectPlace,
  shape: ImageShape,
): readonly string[] {
  const about = subjects.filter(({ kind }) => kind === "run").map(({ name }) => name);
  const writes: readonly PlannedWrite[] = [
    ...csv.map(({ path }) => ({ path, what: "--out" })),
    ...json.map(({ path }) => ({ path, what: "the JSON of --out" })),
    ...(strip === undefined ? [] : [{ path: strip, what: "--strip" }]),
  ];
  const folders = [...subjects, against].filter(({ kind }) => kind === "images").map(({ name }) => name);
  const reads = [
    ...about.flatMap((run) => readsAt(run, "the run")),
    ...(against.kind === "real" ? [] : readsAt(against.name, "--against")),
    ...writes.flatMap(({ path }) => folders.flatMap((folder) => pictureOf(folder, path))),
  ];
  for (const { path } of csv) requirePlaceFor("statistics", about, path);
  if (strip !== undefined)
    requireWritable(
      strip,
      gridSize((subjects.length + 1) * STRIP_COLUMNS, shape, { columns: STRIP_COLUMNS }),
    );
  checkFilePlan({ reads, writes, about });
  return writes.map(({ path }) => path);
}

/** The file `path` where it lies in a folder of pictures that is read. */
function pictureOf(folder: string, path: string): PlannedRead[] {
  if (!existsSync(folder) || !existsSync(path)) return [];
  const inside = realpathSync(dirname(path)) + sep;
  return inside.startsWith(realpathSync(folder) + sep) ? [{ path, what: `a file of "${folder}"` }] : [];
}
