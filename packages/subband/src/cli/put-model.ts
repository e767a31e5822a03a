/** @module Where a model goes that a command makes: a file of its own, a folder of its own, or stdout. */
import { UserError } from "onnxgrad/errors";
import { type LocalModel, storeModel } from "../systems/parts/local/model.ts";
import { encodeCheckpoint } from "../training/checkpoint.ts";
import { modelFile, requireModelPlace, saveModel } from "../training/model-file.ts";
import type { Context } from "./context.ts";
import { checkFilePlan, type PlannedRead } from "./file-plan.ts";
import { withFolders } from "./output-folders.ts";
import { putEncoded, requireStreams, STANDARD } from "./standard-streams.ts";

/** Names of files of other kinds: no folder is called so on purpose. */
const OTHER_KINDS =
  /\.(?:png|jpe?g|webp|tiff?|gif|avif|svg|csv|json|md|txt|onnx|ort|pth?|bin|npz|zip|tar|t?gz)$/i;

/**
 * Refuses a place for a model, before anything is read.
 * @throws UserError `model/occupied`, `export/name`, `stream/...`, `file/...`.
 */
export function requirePlaceOfModel(context: Context, out: string, reads: readonly PlannedRead[]): void {
  requireStreams(context, [], [{ what: "--out", path: out }]);
  if (out === STANDARD) return;
  if (OTHER_KINDS.test(out))
    throw new UserError(
      "export/name",
      `"${out}": a model is a folder, or a file whose name ends with .safetensors. Give --out such a name.`,
    );
  requireModelPlace(out);
  checkFilePlan({ reads, writes: [{ path: modelFile(out), what: "--out", isModel: true }] });
}

/**
 * Writes a model that was made of the files `reads`; returns where, and its size.
 * @throws UserError of {@link requirePlaceOfModel}, `file/...`.
 */
export async function putModel(
  context: Context,
  out: string,
  model: LocalModel,
  metadata: Readonly<Record<string, string>>,
  reads: readonly PlannedRead[],
): Promise<{ readonly file: string; readonly bytes: number }> {
  requirePlaceOfModel(context, out, reads);
  if (out !== STANDARD)
    return withFolders([modelFile(out)], () => Promise.resolve(saveModel(out, model, metadata)));
  const bytes = encodeCheckpoint(storeModel(model, metadata));
  await putEncoded(context, out, bytes);
  return { file: "stdout", bytes: bytes.length };
}
