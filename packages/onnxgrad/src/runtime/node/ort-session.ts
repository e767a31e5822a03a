/** @module Sessions of ONNX Runtime as every provider has them: their settings, and its refusals in our words. */
import * as ort from "onnxruntime-node";
import { UserError } from "../../errors.ts";
import type { RuntimeData } from "../backend.ts";
import { UNWANTED } from "../undone-by.ts";
import type { NodeOptions } from "./node-options.ts";

/** Settings of a session. */
export function sessionOptions({
  provider = "cpu",
  cpuFallback = true,
  threads,
  profile,
  optimization = "all",
  arena = true,
  spinning = false,
}: NodeOptions): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [provider],
    graphOptimizationLevel: optimization,
    enableCpuMemArena: arena,
    // Memory patterns plan one block for a whole run: no faster here, and hundreds of megabytes more at the peak.
    enableMemPattern: false,
    // On a GPU errors are thrown; of what it logs beside, a driver that is not there is the usual case.
    logSeverityLevel: provider === "webgpu" ? 4 : 3,
    extra: {
      optimization: { disable_specified_optimizers: UNWANTED },
      session: {
        // Adam's second moments decay into denormals, on which arithmetic is a hundred times slower.
        set_denormal_as_zero: "1",
        intra_op: { allow_spinning: spinning ? "1" : "0" },
        ...(!cpuFallback && { disable_cpu_ep_fallback: "1" }),
      },
    },
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  };
}

/** Wraps an array of the host without copying it. */
export function tensor(data: RuntimeData, shape: readonly number[]): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
  if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, shape);
  return new ort.Tensor("uint8", data, shape);
}

/**
 * Loads a model.
 * @throws UserError `webgpu/adapter`, `webgpu/fallback`, `cuda/start`.
 */
export async function createSession(
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, options);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (message.includes("WebGPU adapter"))
      throw new UserError(
        "webgpu/adapter",
        "WebGPU finds no GPU. Install a driver (on Linux a Vulkan one, and libvulkan1), run on SwiftShader " +
          "(docs/support.md), or use the CPU.",
        { cause },
      );
    if (message.includes("fallback to CPU EP has been explicitly disabled"))
      throw new UserError(
        "webgpu/fallback",
        "compile: the GPU lacks an operation of this model and cpuFallback is false. Allow it, or see docs/support.md " +
          "for the operations that run on the GPU.",
        { cause },
      );
    if (options.executionProviders?.includes("cuda") && /cuda|shared library/i.test(message))
      throw new UserError(
        "cuda/start",
        `CUDA does not start: ${message.split("\n")[0]} It needs an NVIDIA GPU with its driver, CUDA 12 and cuDNN 9; or use WebGPU or the CPU.`,
        { cause },
      );
    throw cause;
  }
}
