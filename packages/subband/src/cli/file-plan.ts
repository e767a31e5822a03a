/**
 * @module All that a command reads and writes, checked before any work: no output is an input, another output, part of a
 * run or a model, or anything but a regular file. Files are told by what they are, not by their names.
 */
import { join } from "node:path";
import { UserError } from "onnxgrad/errors";
import { MODEL_FILE } from "../training/model-file.ts";
import { createLook, type Home, type Look, realFolder } from "./place.ts";

/** A file that will be read. */
export interface PlannedRead {
  readonly path: string;
  /** How the user knows it: `the input`, `--mask`. */
  readonly what: string;
}

/** A file that will be written. */
export interface PlannedWrite {
  readonly path: string;
  /** How the user knows it: `--out`. */
  readonly what: string;
  /** The input that it may replace where the plan is forced: its own, no other. */
  readonly replaces?: string | undefined;
  /** Whether it is a model, which may take the place of another one. */
  readonly isModel?: boolean;
}

/** What a command does with files. Folders are not told: what lies in them is. */
export interface FilePlan {
  readonly reads: readonly PlannedRead[];
  readonly writes: readonly PlannedWrite[];
  /** The run or model that the command is about, or several: new files may be put into a run, beside those of its own. */
  readonly about?: string | readonly string[] | undefined;
  /** Whether an output may replace the input that it is made of. */
  readonly force?: boolean | undefined;
}

/** What training keeps in a run, and what it keeps there for a moment. */
const PARTS_OF_RUN =
  /^(?:run\.json|metrics\.jsonl|samples(?:\/.*)?|lock\.json.*|state\..*|(?:.*\/)?\.[^/]*)$/i;

/**
 * Refuses the first write that would destroy something or cannot be done; looks only, and makes nothing.
 * @throws UserError `file/cannot-write`, `file/part-of-run`, `file/replaces-input`, `file/one-output`.
 */
export function checkFilePlan(plan: FilePlan, look: Look = createLook()): void {
  const inputs = new Map<string, PlannedRead[]>();
  for (const read of plan.reads) {
    const { identity } = look(read.path);
    inputs.set(identity, [...(inputs.get(identity) ?? []), read]);
  }
  const about = [plan.about ?? []].flat().map(realFolder);
  const outputs = new Map<string, PlannedWrite>();
  for (const write of plan.writes) {
    const place = look(write.path);
    // First what would be lost: which file it is says more than that it lies in a run, or cannot be written.
    const found = inputs.get(place.identity) ?? [];
    const isOwn = found.length === 1 && found[0]!.path === write.replaces;
    if (found.length > 0 && !(plan.force === true && isOwn)) throw replacesInput(write, found[0]!);
    const other = outputs.get(place.identity);
    if (other !== undefined) throw oneOutput(write, other);
    if (place.refusal !== undefined)
      throw new UserError(
        "file/cannot-write",
        `cannot write "${write.path}", ${write.what}: ${place.refusal}. Choose another place.`,
      );
    if (place.home !== undefined && !mayHold(place.home, about, write)) throw partOf(write, place.home);
    outputs.set(place.identity, write);
  }
  for (const [identity, write] of outputs)
    for (const above of foldersOf(identity)) {
      const other = outputs.get(above);
      if (other !== undefined)
        throw new UserError(
          "file/one-output",
          `${other.what}: "${other.path}" would have to be a folder, too, for ${write.what}, "${write.path}". Give it another name.`,
        );
    }
}

/** The folders that do not exist yet on the way to a file. */
function foldersOf(identity: string): string[] {
  const at = identity.lastIndexOf("/");
  return at <= 0 ? [] : [identity.slice(0, at), ...foldersOf(identity.slice(0, at))];
}

/**
 * Refuses a place for a run inside another run or a model, or one that cannot be written.
 * @throws UserError `file/not-writable`, `file/part-of-run`, `file/replaces-input`.
 */
export function checkRunFolder(out: string, reads: readonly PlannedRead[], look: Look = createLook()): void {
  const run: PlannedWrite = { path: join(out, "run.json"), what: "--out" };
  const { identity, home, refusal } = look(run.path);
  const input = reads.find(({ path }) => look(path).identity === identity);
  if (input !== undefined) throw replacesInput(run, input);
  if (refusal !== undefined) {
    const inTheWay = !["absent", "folder", "unreachable"].includes(look(out).target);
    throw new UserError(
      "file/not-writable",
      `not writable: "${out}"${inTheWay ? " (EEXIST)" : ""}: ${refusal}. Choose another --out.`,
    );
  }
  if (home !== undefined && (home.kind === "model" || home.within !== "run.json"))
    throw partOf({ ...run, path: out }, home);
}

/** Whether the command about the folders `about` may write there. */
function mayHold(
  { kind, folder, within }: Home,
  about: readonly (string | undefined)[],
  { isModel = false }: PlannedWrite,
): boolean {
  if (kind === "model") return isModel && within === MODEL_FILE;
  return about.includes(folder) && !PARTS_OF_RUN.test(within);
}

function replacesInput({ what, path, replaces }: PlannedWrite, input: PlannedRead): UserError {
  if (replaces === input.path)
    return new UserError(
      "file/replaces-input",
      `"${path}" would replace its own input. Give --out another place, or --force.`,
    );
  const name = input.path === path ? "" : ` ("${input.path}")`;
  return new UserError(
    "file/replaces-input",
    `${what}: "${path}" is ${input.what}${name}, which is only read. Give ${what} another place.`,
  );
}

function oneOutput({ what, path }: PlannedWrite, other: PlannedWrite): UserError {
  const both = what === other.what ? `two of ${what}` : `${other.what} and ${what}`;
  const names = path === other.path ? `"${path}"` : `"${other.path}" and "${path}"`;
  return new UserError(
    "file/one-output",
    `${both} would be one file: ${names}. Give each a name of its own.`,
  );
}

function partOf({ what, path }: PlannedWrite, { kind, folder, within }: Home): UserError {
  const whole =
    kind === "run" ? `the run "${folder}"` : `the model "${folder}", whose folder holds nothing else`;
  const part = kind === "run" && PARTS_OF_RUN.test(within) ? "is part of" : "lies in";
  return new UserError(
    "file/part-of-run",
    `${what}: "${path}" ${part} ${whole}. Give ${what} a place outside of it.`,
  );
}
