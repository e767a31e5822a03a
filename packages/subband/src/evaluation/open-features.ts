/** @module Finds features by what a user calls them: `cifar`, which ships with the package, or the path of an ONNX file. */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { printable, quoteName, UserError } from "onnxgrad";
import { readLargeFile } from "../training/regular-file.ts";
import { cifarFeatures } from "./features/cifar-features.ts";
import type { FeatureExtractor } from "./features/feature-extractor.ts";
import { onnxFeatures, type OnnxFeaturesOptions } from "./features/onnx-features.ts";

/** The features that ship with the package. */
export const CIFAR_FEATURES = "cifar";

/** Where they lie: beside `src/` and `dist/`. */
const CIFAR_FILE = fileURLToPath(new URL("../../models/features/cifar10.onnx", import.meta.url));

/** The file that {@link openFeatures} reads. */
export function featuresFile(name: string): string {
  return name === CIFAR_FEATURES ? CIFAR_FILE : name;
}

/**
 * Opens `cifar` or the ONNX file at a path, which reports call by its name without `.onnx`.
 * @throws UserError `features/missing` when there is no such file, `features/builtin` when settings are given to `cifar`;
 * what `onnxFeatures` throws, with the path.
 */
export async function openFeatures(
  name: string,
  options: Omit<OnnxFeaturesOptions, "name"> = {},
): Promise<FeatureExtractor> {
  const path = featuresFile(name);
  const bytes = await readLargeFile(path);
  if (bytes === undefined)
    throw new UserError(
      "features/missing",
      name === CIFAR_FEATURES
        ? `this build has no features of its own: ${quoteName(path)} is missing. Give an ONNX file.`
        : `features: there is no file ${quoteName(name)}. Give "${CIFAR_FEATURES}" or the path of an ONNX file.`,
    );
  if (name === CIFAR_FEATURES) {
    const given = Object.entries(options).find(([, value]) => value !== undefined)?.[0];
    if (given !== undefined)
      throw new UserError(
        "features/builtin",
        `features "${CIFAR_FEATURES}" have a fixed ${given}: leave it out, or give an ONNX file.`,
      );
    return cifarFeatures(bytes);
  }
  try {
    return await onnxFeatures(bytes, { ...options, name: printable(basename(name).replace(/\.onnx$/i, "")) });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const problem = error.message.replace(/^importModel: /, "");
    throw new UserError(error.code, `features ${quoteName(name)}: ${problem}`, { cause: error });
  }
}
