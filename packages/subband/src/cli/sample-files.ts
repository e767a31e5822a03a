/** @module Where sampled images go: a grid in the format of its name or on stdout, and single PNGs; checked before the work. */
import { join } from "node:path";
import { encodePicture, type Picture, requireWritable } from "../restoration/picture.ts";
import {
  eachName,
  gridPixels,
  gridSize,
  type ImageShape,
  type PlanarImages,
  saveEach,
} from "../training/sample-grid.ts";
import type { Context } from "./context.ts";
import { checkFilePlan, type PlannedWrite } from "./file-plan.ts";
import { requireMemory } from "./memory-limit.ts";
import { readsAt } from "./planned-reads.ts";
import { putEncoded, requireStreams, STANDARD, streamName } from "./standard-streams.ts";

/** What is written of a sampling. */
export interface SampleFiles {
  /** The grid; `-` for stdout. */
  readonly grid: string;
  /** Folder of the single images, if they are asked for. */
  readonly each?: string | undefined;
}

/**
 * Refuses images that no memory holds, and files that cannot be written or should not; returns the files. `run` is what the
 * images are drawn from.
 * @throws UserError `memory`, `picture/format`, `picture/size`, `stream/...`, `file/...`.
 */
export function planSampleFiles(
  context: Context,
  run: string,
  { grid, each }: SampleFiles,
  n: number,
  shape: ImageShape,
): readonly string[] {
  const { channels, height, width } = shape;
  const whole = gridSize(n, shape);
  // Numbers of four bytes; of the grid a byte a sample, and once more for the encoded file.
  const bytes = 4 * n * channels * height * width + 2 * channels * whole.height * whole.width;
  requireMemory("-n", n, bytes / n);
  requireStreams(context, [], [{ what: "--out", path: grid }]);
  requireWritable(streamName(grid), whole);
  const writes: PlannedWrite[] = grid === STANDARD ? [] : [{ path: grid, what: "--out" }];
  if (each !== undefined)
    for (let i = 0; i < n; i++) writes.push({ path: join(each, eachName(i)), what: "--each" });
  checkFilePlan({ reads: readsAt(run, "the run"), writes, about: run });
  return writes.map(({ path }) => path);
}

/** Writes the images; `onFile` is told of each file, and may throw to stop. */
export async function writeSamples(
  context: Context,
  { grid, each }: SampleFiles,
  images: PlanarImages,
  onFile: () => void,
): Promise<void> {
  const { data: samples, channels: colours, height, width } = gridPixels(images);
  const picture: Picture = { height, width, colours, alpha: false, samples, notes: [] };
  await putEncoded(context, grid, (await encodePicture(streamName(grid), picture)).bytes);
  onFile();
  if (each !== undefined) await saveEach(each, images, 0, onFile);
}
