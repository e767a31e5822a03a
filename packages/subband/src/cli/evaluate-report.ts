/** @module What an evaluation leaves: its figures as plain data, the bands as CSV, and the first images of all side by side. */
import type { Evaluation } from "../evaluation/evaluate-subject.ts";
import { scaledFrom } from "../evaluation/features/feature-extractor.ts";
import type { ImageSet } from "../evaluation/image-set.ts";
import { encodePicture } from "../restoration/picture.ts";
import { writeFileAtomic } from "../training/atomic-file.ts";
import { readRunFile } from "../training/run-file.ts";
import { gridPixels } from "../training/sample-grid.ts";
import { type EvaluationFiles, STRIP_COLUMNS } from "./evaluate-files.ts";
import { bandTable, type Evaluated, type UsedFeatures } from "./evaluate-lines.ts";
import type { NamedSubject } from "./evaluate-subjects.ts";
import { withInfinities } from "./output.ts";

/** What subjects were compared with. */
export interface ComparedWith {
  readonly name: string;
  readonly seed: number;
  /** Images that there were to choose from; null where they were drawn. */
  readonly of: number | null;
  readonly on?: string;
  /** What distances are computed on; absent where none are. */
  readonly features?: UsedFeatures | undefined;
}

type Found = Evaluated & Evaluation;

/** The seconds that a run was trained for; null where it counts images instead, and for pictures. */
export function trainedSeconds(named: NamedSubject): number | null {
  if (named.kind !== "run") return null;
  const { secondsUsed } = readRunFile(named.name);
  return secondsUsed === undefined ? null : Object.values(secondsUsed).reduce((a, b) => a + b, 0);
}

/** All figures as one object, the same in every file and on stdout. */
export function evaluationJson(
  evaluated: readonly Evaluated[],
  { name, seed, of, on, features }: ComparedWith,
): Readonly<Record<string, unknown>> {
  return {
    format: 1,
    seed,
    against: { name, of, ...(on !== undefined && { on }) },
    features: features ? featuresJson(features) : null,
    subjects: evaluated.map(({ named, figures, trainedSeconds: seconds }) => ({
      name: named.name,
      kind: named.kind,
      ...(named.kind === "run" && {
        preset: named.opened.run.config.preset,
        ...named.drawing.chosen,
        weights: named.opened.weights,
        best: named.opened.best,
        trainedSeconds: seconds,
      }),
      ...figures,
    })),
  };
}

function featuresJson({ extractor, image }: UsedFeatures): Readonly<Record<string, unknown>> {
  const { name, dimensions, side, digest } = extractor;
  return { name, dimensions, side: side ?? null, digest, scaledFrom: scaledFrom(extractor, image) ?? null };
}

/** Writes all files and says what lies where. */
export async function writeEvaluation(
  { csv, json, strip }: EvaluationFiles,
  evaluated: readonly Found[],
  compared: ComparedWith,
  reference: ImageSet,
): Promise<readonly (readonly [what: string, where: string])[]> {
  const some = (of: readonly number[]) => of.map((i) => evaluated[i]!);
  for (const { path, of } of csv) writeFileAtomic(path, bandCsv(some(of)));
  for (const { path, of } of json)
    writeFileAtomic(
      path,
      `${JSON.stringify(withInfinities(evaluationJson(some(of), compared)), undefined, 2)}\n`,
    );
  if (strip !== undefined) await writeStrip(strip, [...evaluated.map(({ set }) => set), reference]);
  return [
    ...csv.map(({ path }) => ["bands", path] as const),
    ...json.map(({ path }) => ["figures", path] as const),
    ...(strip === undefined ? [] : [["strip", strip] as const]),
  ];
}

/** The bands of all, the name of each in the first column where there are several. */
function bandCsv(evaluated: readonly Found[]): string {
  const rows = evaluated.flatMap(({ named, figures }, i) => {
    const [header, ...bands] = bandTable(figures);
    if (evaluated.length === 1) return [header!, ...bands];
    const first = i === 0 ? [["subject", ...header!]] : [];
    return [...first, ...bands.map((band) => [`"${named.name.replaceAll('"', '""')}"`, ...band])];
  });
  return rows.map((row) => `${row.join(",")}\n`).join("");
}

/** A row of the first pictures of each set: what runs draw from the same noise stands in one column. */
async function writeStrip(path: string, sets: readonly ImageSet[]): Promise<void> {
  const { image } = sets[0]!;
  const size = image.channels * image.height * image.width;
  const columns = Math.min(STRIP_COLUMNS, ...sets.map(({ pictureCount }) => pictureCount));
  const data = new Float32Array(sets.length * columns * size);
  for (const [row, { pictures }] of sets.entries())
    data.set(pictures.subarray(0, columns * size), row * columns * size);
  const grid = gridPixels({ data, n: sets.length * columns, ...image }, { columns });
  const { data: samples, channels: colours, height, width } = grid;
  const picture = { height, width, colours, alpha: false, samples, notes: [] };
  writeFileAtomic(path, (await encodePicture(path, picture)).bytes);
}
