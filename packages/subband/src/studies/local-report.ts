/**
 * @module A denoising study as files for the docs: `results.csv`, `tables.md`, `psnr.svg` and `strip.png`. What it is asked
 * for is checked before anything is computed.
 */
import { join } from "node:path";
import { unknownName } from "onnxgrad";
import { writeFileAtomic } from "../training/atomic-file.ts";
import { makeFolder } from "../training/run-directory.ts";
import { type LocalStudyRequest, runLocalStudy, type StudyRow } from "./local-study.ts";
import { requireDistinct } from "./method.ts";
import { addNoise } from "./noisy-pictures.ts";
import { studyFigure } from "./study-figure.ts";
import { busiestCrop, cropOf, type StripField, stripPng } from "./study-strip.ts";
import { type Gain, toCsv, toMarkdown } from "./study-tables.ts";

/** A study and how it is told. */
export interface LocalReportRequest extends LocalStudyRequest {
  /** Pairs of methods whose difference is stated. */
  readonly gains: readonly Gain[];
  /** The method that the figure shows differences from; default the first. */
  readonly reference?: string | undefined;
  /** Noise level of the strip, of 255: the nearest one studied is taken. */
  readonly stripSigma: number;
  /** Folder of the files; made where it is missing. */
  readonly out: string;
}

/** What was found and written. */
export interface LocalReport {
  readonly rows: readonly StudyRow[];
  readonly markdown: string;
  readonly files: readonly string[];
}

/** Names of the files, in their folder. */
export const REPORT_FILES = ["results.csv", "tables.md", "psnr.svg", "strip.png"] as const;

/** Pixels a side of the strip's crop, at most. */
const STRIP_SIDE = 128;

/**
 * Runs the study and writes its files, each whole or not at all.
 * @throws UserError `unknown/method`, `study/name`, `peers/...`, `local/shape`, `file/...`.
 */
export async function reportLocalStudy(request: LocalReportRequest): Promise<LocalReport> {
  const { methods, pictures, sigmas, seed, gains, out, stripSigma, onResult } = request;
  const names = methods.map(({ name }) => name);
  requireDistinct(names);
  const reference = request.reference ?? names[0]!;
  for (const name of [reference, ...gains.flatMap(({ ours, theirs }) => [ours, theirs])])
    if (!names.includes(name)) throw unknownName("method", name, names);
  makeFolder(out);

  const picture = pictures[0]!;
  const crop = busiestCrop(picture, STRIP_SIDE);
  const sigma = sigmas.reduce((a, b) => (Math.abs(b - stripSigma) < Math.abs(a - stripSigma) ? b : a));
  const denoised: StripField[] = [];
  let psnrIn = Number.NaN;
  const rows = await runLocalStudy({
    ...request,
    onResult(row, image, of) {
      if (of === picture && row.sigma === sigma) {
        ({ psnrIn } = row);
        denoised.push({ label: `${row.method} ${row.psnrOut.toFixed(2)}`, data: cropOf(image, of, crop) });
      }
      onResult?.(row, image, of);
    },
  });
  const noisy = cropOf(addNoise(picture, sigma, seed), picture, crop);
  const fields = [
    { label: `sigma ${sigma}: ${psnrIn.toFixed(2)} dB`, data: noisy },
    ...denoised,
    { label: "clean", data: cropOf(picture.data, picture, crop) },
  ];
  const markdown = toMarkdown(rows, gains);
  const files: Readonly<Record<(typeof REPORT_FILES)[number], string | Uint8Array>> = {
    "results.csv": toCsv(rows),
    "tables.md": markdown,
    "psnr.svg": studyFigure(rows, reference),
    "strip.png": await stripPng(fields, picture.channels, crop.side),
  };
  for (const [name, content] of Object.entries(files)) writeFileAtomic(join(out, name), content);
  return { rows, markdown, files: Object.keys(files).map((name) => join(out, name)) };
}
