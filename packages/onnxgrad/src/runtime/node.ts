/** @module The Node backend: ONNX Runtime's native library on the CPU. The only importer of `onnxruntime-node`. */
import * as ort from "onnxruntime-node";
import type { Backend, RuntimeTensor } from "./backend.ts";

/** Settings of the Node backend. */
export interface NodeOptions {
  /** Threads inside one operation; default: all cores. */
  readonly threads?: number;
  /** Writes a profile (JSON trace, time per operation) with this file prefix; read it when the session is released. */
  readonly profile?: string;
  /** ONNX Runtime's graph optimisation; default `all`. */
  readonly optimization?: "disabled" | "basic" | "extended" | "all";
  /** Keeps freed memory for the next run; default true. */
  readonly arena?: boolean;
  /**
   * Threads wait for work by spinning. A little faster on an idle machine, many times slower when other programs want
   * the cores; default false.
   */
  readonly spinning?: boolean;
}

type OrtTensor = ort.Tensor;

/** ONNX Runtime on the CPU. */
export function node({
  threads,
  profile,
  optimization = "all",
  arena = true,
  spinning = false,
}: NodeOptions = {}): Backend {
  const options: ort.InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    graphOptimizationLevel: optimization,
    enableCpuMemArena: arena,
    // Memory patterns plan one block for a whole run: no faster here, and hundreds of megabytes more at the peak.
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: {
      session: {
        // Adam's second moments decay into denormals, on which arithmetic is a hundred times slower.
        set_denormal_as_zero: "1",
        intra_op: { allow_spinning: spinning ? "1" : "0" },
      },
    },
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  };
  return {
    name: "node-cpu",
    tensor(data, shape) {
      if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
      if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, shape);
      return new ort.Tensor("uint8", data, shape);
    },
    async createSession(model) {
      const session = await ort.InferenceSession.create(model, options);
      return {
        async run(
          feeds: Readonly<Record<string, RuntimeTensor>>,
          fetches: Readonly<Record<string, RuntimeTensor>>,
        ) {
          await session.run(feeds as Record<string, OrtTensor>, fetches as Record<string, OrtTensor>);
        },
        async release() {
          if (profile !== undefined) session.endProfiling();
          await session.release();
        },
      };
    },
  };
}
