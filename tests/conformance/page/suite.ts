/** @module What the conformance run calls in the page, as `conformance`: a check by its number, and the default preset. */
import type { Backend } from "onnxgrad";
import { web } from "onnxgrad/web";
import { CHECKS, type Outcome, runCheck } from "../checks.ts";
import { type DemoImages, drawDemo } from "../demo-sampler.ts";
import { type StepReport, stepWmgm } from "../wmgm-step.ts";

/** Storage buffers of a shader that the standard promises, and those of each device that was asked for. */
const PROMISED = 8;
const storageBuffers: number[] = [];

/** Every device is one of no more storage buffers than promised, whatever the GPU here has. */
function promiseNoMore(): void {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor = {}) {
    const requiredLimits = { ...descriptor.requiredLimits, maxStorageBuffersPerShaderStage: PROMISED };
    const device = await requestDevice.call(this, { ...descriptor, requiredLimits });
    storageBuffers.push(device.limits.maxStorageBuffersPerShaderStage);
    return device;
  };
}
promiseNoMore();

let backend: Backend | undefined;
let strict: Backend | undefined;

const conformance = {
  /** Chooses where the checks run. */
  use(provider: "wasm" | "webgpu", threads: number): string {
    backend = web({ provider, threads });
    if (provider === "webgpu") strict = web({ provider, threads, cpuFallback: false });
    return backend.name;
  },

  /** Of all devices so far. */
  storageBuffers: (): readonly number[] => storageBuffers,

  check: (number: number): Promise<Outcome> => runCheck(CHECKS[number]!, backend!, strict),

  draw: (): Promise<DemoImages> => drawDemo(backend!),

  step: (): Promise<StepReport> => stepWmgm(backend!),
};
export type Conformance = typeof conformance;
(globalThis as unknown as { conformance: Conformance }).conformance = conformance;
