/** @module The GPU of the process through WebGPU, as a device that keeps the state between runs. */
import * as ort from "onnxruntime-node";
import { UserError } from "../../errors.ts";
import type { Device, RuntimeData, RuntimeTensor } from "../backend.ts";
import { holdGpu, THIS_THREAD } from "./gpu-holders.ts";
import { createSession, sessionOptions, tensor } from "./ort-session.ts";

/** A device that also counts what runs feed it and fetch from it. */
export interface CountingDevice extends Device {
  /** Starts the GPU, unless it is. It stays on, with every shader compiled so far, until the process ends. */
  open(): Promise<void>;
  count(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, RuntimeTensor>>,
  ): void;
}

/** ONNX Runtime has one GPU in a process, all sessions share it and its buffers. */
let shared: CountingDevice | undefined;

/** The GPU. @throws UserError `webgpu/missing`. */
export function sharedDevice(): CountingDevice {
  if (shared !== undefined) return shared;
  if (!ort.listSupportedBackends().some(({ name }) => name === "webgpu"))
    throw new UserError(
      "webgpu/missing",
      `onnxruntime-node has no WebGPU on ${process.platform} ${process.arch}. Use the CPU.`,
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
      sessions.set(to, (known = handThrough().then((model) => createSession(model, options))));
      // A GPU that was not there may be there the next time.
      known.catch(() => sessions.delete(to));
    }
    return known;
  };
  const passage = async (to: "gpu-buffer" | "cpu", from: ort.Tensor): Promise<ort.Tensor> => {
    const release = holdGpu(THIS_THREAD);
    try {
      return (await (await session(to)).run({ x: from }))["y"]!;
    } finally {
      release();
    }
  };
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
      return target;
    },
    free: (buffer) => (buffer as ort.Tensor).dispose(),
    count(feeds, fetches) {
      for (const each of Object.values(feeds)) traffic.toDevice += hostBytes(each);
      for (const each of Object.values(fetches)) traffic.toHost += hostBytes(each);
    },
  };
}

/** Any number of floats, unchanged. What writes it is loaded where there is a GPU alone. */
async function handThrough(): Promise<Uint8Array> {
  const { toOnnx } = await import("../../onnx/model.ts");
  const { input } = await import("../../ops/source.ts");
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
