/**
 * @module The run directory: `run.json` (what was asked for, complete), `state.safetensors`, `metrics.jsonl`,
 * `samples/`. Data only, no code. What a configuration may contain is told by a schema of the caller.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { printable, UserError } from "onnxgrad";
import * as z from "zod";
import { writeFileAtomic } from "./atomic-file.ts";
import { acquireLock, isOfLock, type Lock, removeLeftovers } from "./lock.ts";
import { readRegularFile, requireRegularFile } from "./regular-file.ts";
import { versions } from "./versions.ts";

/** Number of the layout of `run.json`; raised when an older reader would misread it. */
export const RUN_FORMAT = 2;

/** Schemas of any configuration, also of one that this version could not train or sample. */
export const ANY_CONFIG: Readonly<Record<1 | 2, z.ZodType<unknown>>> = { 1: z.unknown(), 2: z.unknown() };

/** Everything about a run besides its tensors. */
export interface RunRecord<Config = unknown> {
  /** Versions that began the run, e.g. {@link versions}. */
  readonly versions: Readonly<Record<string, string>>;
  /** Seed of every random number of the run. */
  readonly seed: number;
  /** Training images seen by each stage at the last save. For people: resuming trusts the checkpoint's own counters. */
  readonly imagesSeen: Readonly<Record<string, number>>;
  /** Seconds of work up to then, by stage and `other`; absent where images are counted instead. */
  readonly secondsUsed?: Readonly<Record<string, number>> | undefined;
  /** The whole resolved configuration, defaults included. */
  readonly config: Config;
}

/** Paths of what a run directory holds. */
export interface RunPaths {
  readonly run: string;
  readonly metrics: string;
  readonly samples: string;
}

const Envelope = z.strictObject({
  format: z.int().positive(),
  versions: z.record(z.string(), z.string()),
  seed: z.int().nonnegative(),
  imagesSeen: z.record(z.string(), z.int().nonnegative()),
  secondsUsed: z.record(z.string(), z.number().nonnegative()).optional(),
  config: z.looseObject({}),
});

/** Where in the run directory `dir` things lie. The checkpoint's names are checkpoint.ts's own. */
export function runPaths(dir: string): RunPaths {
  return { run: join(dir, "run.json"), metrics: join(dir, "metrics.jsonl"), samples: join(dir, "samples") };
}

/** Whether `dir` is a run directory. */
export function isRun(dir: string): boolean {
  return existsSync(runPaths(dir).run);
}

/** A run directory open for training. */
export interface OpenedRun extends Lock {
  /** Gives the run free and takes back what was made since it was opened: for a training that failed before it saved. */
  abandon(): void;
}

/**
 * Makes or opens the run directory `dir` for training and locks it: refuses one that cannot be written, and a folder of
 * other things. Clears what a killed trainer left half-written. Nothing is left behind when it fails.
 * @throws UserError `file/not-writable`, `run/occupied`, `run/locked`.
 */
export function openRunForTraining(dir: string): OpenedRun {
  const made = makeFolder(dir);
  let lock: Lock | undefined;
  const abandon = (): void => {
    lock?.release();
    // Others may have put something into the folders meanwhile, or removed them.
    for (const folder of made.toReversed()) removeIfEmpty(folder);
  };
  try {
    const existed = isRun(dir);
    if (!existed) refuseOccupied(dir);
    lock = acquireLock(dir);
    const { run, metrics, samples } = runPaths(dir);
    const hadMetrics = existsSync(metrics);
    requireRegularFile(metrics);
    const madeSamples = makeFolder(samples).length > 0;
    removeLeftovers(dir);
    return {
      release: lock.release,
      abandon() {
        if (!existed) {
          rmSync(run, { force: true });
          if (!hadMetrics) rmSync(metrics, { force: true });
          if (madeSamples) rmSync(samples, { recursive: true, force: true });
          removeLeftovers(dir);
        } else if (madeSamples) removeIfEmpty(samples);
        abandon();
      },
    };
  } catch (error) {
    abandon();
    throw error;
  }
}

/** Removes a folder that nothing is in; leaves any other, and any that cannot be removed. */
export function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It is in use, or gone.
  }
}

/** Writes `run.json`, whole or not at all. @throws UserError of {@link writeFileAtomic}. */
export function writeRun(dir: string, record: RunRecord): void {
  const text = JSON.stringify({ format: RUN_FORMAT, ...record }, undefined, 2);
  writeFileAtomic(runPaths(dir).run, `${numbersInLine(text)}\n`);
}

/** Indented JSON with each array of numbers on one line. */
function numbersInLine(json: string): string {
  return json.replaceAll(/^(.*)\[\n[\s\d.,eE+-]*\]/gm, (array) => array.replaceAll(/\s*\n\s*/g, " "));
}

