/** @module The files of a study of denoisers: what it reads and writes, checked before the work. */
import { join } from "node:path";
import { listImageFolder } from "../data/image-folder.ts";
import { BUILTIN, modelPath } from "../restoration/model-source.ts";
import { REPORT_FILES } from "../studies/local-report.ts";
import { dumpFiles } from "../studies/peers.ts";
import { checkFilePlan, type PlannedRead, type PlannedWrite } from "./file-plan.ts";
import { readsAt } from "./planned-reads.ts";

/** What a study is asked for, as far as files go. */
export interface StudyRequest {
  /** `name=path`, each. */
  readonly model: readonly string[];
  readonly pictures: string;
  readonly peers?: string;
  readonly dump?: string;
  readonly out: string;
}

/** What a study will read and write. */
export interface StudyFiles {
  /** Pictures in the folder, by name; not all may be of use. */
  readonly names: readonly string[];
  /** Every other file of the folder. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  readonly outputs: readonly string[];
}

/** `name=builtin` as the path of the model that ships with the package. */
export function withBuiltin(text: string): string {
  const at = text.indexOf("=");
  return at >= 0 && text.slice(at + 1) === BUILTIN ? `${text.slice(0, at)}=${modelPath(BUILTIN)}` : text;
}

/**
 * Plans and checks; makes nothing.
 * @throws UserError `file/...`.
 */
export async function planStudy(request: StudyRequest, sigmas: readonly number[]): Promise<StudyFiles> {
  const { model, pictures, peers, dump, out } = request;
  const exclude = [out, ...(dump === undefined ? [] : [dump])];
  const { files, skipped: leftOut } = await listImageFolder(pictures, { exclude });
  const names = files.map(({ name }) => name);
  const reads: PlannedRead[] = [
    ...names.map((name) => ({ path: join(pictures, name), what: `a picture of --pictures` })),
    ...(peers === undefined ? [] : [{ path: peers, what: "--peers" }]),
    ...model.flatMap((text) => readsAt(text.slice(text.indexOf("=") + 1), "--model")),
  ];
  const within = (folder: string, what: string, inner: readonly string[]): PlannedWrite[] =>
    inner.map((name) => ({ path: join(folder, name), what }));
  const writes = [
    ...(dump === undefined ? [] : within(dump, "--dump", dumpFiles(names.length, sigmas))),
    ...(model.length === 0 && peers === undefined ? [] : within(out, "--out", REPORT_FILES)),
  ];
  checkFilePlan({ reads, writes });
  return { names, leftOut, outputs: writes.map(({ path }) => path) };
}
