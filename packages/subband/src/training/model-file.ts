/**
 * @module Model files: one trained local model as `model.safetensors`, in a folder of its own or under any name, with a
 * checksum over every byte. Written whole or not at all. A run of a denoiser opens as its model, too.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { inSlices, printableJson, UserError } from "onnxgrad";
import { type LocalModel, restoreModel, storeModel } from "../systems/parts/local/model.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import type { Arrays } from "../systems/draw.ts";
import type { LocalCodec, System } from "../systems/system.ts";
import { decodingCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { loadRun, type LoadedRun } from "./load-run.ts";
import { systemOf } from "./run-config.ts";
import { readLargeFile } from "./regular-file.ts";
import { isRun, makeFolder } from "./run-directory.ts";
import { readRunFile } from "./run-file.ts";
import type { WeightsName } from "../loop/weights.ts";

/** Name of a model's file in a folder of its own. */
export const MODEL_FILE = "model.safetensors";
const EXTENSION = ".safetensors";

/** A model read from a file. */
export interface LoadedModel {
  readonly model: LocalModel;
  /** What was told when it was saved, e.g. where it came from. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly file: string;
  readonly bytes: number;
  /** What a run knows besides; absent for a model file. */
  readonly run?: RunOfModel;
}

/** What is known of a model because it is a run. */
export interface RunOfModel extends Pick<LoadedRun, "config" | "weights" | "best" | "warning"> {
  readonly system: System;
  readonly local: LocalCodec;
  /** Arrays of the checkpoint, the chosen weights under each stage's own name. */
  readonly arrays: Arrays;
}

/** The file of the model `path`: itself when it is called `*.safetensors`, else `model.safetensors` in that folder. */
export function modelFile(path: string): string {
  return path.endsWith(EXTENSION) ? path : join(path, MODEL_FILE);
}

/** Whether there is a model at `path`, good or damaged. */
export function isModel(path: string): boolean {
  return existsSync(modelFile(path));
}

/**
 * Whether a model or the run of a denoiser lies at `path`: what `loadModel` opens.
 * @throws UserError `run/...` for a damaged run.
 */
export function isDenoiser(path: string): boolean {
  if (!isRun(path)) return isModel(path);
  return systemOf(readRunFile(path).config).local !== undefined;
}

/**
 * Refuses a folder that a model should not be put into: a run, or one that holds other things.
 * @throws UserError `model/occupied`.
 */
export function requireModelPlace(path: string): void {
  if (path.endsWith(EXTENSION)) return;
  const status = statSync(path, { throwIfNoEntry: false });
  const strange = status?.isDirectory() === true ? readdirSync(path).find(isStrange) : undefined;
  const why = isRun(path)
    ? "is a run of subband train"
    : strange !== undefined
      ? `holds other things (${printableJson(strange)})`
      : status !== undefined && !status.isDirectory()
        ? "is a file"
        : undefined;
  if (why !== undefined)
    throw new UserError(
      "model/occupied",
      `place in use: "${path}" ${why}. Give --out a new folder, or a file name that ends with ${EXTENSION}.`,
    );
}

const isStrange = (name: string): boolean => name !== MODEL_FILE && !name.startsWith(".");

/**
 * Saves a model at `path`, in the place of the one that may be there; returns the file.
 * @throws UserError `model/occupied`, `file/...`.
 */
export function saveModel(
  path: string,
  model: LocalModel,
  metadata: Readonly<Record<string, string>> = {},
): { readonly file: string; readonly bytes: number } {
  requireModelPlace(path);
  const file = modelFile(path);
  const bytes = encodeCheckpoint(storeModel(model, metadata));
  makeFolder(dirname(file));
  writeFileAtomic(file, bytes);
  return { file, bytes: bytes.length };
}

/**
 * Opens the model at `path`: a model file or its folder, or the run of a denoiser, of which `weights` tells the last from
 * the best.
 * @throws UserError `model/missing`, `model/damaged`, `local/...`, `nn/...`: one line that names the file; `run/...`, and
 * `run/generator` for a run that is no denoiser.
 */
export async function loadModel(path: string, weights: WeightsName = "last"): Promise<LoadedModel> {
  if (isRun(path)) return modelOfRun(path, weights);
  const file = modelFile(path);
  const content = await readLargeFile(file);
  if (content === undefined)
    throw new UserError(
      "model/missing",
      `no such model: "${path}"${path === file ? "" : ` has no ${MODEL_FILE}`}. Make one with: subband import NET.pt --out ${path}`,
    );
  const { buffer, byteOffset, byteLength } = content;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const found = await inSlices(decodingCheckpoint(bytes, file, () => "Restore a copy, or import it again."));
  if (typeof found === "string")
    throw new UserError(
      "model/damaged",
      `damaged model: "${file}": ${found}. Restore a copy, or import it again.`,
    );
  try {
    return { model: restoreModel(found), metadata: found.metadata, file, bytes: byteLength };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, `cannot load "${file}": ${error.message}`, { cause: error });
  }
}

async function modelOfRun(dir: string, weights: WeightsName): Promise<LoadedModel> {
  const { config, tensors, file, bytes, best, warning } = await loadRun(dir, weights);
  const system = systemOf(config);
  const { local } = system;
  if (local === undefined)
    throw new UserError(
      "run/generator",
      `run "${dir}" is of preset ${config.preset}, which draws images and denoises none. Train a denoiser: subband train ` +
        `--preset local-unet`,
    );
  const { name, licence, credit } = config.data;
  return {
    model: local.model(tensors),
    metadata: { trained_on: name, licence, credit, preset: config.preset },
    file: join(dir, file),
    bytes,
    run: { config, weights, best, warning, system, local, arrays: tensors },
  };
}
