/** @module Whether ONNX Runtime's CUDA can be used here. Its libraries are no part of the package; its installation fetches them. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as ort from "onnxruntime-node";
import { UserError } from "../../errors.ts";

/**
 * Refuses CUDA where ONNX Runtime cannot load it, without trying, which it would comment on at length.
 * @throws UserError `cuda/missing` when there is none for this platform, `cuda/libraries` when it is not installed.
 */
export function requireCuda(): void {
  if (!ort.listSupportedBackends().some(({ name }) => name === "cuda"))
    throw new UserError(
      "cuda/missing",
      `onnxruntime-node has no CUDA on ${process.platform} ${process.arch}. Use WebGPU or the CPU.`,
    );
  if (!isInstalled())
    throw new UserError(
      "cuda/libraries",
      "ONNX Runtime's CUDA libraries are not installed. Run `npm rebuild onnxruntime-node` without ONNXRUNTIME_NODE_INSTALL=skip, or use WebGPU or the CPU.",
    );
}

/** Whether the provider lies beside ONNX Runtime's own library. */
function isInstalled(): boolean {
  const libraries = join(dirname(createRequire(import.meta.url).resolve("onnxruntime-node")), "../bin");
  const name =
    process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
  return readdirSync(libraries).some((version) =>
    existsSync(join(libraries, version, process.platform, process.arch, name)),
  );
}
