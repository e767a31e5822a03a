/**
 * @module The browser backend: ONNX Runtime's WebAssembly build, on the CPU or on WebGPU. The only importer of
 * `onnxruntime-web`; runs in Node too (WebAssembly only), which the tests use.
 */
import * as ort from "onnxruntime-web";
import type { Backend, RuntimeTensor } from "./backend.ts";

/** Settings of the browser backend. */
export interface WebOptions {
  /** Where operations run; default `wasm`. With `webgpu`, what the GPU cannot do falls back to WebAssembly. */
  readonly provider?: "wasm" | "webgpu";
  /** Threads of the WebAssembly build; more than one needs a cross-origin isolated page. Default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** Where the page serves ONNX Runtime's `.wasm` files, if not beside the script. */
  readonly wasmPaths?: string;
  /** ONNX Runtime's graph optimisation; default `all`. */
  readonly optimization?: "disabled" | "basic" | "extended" | "all";
}

/** ONNX Runtime in the page is one instance that does one thing at a time: loading and running take turns. */
let last: Promise<unknown> = Promise.resolve();
function inTurn<T>(task: () => Promise<T>): Promise<T> {
  const mine = last.then(task);
  last = mine.catch(() => undefined);
  return mine;
}

/** ONNX Runtime in a browser. Threads and paths take effect before the first session only. */
export function web({
  provider = "wasm",
  threads,
  wasmPaths,
  optimization = "all",
}: WebOptions = {}): Backend {
  if (threads !== undefined) ort.env.wasm.numThreads = threads;
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  return {
    name: `web-${provider}`,
    tensor(data, shape) {
      if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
      if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, shape);
      return new ort.Tensor("uint8", data, shape);
    },
    async createSession(model) {
      const session = await inTurn(() =>
        ort.InferenceSession.create(model, {
          executionProviders: provider === "wasm" ? ["wasm"] : [provider, "wasm"],
          graphOptimizationLevel: optimization,
          logSeverityLevel: 3,
        }),
      );
      return {
        run: (feeds, fetches) =>
          inTurn(async () => {
            // Here, unlike in Node, results do not arrive in tensors that were handed in: they are copied.
            const made = await session.run(feeds as Record<string, ort.Tensor>, Object.keys(fetches));
            for (const [name, target] of Object.entries(fetches)) copyInto(target, made[name]!);
          }),
        release: () => inTurn(() => session.release()),
      };
    },
  };
}

function copyInto(target: RuntimeTensor, { data }: ort.Tensor): void {
  if (target.data instanceof BigInt64Array) target.data.set(data as BigInt64Array);
  else (target.data as Float32Array | Uint8Array).set(data as Float32Array | Uint8Array);
}
