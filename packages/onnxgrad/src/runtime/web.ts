/**
 * @module The browser backend: ONNX Runtime's WebAssembly build, on the CPU or on WebGPU. The only importer of
 * `onnxruntime-web`; runs in Node too (WebAssembly only), which the tests use.
 */
import type * as Ort from "onnxruntime-web";
import { invariant, UserError } from "../errors.ts";
import type { Backend, RuntimeTensor } from "./backend.ts";

/** Settings of the browser backend. */
export interface WebOptions {
  /** Where operations run; default `wasm`. With `webgpu`, what the GPU cannot do falls back to WebAssembly. */
  readonly provider?: "wasm" | "webgpu";
  /** Threads of the WebAssembly build; more than one needs a cross-origin isolated page. Default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** Where the page serves ONNX Runtime's `.mjs` and `.wasm` files, if not where a bundler puts them. */
  readonly wasmPaths?: string;
  /** ONNX Runtime's graph optimisation; default `all`. */
  readonly optimization?: "disabled" | "basic" | "extended" | "all";
}

/** Each provider is a build of its own, loaded when it is first used: without WebGPU it is half as large. */
const builds = {
  wasm: (): Promise<typeof Ort> => import("onnxruntime-web/wasm"),
  webgpu: (): Promise<typeof Ort> => import("onnxruntime-web/webgpu"),
};

/** What the browser says of itself; undefined in Node. */
const browser = globalThis as {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly gpu?: { requestAdapter(): Promise<object | null> } };
};

/** ONNX Runtime in the page is one instance that does one thing at a time: loading and running take turns. */
let last: Promise<unknown> = Promise.resolve();
function inTurn<T>(task: () => Promise<T>): Promise<T> {
  const mine = last.then(task);
  last = mine.catch(() => undefined);
  return mine;
}

/**
 * ONNX Runtime in a browser. Threads and paths take effect before a provider's first session only. Compiling fails with
 * UserError `web/threads` for threads on a page that is not cross-origin isolated, `web/webgpu` where there is no GPU.
 */
export function web({
  provider = "wasm",
  threads,
  wasmPaths,
  optimization = "all",
}: WebOptions = {}): Backend {
  let ort: typeof Ort | undefined;
  return {
    name: `web-${provider}`,
    tensor(data, shape) {
      invariant(ort !== undefined, "a session comes before tensors");
      if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
      if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, shape);
      return new ort.Tensor("uint8", data, shape);
    },
    async createSession(model) {
      await checkBrowser(provider, threads);
      const { InferenceSession, env } = (ort ??= await builds[provider]());
      if (threads !== undefined) env.wasm.numThreads = threads;
      if (wasmPaths !== undefined) env.wasm.wasmPaths = wasmPaths;
      const session = await inTurn(() =>
        InferenceSession.create(model, {
          executionProviders: provider === "wasm" ? ["wasm"] : [provider, "wasm"],
          graphOptimizationLevel: optimization,
          logSeverityLevel: 3,
        }),
      );
      return {
        run: (feeds, fetches) =>
          inTurn(async () => {
            // Here, unlike in Node, results do not arrive in tensors that were handed in: they are copied.
            const made = await session.run(feeds as Record<string, Ort.Tensor>, Object.keys(fetches));
            for (const [name, target] of Object.entries(fetches)) copyInto(target, made[name]!);
          }),
        release: () => inTurn(() => session.release()),
      };
    },
  };
}

async function checkBrowser(provider: "wasm" | "webgpu", threads: number | undefined): Promise<void> {
  if (threads !== undefined && threads > 1 && browser.crossOriginIsolated === false)
    throw new UserError(
      "web/threads",
      `web: ${threads} threads need a cross-origin isolated page. Serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or set threads: 1.`,
    );
  if (provider === "webgpu" && !(await browser.navigator?.gpu?.requestAdapter()))
    throw new UserError("web/webgpu", 'web: this browser offers no WebGPU adapter. Use provider: "wasm".');
}

function copyInto(target: RuntimeTensor, { data }: Ort.Tensor): void {
  if (target.data instanceof BigInt64Array) target.data.set(data as BigInt64Array);
  else (target.data as Float32Array | Uint8Array).set(data as Float32Array | Uint8Array);
}
