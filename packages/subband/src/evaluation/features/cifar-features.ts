/** @module The features of the shipped classifier of CIFAR-10, on which `fd-cifar` is computed. */
import type { FeatureExtractor } from "./feature-extractor.ts";
import { onnxFeatures } from "./onnx-features.ts";

/**
 * The extractor `cifar` of the file `models/features/cifar10.onnx`: 192 features, the mean over space of the last maps, of
 * images of 32 x 32. In Node `openFeatures("cifar")` finds the file.
 * @throws UserError when the bytes are not that file.
 */
export async function cifarFeatures(bytes: Uint8Array): Promise<FeatureExtractor> {
  return onnxFeatures(bytes, { name: "cifar", layer: "features" });
}
