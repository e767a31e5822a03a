/**
 * @module Which pictures are restored and where each goes: one file, or every picture of a folder into a folder of the
 * same shape. Everything that can be refused is refused before the first picture is read.
 */
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { UserError } from "onnxgrad";
import { listImageFolder, type SkippedFile } from "../data/image-folder.ts";
import { nameClaims, outputNames, withoutExtension } from "./output-names.ts";
import { requireWritable } from "./picture.ts";

/** One picture to restore. */
export interface RestorationJob {
  /** The name to show: of the file, or its path inside the folder. */
  readonly name: string;
  readonly input: string;
  readonly output: string;
  /** The picture to compare with, and where both are drawn side by side. */
  readonly comparison?: { readonly reference: string; readonly strip: string };
}

/** What the user asked for. */
export interface JobRequest {
  /** A picture or a folder of pictures. */
  readonly input: string;
  /** Default: beside the input, `NAME-<suffix>.png`, or `FOLDER-<suffix>` for a folder. */
  readonly out?: string | undefined;
  readonly suffix: string;
  /** A picture, or a folder with pictures of the same names. */
  readonly reference?: string | undefined;
  /** What is read besides, a mask or a kernel, and is no picture to restore where it lies in the folder. */
  readonly otherInputs?: readonly string[] | undefined;
  /** Whether an output may replace the input. */
  readonly force?: boolean | undefined;
}

/** What there is to do. */
export interface RestorationJobs {
  /** In order of their names. */
  readonly jobs: readonly RestorationJob[];
  /** Every other file of the folder. */
  readonly leftOut: readonly SkippedFile[];
  /** Whether the input is a folder. */
  readonly isFolder: boolean;
}

/**
 * The pictures and their places.
 * @throws UserError `picture/missing`, `picture/none`, `picture/overwrites`, `picture/format`.
 */
export async function restorationJobs(request: JobRequest): Promise<RestorationJobs> {
  const status = statSync(request.input, { throwIfNoEntry: false });
  if (status === undefined)
    throw new UserError("picture/missing", `no such picture or folder: "${request.input}".`);
  const isFolder = status.isDirectory();
  const found = isFolder ? await folderJobs(request) : { jobs: [fileJob(request)], leftOut: [] };
  for (const { output } of found.jobs) requireWritable(output);
  return { ...found, isFolder };
}

/** The job of one file, which need not exist. @throws UserError `picture/format` where the output is a folder. */
export function fileJob({ input, out, suffix, reference }: JobRequest): RestorationJob {
  const besides = join(dirname(input), `${basename(input, extname(input))}-${suffix}.png`);
  const output = out ?? besides;
  if (isFolderAt(output))
    throw new UserError(
      "picture/format",
      `"${output}" is a folder. Give --out the name of a picture: ${join(output, basename(besides))}`,
    );
  return {
    name: basename(input),
    input,
    output,
    ...(reference !== undefined && { comparison: { reference, strip: stripOf(output) } }),
  };
}

async function folderJobs(request: JobRequest): Promise<Omit<RestorationJobs, "isFolder">> {
  const { input, suffix, reference, force } = request;
  const folder = request.out ?? `${besideFolder(input)}-${suffix}`;
  if (statSync(folder, { throwIfNoEntry: false })?.isFile() === true)
    throw new UserError(
      "picture/format",
      `"${folder}" is a file, and "${input}" a folder. Give --out the name of a folder.`,
    );
  if (force !== true && isFolderAt(folder) && realpathSync(folder) === realpathSync(input))
    throw new UserError(
      "picture/overwrites",
      `"${folder}" is the input folder, whose pictures would be replaced, or restored again the next time. Give --out another ` +
        `folder, or --force.`,
    );
  if (reference !== undefined && !isFolderAt(reference))
    throw new UserError(
      "picture/missing",
      `"${reference}" is no folder, and "${input}" is one. Give --compare a folder with pictures of the same names.`,
    );
  const { files, skipped: leftOut } = await listImageFolder(input, {
    exclude: [folder],
    otherInputs: [...(request.otherInputs ?? []), ...(reference === undefined ? [] : [reference])],
    nameHidden: true,
  });
  if (files.length === 0)
    throw new UserError(
      "picture/none",
      `no pictures in "${input}"${leftOut.length === 0 ? "" : `: left out ${describeLeftOut(leftOut)}`}. Known: JPEG, PNG, WebP, ` +
        `AVIF, GIF, TIFF.`,
    );
  const names = files.map(({ name }) => name);
  const outputs = outputNames(names);
  const strips = nameClaims(outputs);
  const jobs = names.map((name, i): RestorationJob => {
    const output = outputs[i]!;
    const job = { name, input: join(input, name), output: join(folder, output) };
    if (reference === undefined) return job;
    const strip = join(folder, strips.claim(stripOf(output)));
    return { ...job, comparison: { reference: join(reference, name), strip } };
  });
  return { jobs, leftOut };
}

/** Files a line names before it counts the rest. */
const NAMED = 3;

/** `a.heic (format not supported), b.txt (not an image file) and 4 more`. */
export function describeLeftOut(files: readonly SkippedFile[]): string {
  const named = files.slice(0, NAMED).map(({ name, reason }) => `${name} (${reason})`);
  const more = files.length - named.length;
  return `${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function stripOf(output: string): string {
  return `${withoutExtension(output)}-compare.png`;
}

/** The path without a slash at its end, of a folder that has a name: `..` has none that could be added to. */
function besideFolder(path: string): string {
  return ["", ".", ".."].includes(basename(path)) ? resolve(path) : path.replace(/[/\\]+$/, "");
}

/** What cannot be looked at is none; the plan of all files says why. */
function isFolderAt(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
