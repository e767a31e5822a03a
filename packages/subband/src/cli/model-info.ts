/** @module `subband info` of a model that was imported: what is in its file. */
import type { Context } from "./context.ts";
import { formatBytes } from "./format.ts";
import { modelJson, modelRows } from "./model-table.ts";
import { answer, formatTable } from "./output.ts";

/** Prints what the model at `path` is. */
export async function informModel(context: Context, path: string): Promise<void> {
  const { loadModel } = await import("../training/model-file.ts");
  const { model, metadata, file, bytes } = await loadModel(path);
  const sources = importedFrom(metadata["imported_from"]);
  answer(context, {
    lines: formatTable([
      ["model", `${file}, ${formatBytes(bytes)}, checksum good`],
      ["made by", `subband ${metadata["subband_version"] ?? "of an unknown version"}`],
      ...modelRows(
        model,
        sources.map(({ file: name }) => name),
      ),
    ]),
    json: {
      file,
      bytes,
      versions: { subband: metadata["subband_version"] },
      ...modelJson(model),
      importedFrom: sources,
    },
  });
}

/** Files of the networks as they were recorded, in the order of the networks. */
function importedFrom(text: string | undefined): { readonly file: string; readonly sha256: string }[] {
  return text === undefined ? [] : (JSON.parse(text) as { file: string; sha256: string }[]);
}