/**
 * Reads `run.json`; `schemas` validate the configuration of each format that can be read.
 * @throws UserError `run/missing`, `run/not-a-run`, `run/newer-format` or `run/invalid`, naming the field.
 */
export function readRun<T>(dir: string, schemas: Readonly<Record<number, z.ZodType<T>>>): RunRecord<T> {
  const raw = readJson(dir);
  refuseOtherFormat(dir, raw);
  const envelope = Envelope.safeParse(raw);
  if (!envelope.success) throw invalid(dir, describeIssues(envelope.error, []));
  const schema = schemas[envelope.data.format];
  if (schema === undefined) throw invalid(dir, `format: there is no ${envelope.data.format}`);
  const config = schema.safeParse(envelope.data.config);
  if (!config.success) throw invalid(dir, describeIssues(config.error, ["config"]));
  const { config: _, format: __, ...rest } = envelope.data;
  return { ...rest, config: config.data };
}

/**
 * Makes the folder `path` with its parents, or sees that it is a folder and writable; returns what it made, outermost
 * first. Step by step: Node's own recursive mkdir never returns in folders such as /proc, which refuse new names as if
 * they themselves were missing. Nothing is left behind when it fails.
 * @throws UserError `file/not-writable`.
 */
export function makeFolder(path: string): readonly string[] {
  const made: string[] = [];
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      accessSync(path, constants.W_OK);
      return made;
    }
    if (dirname(path) !== path) makeParents(dirname(path), made);
    mkdirSync(path);
    return [...made, path];
  } catch (error) {
    for (const folder of made.toReversed()) removeIfEmpty(folder);
    const { code = "unknown reason" } = error as NodeJS.ErrnoException;
    throw new UserError(
      "file/not-writable",
      `not writable: "${path}" (${code}). Choose another --out, or change its permissions.`,
      { cause: error },
    );
  }
}

function makeParents(path: string, made: string[]): void {
  if (existsSync(path)) return;
  makeParents(dirname(path), made);
  mkdirSync(path);
  made.push(path);
}

function readJson(dir: string): unknown {
  const status = statSync(dir, { throwIfNoEntry: false });
  if (status === undefined)
    throw new UserError(
      "run/missing",
      `no such run: "${dir}". Make one with: subband train --data faces --out ${dir}`,
    );
  if (!status.isDirectory() || !isRun(dir))
    throw new UserError(
      "run/not-a-run",
      `not a run directory: "${dir}" has no run.json. Give a directory made by subband train.`,
    );
  try {
    return JSON.parse(readRegularFile(runPaths(dir).run)?.toString("utf8") ?? "");
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw invalid(dir, (error as Error).message, error);
  }
}

/** Another format is told apart before anything else is looked at: its fields may mean other things. */
function refuseOtherFormat(dir: string, raw: unknown): void {
  const found = z
    .object({ format: z.int(), versions: z.record(z.string(), z.string()).catch({}) })
    .safeParse(raw);
  if (!found.success || found.data.format <= RUN_FORMAT) return;
  const maker = found.data.versions["subband"];
  throw new UserError(
    "run/newer-format",
    `run of a newer version: "${dir}" has format ${found.data.format}${maker === undefined ? "" : `, made by subband ${printable(maker)}`}; ` +
      `this is subband ${versions().subband}, which reads up to format ${RUN_FORMAT}. Update subband.`,
  );
}

function invalid(dir: string, what: string, cause?: unknown): UserError {
  return new UserError(
    "run/invalid",
    `bad run.json in "${dir}": ${printable(what)}. It was made by another version or edited by hand: mend that field, or train into a new folder.`,
    { cause },
  );
}

/** `config.model.width: expected number, received string (and 2 more)`, on one line. */
function describeIssues(error: z.ZodError, prefix: readonly string[]): string {
  const [first] = error.issues;
  const field = [...prefix, ...(first?.path ?? [])].join(".");
  const what = (first?.message ?? "does not fit")
    .replaceAll(/\s*\n\s*/g, " ")
    .replace(/^Invalid input: /, "");
  const more = error.issues.length - 1;
  return `${field === "" ? "" : `${field}: `}${what}${more > 0 ? ` (and ${more} more)` : ""}`;
}

/** A folder of other things is no place for a run: a slip in --out should not scatter files among photographs. */
function refuseOccupied(dir: string): void {
  const { metrics, samples } = runPaths("");
  const isOurs = (name: string) => name === metrics || name === samples || isOfLock(name);
  const strange = readdirSync(dir).find((name) => !isOurs(name) && !name.startsWith("."));
  if (strange !== undefined)
    throw new UserError(
      "run/occupied",
      `folder in use: "${dir}" is no run and holds other things ("${strange}"). Give --out a new or empty folder.`,
    );
}
