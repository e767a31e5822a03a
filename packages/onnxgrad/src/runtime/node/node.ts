/**
 * @module The Node backend: ONNX Runtime's native library, on the CPU or, through WebGPU, on any GPU that has a Vulkan,
 * Metal or Direct3D driver. The only importer of `onnxruntime-node`.
 */
import * as ort from "onnxruntime-node";
import { UserError } from "../../errors.ts";
import { modelWithEmptySequence, toOnnx } from "../../onnx/model.ts";
import { input } from "../../ops/source.ts";
import type { Backend, Device, RuntimeData, RuntimeTensor, Session } from "../backend.ts";
import { BACKEND_PASSES } from "../backend-passes.ts";
import { viewer } from "../input-views.ts";
import { nodeShards, shardCount, threadCount } from "./shards.ts";
import { Lifetime, SESSION } from "../../turns.ts";

/** Settings of the Node backend. */
export interface NodeOptions {
  /** Where operations run; default `cpu`. With `webgpu`, what the GPU cannot do falls back to the CPU. */
  readonly provider?: "cpu" | "webgpu";
  /** Whether `webgpu` may leave operations to the CPU; default true. Otherwise such a model is refused. */
  readonly cpuFallback?: boolean;
  /** Threads inside one operation on the CPU; default: all cores. */
  readonly threads?: number;
  /**
   * Worker threads that each take a part of the batch, where a program's work can be split so; default: as many as
   * `threads`, 1 for none. On a CPU k shards of one thread are faster than k threads that wait for each other at every
   * operation. Sums over the batch are added in another order than without.
   */
  readonly shards?: number;
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

type Tensors = Readonly<Record<string, ort.Tensor>>;

/**
 * ONNX Runtime on this machine.
 * @throws UserError `webgpu/missing` when ONNX Runtime has no WebGPU for this platform; `compile` throws
 * `webgpu/adapter` when it finds no GPU, `webgpu/fallback` when a model would need the CPU and may not.
 */
export function node(options: NodeOptions = {}): Backend {
  const { provider = "cpu", profile } = options;
  const device = provider === "webgpu" ? sharedDevice() : undefined;
  const settings = sessionOptions(options);
  const shards = shardCount(options);
  return {
    name: `node-${provider}`,
    processor: provider === "cpu" ? "cpu" : "gpu",
    ...(provider === "cpu" && { threads: threadCount(options) }),
    inPlace: provider === "cpu",
    blocks: provider === "cpu",
    tensor,
    ...(device && { device }),
    ...(shards > 1 && { shards: nodeShards(shards, options) }),
    async createSession(model): Promise<Session> {
      await device?.open();
      const session = await createSession(device === undefined ? withoutCopies(model) : model, settings);
      const fed = viewer(session.inputNames, tensor);
      const fetched = viewer(session.outputNames, tensor);
      const lifetime = new Lifetime({
        ...SESSION,
        async free() {
          if (profile !== undefined) session.endProfiling();
          await session.release();
        },
      });
      return {
        run: (feeds, fetches) =>
          lifetime.run(async () => {
            const [given, asked] = [fed(feeds as Tensors), fetched(fetches as Tensors)];
            if (device === undefined) await runInPlace(session, given, asked);
            else await session.run(given, asked);
            device?.count(feeds, fetches);
          }),
        release: () => lifetime.dispose(),
      };
    },
  };
}

/**
 * Optimisers of ONNX Runtime that would undo ours: those of the passes, and one that writes the last node of weight gradients
 * anew, so that they run last (onnx/execution-order.ts).
 */
const UNWANTED = [...BACKEND_PASSES.flatMap(({ undoneBy = [] }) => undoneBy), "ReshapeFusion"].join(";");

function sessionOptions({
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

/**
 * `run` writes results into the given tensors, and then copies each of them once more into a new array (onnxruntime-node
 * 1.30; a change that reuses the given ones is under review as microsoft/onnxruntime#32346). For a state of a hundred
 * megabytes that is a quarter of a step. It makes them in the order of the model's outputs, and gives up at one that is no
 * tensor. So every model gets such an output, an empty sequence, ahead of its own.
 */
const STOP = "onnxgrad.stop";
const stop = modelWithEmptySequence(STOP);

/** The model with the output {@link STOP} ahead of its own: protobuf messages in a row are one, lists joined. */
function withoutCopies(model: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(stop.length + model.length);
  bytes.set(stop);
  bytes.set(model, stop.length);
  return bytes;
}

/** Runs a model that has {@link STOP}: when that is reached, results are in `fetches`. */
async function runInPlace(session: ort.InferenceSession, feeds: Tensors, fetches: Tensors): Promise<void> {
  try {
    await session.run(feeds, { [STOP]: null, ...fetches });
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("Non tensor type"))) throw error;
  }
}

function tensor(data: RuntimeData, shape: readonly number[]): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor("float32", data, shape);
  if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, shape);
  return new ort.Tensor("uint8", data, shape);
}

