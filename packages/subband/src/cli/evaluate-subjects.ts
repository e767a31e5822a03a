/** @module What the words of `subband evaluate` mean: runs, which are opened, pictures, or more images of the data. */
import { existsSync } from "node:fs";
import { UserError } from "onnxgrad";
import { KNOWN_DATASETS } from "../data/dataset-recipes.ts";
import { requirePyramid } from "../evaluation/require-pyramid.ts";
import type { ImageShape, Pyramid } from "../systems/system.ts";
import { isModel } from "../training/model-file.ts";
import { type DrawableRun, openRun } from "../training/open-drawable.ts";
import { isRun } from "../training/run-directory.ts";
import type { DrawingFlags } from "./drawing-options.ts";
import { type Drawing, drawingOf } from "./open-drawing.ts";

/** A run, opened. */
export interface RunSubject {
  readonly kind: "run";
  readonly name: string;
  readonly opened: DrawableRun;
  readonly pyramid: Pyramid;
  readonly drawing: Drawing;
}

/** Pictures of a folder, an archive or a known data set, or more images of the data that the others are compared with. */
export interface PictureSubject {
  readonly kind: "images" | "real";
  readonly name: string;
}

export type NamedSubject = RunSubject | PictureSubject;

/** The word for the data of the first run. */
export const REAL = "real";

/**
 * Opens what a word on the command line means; pictures are not looked at yet.
 * @throws UserError what `openRun` throws; `run/denoiser`, `run/no-bands`, `config/option`.
 */
export async function namedSubject(name: string, flags: DrawingFlags): Promise<NamedSubject> {
  if (name === REAL) return { kind: "real", name };
  if (!isRun(name) && !isModel(name) && (KNOWN_DATASETS.includes(name) || existsSync(name)))
    return { kind: "images", name };
  const opened = await openRun(name, flags.weights);
  const pyramid = requirePyramid(opened.run.config.preset, opened.run.system);
  return { kind: "run", name, opened, pyramid, drawing: drawingOf(opened, flags.asked) };
}

/**
 * The shape of all images, which runs decide; undefined where there is no run.
 * @throws UserError `evaluate/shape` when runs draw different ones, `evaluate/twice` for a subject that is named twice.
 */
export function commonShape(
  subjects: readonly NamedSubject[],
  against: NamedSubject,
): ImageShape | undefined {
  const twice = subjects.find(({ name }, i) => subjects.findIndex((other) => other.name === name) < i);
  if (twice !== undefined)
    throw new UserError("evaluate/twice", `"${twice.name}" is named twice. Name it once.`);
  const runs = [...subjects, against].filter((each) => each.kind === "run");
  const [lead] = runs;
  const other = runs.find((run) => shapeText(run) !== shapeText(lead!));
  if (other === undefined) return lead?.opened.run.system.image;
  throw new UserError(
    "evaluate/shape",
    `"${lead!.name}" draws images of ${shapeText(lead!)}, "${other.name}" of ${shapeText(other)}: they cannot be compared ` +
      "with the same images. Evaluate them one by one.",
  );
}

function shapeText({ opened }: RunSubject): string {
  const { channels, height, width } = opened.run.system.image;
  return `${width} x ${height} in ${channels === 1 ? "gray" : "colour"}`;
}

/** Levels whose bands are compared: a run's own; of pictures those of the first run, or as many as their sides allow. */
export function levelsOf(
  subject: NamedSubject,
  all: readonly NamedSubject[],
  { height, width }: ImageShape,
): number {
  const run = subject.kind === "run" ? subject : all.find((each) => each.kind === "run");
  if (run !== undefined) return run.pyramid.levels;
  const allowed = [1, 2, 3].filter((level) => height % 2 ** level === 0 && width % 2 ** level === 0);
  return allowed.length;
}
