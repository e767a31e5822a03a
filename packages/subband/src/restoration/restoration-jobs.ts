/**
 * @module Which pictures are restored and where each goes: one file, or every picture of a folder into a folder of the
 * same shape. Everything that can be refused is refused before the first picture is read.
 */
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { UserError } from "onnxgrad";
import { listImageFolder } from "../data/image-folder.ts";
import { requireWritable } from "./picture.ts";

/** One picture to restore. */
export interface RestorationJob {
  /** The name to show: of the file, or its path inside the folder. */
  readonly name: string;
  readonly input: string;
  readonly output: string;
  /** The picture to compare with, if any. */
  readonly reference?: string;
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
  /** Whether an output may replace the input. */
  readonly force?: boolean | undefined;
}

/**
 * The pictures and their places, in order of their names.
 * @throws UserError `picture/missing`, `picture/none`, `picture/overwrites`, `picture/format`.
 */
export async function restorationJobs(request: JobRequest): Promise<readonly RestorationJob[]> {
  const status = statSync(request.input, { throwIfNoEntry: false });
  if (status === undefined)
    throw new UserError("picture/missing", `no such picture or folder: "${request.input}".`);
  const jobs = status.isDirectory() ? await folderJobs(request) : [fileJob(request)];
  for (const { input, output } of jobs) {
    requireWritable(output);
    if (request.force !== true && sameFile(input, output))
      throw new UserError(
        "picture/overwrites",
        `"${output}" would replace its own input. Give --out another place, or --force.`,
      );
  }
  return jobs;
}

function fileJob({ input, out, suffix, reference }: JobRequest): RestorationJob {
  const besides = join(dirname(input), `${basename(input, extname(input))}-${suffix}.png`);
  const output = out ?? besides;
  if (statSync(output, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new UserError(
      "picture/format",
      `"${output}" is a folder. Give --out the name of a picture: ${join(output, basename(besides))}`,
    );
  return { name: basename(input), input, output, ...(reference !== undefined && { reference }) };
}

async function folderJobs({ input, out, suffix, reference }: JobRequest): Promise<RestorationJob[]> {
  const { files } = await listImageFolder(input);
  if (files.length === 0)
    throw new UserError(
      "picture/none",
      `no pictures in "${input}". Known: JPEG, PNG, WebP, AVIF, GIF, TIFF.`,
    );
  const folder = out ?? `${input.replace(/[/\\]+$/, "")}-${suffix}`;
  if (statSync(folder, { throwIfNoEntry: false })?.isFile() === true)
    throw new UserError(
      "picture/format",
      `"${folder}" is a file, and "${input}" a folder. Give --out the name of a folder.`,
    );
  if (reference !== undefined && statSync(reference, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new UserError(
      "picture/missing",
      `"${reference}" is no folder, and "${input}" is one. Give --compare a folder with pictures of the same names.`,
    );
  const count = new Map<string, number>();
  for (const { name } of files) count.set(stemOf(name), (count.get(stemOf(name)) ?? 0) + 1);
  return files.map(({ name }) => {
    const written = outputName(name, count.get(stemOf(name))! > 1);
    return {
      name,
      input: join(input, name),
      output: join(folder, written),
      ...(reference !== undefined && { reference: join(reference, name) }),
    };
  });
}

/** PNG and TIFF keep their names, everything else becomes PNG: `a.jpg` becomes `a.png`, or `a.jpg.png` beside another `a`. */
function outputName(name: string, rivals: boolean): string {
  const extension = extname(name);
  if (/^\.(?:png|tiff?)$/i.test(extension)) return name;
  return rivals ? `${name}.png` : `${name.slice(0, -extension.length)}.png`;
}

/** Without extension; the same for names that some file systems take for one. */
function stemOf(name: string): string {
  return name.slice(0, -extname(name).length).toLowerCase();
}

function sameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false; // one of them does not exist
  }
}
