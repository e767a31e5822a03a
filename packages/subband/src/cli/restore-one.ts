/** @module One picture of a command that restores: read, restored, written, compared with its reference, and told. */
import { type Backend, turnOfEventLoop } from "onnxgrad";
import { UserError } from "onnxgrad/errors";
import { requireSameSize, type Similarity, similarity, stripPng } from "../restoration/compare-pictures.ts";
import {
  encodePicture,
  keepsProfile,
  type Picture,
  type PictureSource,
  readPicture,
  requireWritable,
} from "../restoration/picture.ts";
import { type PictureSize, pictureSize } from "../restoration/picture-size.ts";
import type { RestorationJob } from "../restoration/restoration-jobs.ts";
import type { OnShare, TiledDenoiser } from "../restoration/tiled-denoiser.ts";
import { writeFileAtomic } from "../training/atomic-file.ts";
import type { LoadedModel } from "../training/model-file.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatDuration, formatValue } from "./format.ts";
import { memoryForImages } from "./memory-limit.ts";
import { formatTable } from "./output.ts";
import type { Progress } from "./progress.ts";
import { putEncoded, shownPath, STANDARD, streamName } from "./standard-streams.ts";

/** What a command does to one picture. */
export interface Restored {
  readonly picture: Picture;
  /** The picture as it would be without a model, at the result's size; default the input. */
  readonly before?: Picture;
  /** Pictures to write beside the result, by path. */
  readonly extra?: readonly { readonly path: string; readonly picture: Picture }[];
  /** What to tell, e.g. the estimated noise; into the table and, by name, into the JSON. */
  readonly rows?: readonly (readonly [string, string])[];
  readonly json?: Readonly<Record<string, unknown>>;
  readonly notes?: readonly string[];
}

/** What a command is. */
export interface Restoration {
  /** In the progress bar: `denoise`. */
  readonly verb: string;
  /** Of default outputs: `denoised`. */
  readonly suffix: string;
  /** How many times as large the result is, each way; default 1. */
  readonly factor?: number;
  /** A picture that the command reads besides, such as a mask: once, after all is planned and before any work. */
  readonly companion?: {
    readonly what: string;
    readonly path: string;
    read(source: PictureSource): Promise<void>;
  };
  /** Where the map of uncertainty goes, if it does. */
  readonly map?: string | undefined;
  restore(picture: Picture, model: OpenModel, onShare: OnShare): Promise<Restored>;
}

/** A model, and what it runs on. */
export interface OpenModel {
  readonly loaded: LoadedModel;
  readonly backend: Backend;
  readonly denoiser: TiledDenoiser;
}

/** What all pictures of a command share. */
export interface Workplace extends OpenModel {
  readonly context: Context;
  readonly restoration: Restoration;
  readonly progress: Progress;
  /** What to read for a path. */
  source(path: string): PictureSource;
}

/** What is told of one picture. */
export interface RestoredOne {
  /** Of one among many. */
  readonly line: string;
  readonly lines: readonly string[];
  readonly json: Readonly<Record<string, unknown>>;
}

/** Three colours, each as a byte and as two numbers of four. */
const BYTES_PER_PIXEL = 3 * (1 + 4 + 4);

/**
 * Reads, restores, writes and compares picture `index` of `total`.
 * @throws UserError `picture/...`, before the work what sizes tell; `restoration/...`, `file/...`; the reason of the
 * context's signal, before the picture is written.
 */
