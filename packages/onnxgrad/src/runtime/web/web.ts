/**
 * @module The browser backend: ONNX Runtime's WebAssembly build, on the CPU or on WebGPU. The only importer of
 * `onnxruntime-web`; runs in Node too (WebAssembly only), which the tests use.
 */
import type * as Ort from "onnxruntime-web";
import { invariant, UserError } from "../../errors.ts";
import { toOnnx } from "../../onnx/model.ts";
import { input } from "../../ops/source.ts";
import type { Backend } from "../backend.ts";
import { Lifetime, SESSION, Turns } from "../../turns.ts";
import { UNWANTED } from "../undone-by.ts";
import { type CountingDevice, type Gpu, webgpuDevice } from "./web-device.ts";

/** Settings of the browser backend. */
export interface WebOptions {
  /** Where operations run; default `wasm`. With `webgpu`, what the GPU cannot do falls back to WebAssembly. */
  readonly provider?: "wasm" | "webgpu";
  /** Whether `webgpu` may leave operations to WebAssembly; default true. Otherwise such a model is refused. */
  readonly cpuFallback?: boolean;
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

/** What the browser says of itself; nothing in Node. */
const browser = globalThis as {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly gpu?: { requestAdapter(): Promise<object | null> } };
};

/** ONNX Runtime in the page is one instance that does one thing at a time: loading and running take turns. */
const turns = new Turns();

type Tensors = Readonly<Record<string, Ort.Tensor>>;

/**
 * ONNX Runtime in a browser. Threads and paths take effect before a provider's first session only. `compile` throws
 * UserError `web/threads` for threads on a page that is not cross-origin isolated, `webgpu/adapter` where there is no
 * GPU, `webgpu/fallback` when a model would need WebAssembly and may not.
 */
export function web(options: WebOptions = {}): Backend {
  const { provider = "wasm", threads, wasmPaths } = options;
  const device = provider === "webgpu" ? gpu : undefined;
  let ort: typeof Ort | undefined;
  return {
    name: `web-${provider}`,
    processor: provider === "webgpu" ? "gpu" : "cpu",
    ...(device && { device }),
    tensor(data, shape) {
      invariant(ort !== undefined, "a session comes before tensors");
      if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
      if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, shape);
      return new ort.Tensor("uint8", data, shape);
    },
    async createSession(model) {
      await checkBrowser(provider, threads);
      const { env } = (ort ??= await builds[provider]());
      if (threads !== undefined) env.wasm.numThreads = threads;
      if (wasmPaths !== undefined) env.wasm.wasmPaths = wasmPaths;
      if (device !== undefined) await keepOpen(ort);
      const session = await createSession(ort, model, options);
      const lifetime = new Lifetime({ ...SESSION, free: () => session.release(), turns });
      return {
        run: (feeds, fetches) =>
          lifetime.run(async () => {
            await runInto(session, feeds as Tensors, fetches as Tensors);
            device?.count(feeds as Tensors, fetches as Tensors);
          }),
        release: () => lifetime.dispose(),
      };
    },
  };
}

/** ONNX Runtime computes on one GPU in a page: all sessions share it and its buffers. */
const gpu: CountingDevice = webgpuDevice(
  async () => (await builds.webgpu()).env.webgpu.device as unknown as Promise<Gpu>,
  async (buffer, shape) => {
    const { Tensor } = await builds.webgpu();
    return Tensor.fromGpuBuffer(buffer as never, { dataType: "float32", dims: shape });
  },
);

/**
 * Opens one session that is never released. With its last one ONNX Runtime closes the GPU, and forgets what the state
 * has there and every shader that it has compiled.
 */
async function keepOpen(ort: typeof Ort): Promise<void> {
  try {
    await (kept ??= createSession(ort, toOnnx({ y: input("x", [1]) }).bytes, { provider: "webgpu" }));
  } catch (error) {
    kept = undefined;
    throw error;
  }
}
let kept: Promise<unknown> | undefined;

async function checkBrowser(provider: "wasm" | "webgpu", threads: number | undefined): Promise<void> {
  if (threads !== undefined && threads > 1 && browser.crossOriginIsolated === false)
    throw new UserError(
      "web/threads",
      `web: ${threads} threads need a cross-origin isolated page. Serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or set threads: 1.`,
    );
  if (provider === "webgpu" && !(await browser.navigator?.gpu?.requestAdapter()))
    throw new UserError(
      "webgpu/adapter",
      'web({ provider: "webgpu" }): no GPU found. Use a browser with WebGPU (it needs https or localhost), or provider "wasm".',
    );
}

async function createSession(
  ort: typeof Ort,
  model: Uint8Array,
  { provider = "wasm", cpuFallback = true, optimization = "all" }: WebOptions,
): Promise<Ort.InferenceSession> {
  const options: Ort.InferenceSession.SessionOptions = {
    executionProviders: [provider],
    graphOptimizationLevel: optimization,
    logSeverityLevel: provider === "webgpu" ? 4 : 3,
    extra: {
      optimization: { disable_specified_optimizers: UNWANTED },
      ...(!cpuFallback && { session: { disable_cpu_ep_fallback: "1" } }),
    },
  };
  try {
    return await turns.take(() => ort.InferenceSession.create(model, options));
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes("fallback to CPU EP has been explicitly disabled"))
      throw new UserError(
        "webgpu/fallback",
        "compile: WebGPU lacks an operation of this model and cpuFallback is false. Allow it, or see docs/support.md " +
          "for the operations that run on the GPU.",
        { cause },
      );
    throw cause;
  }
}

/** Runs; unlike in Node, results arrive in given tensors on the GPU only: on the host they are new, and copied. */
async function runInto(session: Ort.InferenceSession, feeds: Tensors, fetches: Tensors): Promise<void> {
  const targets = Object.entries(fetches);
  const made = await session.run(
    feeds,
    Object.fromEntries(targets.map(([name, each]) => [name, each.location === "gpu-buffer" ? each : null])),
  );
  for (const [name, target] of targets) {
    if (target.location === "gpu-buffer") continue;
    const { data } = made[name]!;
    if (target.data instanceof BigInt64Array) target.data.set(data as BigInt64Array);
    else (target.data as Float32Array | Uint8Array).set(data as Float32Array | Uint8Array);
  }
}
