/**
 * @module The plan of a command that restores pictures: which it reads, where each goes, what else is written, all checked
 * before any work.
 */
import { UserError } from "onnxgrad/errors";
import { BUILTIN } from "../restoration/model-source.ts";
import { type PictureSource, requireWritable } from "../restoration/picture.ts";
import {
  describeLeftOut,
  fileJob,
  type JobRequest,
  type RestorationJob,
  type RestorationJobs,
  restorationJobs,
} from "../restoration/restoration-jobs.ts";
import type { Context } from "./context.ts";
import { checkFilePlan, type PlannedRead, type PlannedWrite } from "./file-plan.ts";
import { readsAt } from "./planned-reads.ts";
import type { Restoration } from "./restore-one.ts";
import type { RestoreFlags } from "./restore.ts";
import { readStandardInput, requireStreams, STANDARD } from "./standard-streams.ts";

/** In the place of an output that is no file. */
const NOWHERE = "\0.png";

/** What a restoration will do. */
export interface PlannedRestoration extends RestorationJobs {
  /** Every file that will be written. */
  readonly outputs: readonly string[];
  /** Whether a picture goes to stdout, which then holds nothing else. */
  readonly toStdout: boolean;
  /** What to read for a path: stdin in the place of `-`. */
  readonly source: (path: string) => PictureSource;
  readonly describe: typeof describeLeftOut;
}

/**
 * Plans and checks; makes nothing.
 * @throws UserError `stream/...`, `picture/...`, `file/...`, `restoration/map`.
 */
export async function planRestoration(
  context: Context,
  input: string,
  flags: RestoreFlags,
  { suffix, companion, map }: Restoration,
): Promise<PlannedRestoration> {
  const { out, compare: reference, force } = flags;
  const reads = [
    { what: "the input", path: input },
    { what: "--compare", path: reference },
    { what: companion?.what ?? "", path: companion?.path },
  ];
  const writes = [
    { what: "--out", path: out },
    { what: "--uncertainty", path: map },
  ];
  requireStreams(context, reads, writes);
  const otherInputs = companion === undefined || companion.path === STANDARD ? [] : [companion.path];
  const found = await jobsOf({ input, out, suffix, reference, otherInputs, force });
  if (map !== undefined && found.isFolder)
    throw new UserError(
      "restoration/map",
      "--uncertainty is one picture, and the input a folder. Give it a picture.",
    );
  if (map !== undefined && map !== STANDARD) requireWritable(map);
  const planned = found.jobs.flatMap(writesOf);
  if (map !== undefined && map !== STANDARD) planned.push({ path: map, what: "--uncertainty" });
  checkFilePlan({
    reads: [
      ...found.jobs.flatMap(readsOf),
      ...(companion === undefined || companion.path === STANDARD
        ? []
        : [{ path: companion.path, what: companion.what }]),
      ...(flags.model === BUILTIN ? [] : readsAt(flags.model, "--model")),
    ],
    writes: planned,
    force,
  });
  const stdin = reads.some(({ path }) => path === STANDARD) ? await readStandardInput(context) : undefined;
  return {
    ...found,
    outputs: planned.map(({ path }) => path),
    toStdout: writes.some(({ path }) => path === STANDARD),
    source: (path) => (path === STANDARD && stdin !== undefined ? { name: "stdin", bytes: stdin } : path),
    describe: describeLeftOut,
  };
}

/** The jobs, where a stream is one picture. Files and folders that happen to be called - are none of it: ./- is one. */
async function jobsOf(request: JobRequest): Promise<RestorationJobs> {
  const { input, out } = request;
  if (input === STANDARD && out === undefined)
    throw new UserError(
      "picture/format",
      "the input is stdin, which has no place beside it: give --out a picture, or - for stdout.",
    );
  if (out !== STANDARD && input !== STANDARD) return restorationJobs(request);
  const { isFolder, jobs } =
    input === STANDARD
      ? { isFolder: false, jobs: [fileJob({ ...request, out: out === STANDARD ? NOWHERE : out })] }
      : await restorationJobs({ ...request, out: undefined });
  if (isFolder)
    throw new UserError(
      "picture/format",
      `"${input}" is a folder, and stdout takes one picture. Give --out a folder.`,
    );
  if (out !== STANDARD) for (const { output } of jobs) requireWritable(output);
  const named = out === STANDARD ? jobs.map((job) => ({ ...job, output: STANDARD })) : jobs;
  return { jobs: named, leftOut: [], isFolder };
}

function readsOf({ input, comparison }: RestorationJob): PlannedRead[] {
  const { reference = STANDARD } = comparison ?? {};
  return [
    ...(input === STANDARD ? [] : [{ path: input, what: "the input" }]),
    ...(reference === STANDARD ? [] : [{ path: reference, what: "--compare" }]),
  ];
}

/** Beside stdout nothing is written that was not asked for by name. */
function writesOf({ input, output, comparison }: RestorationJob): PlannedWrite[] {
  if (output === STANDARD) return [];
  return [
    { path: output, what: "--out", replaces: input },
    ...(comparison === undefined ? [] : [{ path: comparison.strip, what: "the strip of --compare" }]),
  ];
}