export async function restoreOne(
  place: Workplace,
  job: RestorationJob,
  index: number,
  total: number,
): Promise<RestoredOne> {
  const { restoration, progress, source } = place;
  const { comparison } = job;
  const onShare = shares(place, index, total);
  await onShare(0);
  await requireSizes(place, job);
  const picture = await readPicture(source(job.input), keepsProfile(streamName(job.output)));
  const reference = comparison && (await readPicture(source(comparison.reference), true));
  for (const line of picture.notes) progress.note(`note: ${line}`);
  const begun = performance.now();
  const found = await restoration.restore(picture, place, onShare);
  const seconds = (performance.now() - begun) / 1000;
  const { picture: result, before = picture, extra = [] } = found;
  const notes = [...(found.notes ?? []), ...(await write(place.context, job.output, result))];
  for (const each of extra) notes.push(...(await write(place.context, each.path, each.picture)));
  for (const line of notes) progress.note(`note: ${line}`);

  const speed = (result.width * result.height) / 1e6 / seconds;
  const rows: (readonly [string, string])[] = [
    ["picture", `${shownPath(job.output)}, ${result.width} x ${result.height}, ${kindOf(result)}`],
    ...(found.rows ?? []),
  ];
  const json: Record<string, unknown> = {
    input: job.input,
    output: job.output,
    width: result.width,
    height: result.height,
    colours: result.colours,
    bits: result.samples instanceof Uint16Array ? 16 : 8,
    seconds,
    megapixelsPerSecond: speed,
    notes: [...picture.notes, ...notes],
    ...found.json,
  };
  let compared = "";
  if (comparison !== undefined && reference !== undefined) {
    const [a, b] = [await similarity(before, reference), await similarity(result, reference)];
    for (const line of b.notes ?? []) progress.note(`note: ${line}`);
    compared = `, ${formatSimilarity(a)} -> ${formatSimilarity(b)}`;
    rows.push(["before", formatSimilarity(a)], ["after", formatSimilarity(b)]);
    Object.assign(json, { before: a, after: b });
    if (job.output !== STANDARD) {
      writeFileAtomic(comparison.strip, await stripPng([before, result, reference]));
      rows.push(["strip", comparison.strip]);
      json["strip"] = comparison.strip;
    }
  }
  rows.push(["time", `${formatDuration(seconds)}, ${formatValue(speed)} megapixels/s`]);
  const line = `${shownPath(job.output)}  ${result.width} x ${result.height}, ${formatDuration(seconds)}${compared}`;
  return { line, lines: formatTable(rows), json };
}

/** Refuses what the sizes of the pictures tell, before the work. */
async function requireSizes(
  { restoration: { factor = 1, map }, source }: Workplace,
  { input, output, comparison }: RestorationJob,
): Promise<void> {
  const size = await pictureSize(source(input));
  if (size === undefined) return; // reading it says why
  const result = { height: factor * size.height, width: factor * size.width };
  if (factor > 1) requireRoom(input, result);
  for (const path of [output, map]) if (path !== undefined) requireWritable(streamName(path), result);
  const reference = comparison && (await pictureSize(source(comparison.reference)));
  if (reference !== undefined) requireSameSize(result, reference);
}

/** Refuses a result that cannot fit: its samples, and two arrays of numbers while it is drawn. */
function requireRoom(input: string, { height, width }: PictureSize): void {
  const [bytes, limit] = [BYTES_PER_PIXEL * height * width, memoryForImages()];
  if (bytes > limit)
    throw new UserError(
      "picture/size",
      `"${input}" enlarged has ${width} x ${height} pixels, which would take at least ${formatBytes(bytes)} of memory; there are ` +
        `${formatBytes(limit)} for them. Cut it into pieces, or take a smaller --factor.`,
    );
}

/** Shows the share of the work that is done, and stops when the user wants it. */
function shares({ restoration, progress }: Workplace, index: number, total: number): NonNullable<OnShare> {
  return async (share) => {
    await turnOfEventLoop(); // lets a signal in
    const done = index + share;
    progress.update({ label: restoration.verb, done, total, unit: "images", fraction: done / total });
  };
}

/** Writes a file, or a PNG to stdout; returns notes. */
async function write(context: Context, path: string, picture: Picture): Promise<readonly string[]> {
  const { bytes, notes } = await encodePicture(streamName(path), picture);
  await putEncoded(context, path, bytes);
  return notes;
}

function kindOf({ colours, alpha, samples }: Picture): string {
  const bits = samples instanceof Uint16Array ? 16 : 8;
  return `${colours === 1 ? "gray" : "colour"}${alpha ? " with alpha" : ""}, ${bits} bits`;
}

function formatSimilarity({ psnr, ssim }: Similarity): string {
  const decibels = psnr === Number.POSITIVE_INFINITY ? "infinite (identical)" : `${psnr.toFixed(2)} dB`;
  return `PSNR ${decibels}${ssim === undefined ? "" : `, SSIM ${ssim.toFixed(4)}`}`;
}
