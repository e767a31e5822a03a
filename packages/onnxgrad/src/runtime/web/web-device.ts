/** @module Buffers of the browser's GPU that hold the state between steps: made, written, read and freed by us. */
import type { Device, RuntimeTensor } from "../backend.ts";

/** What is used of the browser's `GPUBuffer`. */
export interface GpuBuffer {
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  destroy(): void;
}

/** What is used of the browser's `GPUDevice`. */
export interface Gpu {
  createBuffer(options: { readonly size: number; readonly usage: number }): GpuBuffer;
  createCommandEncoder(): {
    copyBufferToBuffer(from: GpuBuffer, fromByte: number, to: GpuBuffer, toByte: number, bytes: number): void;
    finish(): object;
  };
  readonly queue: {
    writeBuffer(to: GpuBuffer, toByte: number, data: Float32Array): void;
    submit(commands: readonly object[]): void;
  };
}

/** A tensor of ONNX Runtime over a buffer of the GPU, or over host data. */
export interface LocatedTensor extends RuntimeTensor {
  readonly location: string;
  readonly gpuBuffer: unknown;
}

/** A device that also counts what runs feed it and fetch from it. */
export interface CountingDevice extends Device {
  count(
    feeds: Readonly<Record<string, LocatedTensor>>,
    fetches: Readonly<Record<string, LocatedTensor>>,
  ): void;
}

// The values of GPUBufferUsage and GPUMapMode, which exist in browsers only.
const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 };
const MAP_MODE_READ = 1;

/** `gpu` is the device that ONNX Runtime computes on, `wrap` makes its tensor over a buffer. */
export function webgpuDevice(
  gpu: () => Promise<Gpu>,
  wrap: (buffer: GpuBuffer, shape: readonly number[]) => Promise<LocatedTensor>,
): CountingDevice {
  const traffic = { toDevice: 0, toHost: 0 };
  return {
    traffic,
    async upload(data, shape) {
      const device = await gpu();
      // Kernels read four floats at a time: buffers are whole multiples of that.
      const size = 16 * Math.ceil(data.byteLength / 16);
      const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
      const buffer = device.createBuffer({ size, usage });
      device.queue.writeBuffer(buffer, 0, data);
      traffic.toDevice += data.byteLength;
      return wrap(buffer, shape);
    },
    async download(tensor, target) {
      const device = await gpu();
      const usage = USAGE.mapRead | USAGE.copyTarget;
      const staging = device.createBuffer({ size: target.byteLength, usage });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(bufferOf(tensor), 0, staging, 0, target.byteLength);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(MAP_MODE_READ);
      target.set(new Float32Array(staging.getMappedRange()));
      staging.destroy();
      traffic.toHost += target.byteLength;
      return target;
    },
    free: (tensor) => bufferOf(tensor).destroy(),
    count(feeds, fetches) {
      for (const each of Object.values(feeds)) traffic.toDevice += hostBytes(each);
      for (const each of Object.values(fetches)) traffic.toHost += hostBytes(each);
    },
  };
}

function bufferOf(tensor: RuntimeTensor): GpuBuffer {
  return (tensor as LocatedTensor).gpuBuffer as GpuBuffer;
}

/** The data of a tensor on the GPU throw when they are looked at. */
function hostBytes(tensor: LocatedTensor): number {
  return tensor.location === "gpu-buffer" ? 0 : (tensor.data as ArrayBufferView).byteLength;
}