async function createSession(
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
        'node({ provider: "webgpu" }): no GPU found. Install a driver (on Linux a Vulkan one, and libvulkan1), run on ' +
          'SwiftShader (docs/support.md), or use provider "cpu".',
        { cause },
      );
    if (message.includes("fallback to CPU EP has been explicitly disabled"))
      throw new UserError(
        "webgpu/fallback",
        "compile: WebGPU lacks an operation of this model and cpuFallback is false. Allow it, or see docs/support.md " +
          "for the operations that run on the GPU.",
        { cause },
      );
    throw cause;
  }
}

/** A device that also counts what runs feed it and fetch from it. */
interface CountingDevice extends Device {
  /** Starts the GPU, unless it is. It stays on, with every shader compiled so far, until the process ends. */
  open(): Promise<void>;
  count(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, RuntimeTensor>>,
  ): void;
}

/** ONNX Runtime has one GPU in a process, all sessions share it and its buffers. */
let shared: CountingDevice | undefined;

/** @throws UserError `webgpu/missing`. */
function sharedDevice(): CountingDevice {
  if (shared !== undefined) return shared;
  if (!ort.listSupportedBackends().some(({ name }) => name === "webgpu"))
    throw new UserError(
      "webgpu/missing",
      `node({ provider: "webgpu" }): onnxruntime-node has no WebGPU on ${process.platform} ${process.arch}. Use provider "cpu".`,
    );
  return (shared = webgpuDevice());
}

/**
 * Buffers of the GPU by way of models that hand their input through, one with its output there and one with it here.
 * `Tensor.getData()` is no way: in onnxruntime-node 1.30 the download of a GPU tensor is a stub that throws a C++
 * string literal, which nothing catches, and the process aborts.
 */
function webgpuDevice(): CountingDevice {
  const traffic = { toDevice: 0, toHost: 0 };
  const sessions = new Map<string, Promise<ort.InferenceSession>>();
  const session = (to: "gpu-buffer" | "cpu"): Promise<ort.InferenceSession> => {
    let known = sessions.get(to);
    if (known === undefined) {
      const options = { ...sessionOptions({ provider: "webgpu" }), preferredOutputLocation: to };
      sessions.set(to, (known = createSession(handThrough(), options)));
      // A GPU that was not there may be there the next time.
      known.catch(() => sessions.delete(to));
    }
    return known;
  };
  const passage = async (to: "gpu-buffer" | "cpu", from: ort.Tensor): Promise<ort.Tensor> =>
    (await (await session(to)).run({ x: from }))["y"]!;
  return {
    traffic,
    // With its last session ONNX Runtime would close the GPU, and compile all shaders again for the next one: a second
    // of processor time for each small network on SwiftShader. This session is never released.
    async open() {
      await session("gpu-buffer");
    },
    async upload(data, shape) {
      const flat = await passage("gpu-buffer", tensor(data, [data.length]));
      traffic.toDevice += data.byteLength;
      return withShape(flat, shape);
    },
    async download(from, target) {
      const { data } = await passage("cpu", withShape(from as ort.Tensor, [target.length]));
      target.set(data as Float32Array);
      traffic.toHost += target.byteLength;
    },
    free: (buffer) => (buffer as ort.Tensor).dispose(),
    count(feeds, fetches) {
      for (const each of Object.values(feeds)) traffic.toDevice += hostBytes(each);
      for (const each of Object.values(fetches)) traffic.toHost += hostBytes(each);
    },
  };
}

/** Any number of floats, unchanged. */
function handThrough(): Uint8Array {
  const traced = 7;
  return toOnnx({ y: input("x", [traced]) }, { dynamicBatch: { traced, name: "n" } }).bytes;
}

/** The same buffer of the GPU under another shape; freeing either frees it. */
function withShape(buffer: ort.Tensor, shape: readonly number[]): ort.Tensor {
  return ort.Tensor.fromGpuBuffer(buffer.gpuBuffer, {
    dataType: "float32",
    dims: shape,
    dispose: () => buffer.dispose(),
  });
}

function hostBytes(each: RuntimeTensor): number {
  return (each as ort.Tensor).location === "cpu" ? (each.data as RuntimeData).byteLength : 0;
}
