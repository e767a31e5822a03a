/**
 * @module Devices by name: the backend of one that is tried before any work is begun, so that what is missing is told first,
 * or of the best that is there.
 */
import { readdirSync } from "node:fs";
import { unknownName, UserError } from "../../errors.ts";
import { add, mul } from "../../ops/arithmetic.ts";
import { matmul } from "../../ops/matmul.ts";
import type { Backend } from "../backend.ts";
import { compile } from "../compile.ts";
import { node } from "./node-backend.ts";
import type { NodeOptions, Provider } from "./node-options.ts";
import { nodeWorker } from "./node-worker.ts";

/** Devices that can be asked for; `auto` is the best that is there. */
export const DEVICES = ["auto", "cpu", "webgpu", "cuda"] as const;
export type DeviceName = (typeof DEVICES)[number];

/** Settings of {@link openDevice}. */
export interface DeviceOptions extends Omit<NodeOptions, "provider"> {
  /** Compute in a worker thread, as `nodeWorker()` does; default false. */
  readonly worker?: boolean;
}

/** A device that works. */
export interface OpenedDevice {
  /** Which one it is. */
  readonly device: Provider;
  readonly backend: Backend;
  /** The better ones that `auto` has looked for, and in one line each why they are not used. */
  readonly passedOver: readonly { readonly device: Provider; readonly why: string }[];
}

/**
 * Opens a device by its name. A GPU is tried with a small program, whose result is checked; what this throws is thrown
 * before any work. `auto` is WebGPU where the machine has a GPU (of software GPUs it makes no use), else CUDA where ONNX
 * Runtime's libraries for it are installed, else the CPU: it depends on the machine alone, and does not fail. On WebGPU the
 * state stays on the GPU from run to run; on CUDA it crosses with every run.
 *
 * @throws UserError `unknown/device`; `webgpu/missing` and `cuda/missing` when ONNX Runtime has no such device on this
 * platform, `webgpu/adapter` when there is no GPU, `webgpu/thread` when another thread uses it, `cuda/libraries` when they
 * are not installed, `cuda/start` when they do not start, `device/wrong` when the GPU computes something else than the CPU.
 * @example
 * const { device, backend, passedOver } = await openDevice("auto", { threads: 2 });
 * const step = await compile(backend, options, build);
 */
export async function openDevice(name: DeviceName, options: DeviceOptions = {}): Promise<OpenedDevice> {
  if (!DEVICES.includes(name)) throw unknownName("device", name, DEVICES);
  if (name !== "auto") return { device: name, backend: await opened(name, options), passedOver: [] };
  const passedOver: OpenedDevice["passedOver"][number][] = [];
  for (const device of ["webgpu", "cuda"] as const)
    try {
      if (device === "webgpu") requireGpu();
      return { device, backend: await opened(device, options), passedOver };
    } catch (error) {
      passedOver.push({
        device,
        why: (error instanceof Error ? error.message : String(error)).split("\n")[0]!,
      });
    }
  return { device: "cpu", backend: await opened("cpu", options), passedOver };
}

async function opened(provider: Provider, { worker = false, ...options }: DeviceOptions): Promise<Backend> {
  const backend = (worker ? nodeWorker : node)({ ...options, provider });
  if (provider !== "cpu") await tryOut(backend, provider);
  return backend;
}

/** Extent of the matrices of {@link tryOut}. */
const N = 16;

/** Runs a step of small whole numbers, which every device computes exactly. */
async function tryOut(backend: Backend, provider: Provider): Promise<void> {
  const x = Float32Array.from({ length: N * N }, (_, i) => (i % 7) - 3);
  const program = await compile(
    backend,
    { state: { w: { shape: [N, N], data: x } }, inputs: { x: [N, N] } },
    ({ state, x: fed }) => ({ state: { w: add(state.w, 1) }, y: mul(matmul(fed, state.w), 2) }),
  );
  try {
    for (const step of [0, 1]) {
      const { y } = await program.run({ x });
      if (y.some((value, i) => value !== product(x, step, i)))
        throw new UserError(
          "device/wrong",
          `${provider}: a product of small matrices comes out wrong on this GPU. Update its driver, or use the CPU.`,
        );
    }
  } finally {
    await program.state.dispose();
    await program.dispose();
  }
}

/** Element i of 2 x (x + step). */
function product(x: Float32Array, step: number, i: number): number {
  const [row, column] = [Math.floor(i / N), i % N];
  let sum = 0;
  for (let k = 0; k < N; k++) sum += x[row * N + k]! * (x[k * N + column]! + step);
  return 2 * sum;
}

/** Where Linux has GPUs. */
const GPU = /^(?:renderD\d+|nvidia\d+|dxg)$/;

/** On Linux, refuses to look for a GPU where there is none: drivers would comment on it, or offer one in software. */
function requireGpu(): void {
  if (process.platform !== "linux") return;
  if (!["/dev", "/dev/dri"].some((folder) => entriesOf(folder).some((entry) => GPU.test(entry))))
    throw new UserError("webgpu/adapter", "this machine shows no GPU: there is none in /dev and /dev/dri.");
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
