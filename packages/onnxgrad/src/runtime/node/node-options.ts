/** @module Settings of the Node backend, here or in a worker thread, and what follows from them. */
import { availableParallelism } from "node:os";
import { UserError } from "../../errors.ts";
import type { Backend } from "../backend.ts";

/**
 * Where ONNX Runtime runs operations. On `webgpu` the state stays on the GPU; on `cuda` it crosses with every run, since
 * onnxruntime-node takes no memory of CUDA.
 */
export type Provider = "cpu" | "webgpu" | "cuda";

/** Settings of the Node backend. */
export interface NodeOptions {
  /** Where operations run; default `cpu`. What a GPU cannot do falls back to the CPU. */
  readonly provider?: Provider;
  /** Whether a GPU may leave operations to the CPU; default true. Otherwise such a model is refused. */
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

/** What a backend of these settings is to whoever compiles for it. */
export function propertiesOf(
  options: NodeOptions,
): Pick<Backend, "processor" | "threads" | "inPlace" | "blocks"> {
  return (options.provider ?? "cpu") === "cpu"
    ? { processor: "cpu", threads: threadCount(options), inPlace: true, blocks: true }
    : { processor: "gpu", inPlace: false, blocks: false };
}

/** Threads inside one operation of a backend of these settings. */
const threadCount = ({ threads }: NodeOptions): number => threads ?? availableParallelism();

/** How many shards a backend of these settings has. @throws UserError `node/shards`. */
export function shardCount(options: NodeOptions): number {
  const { provider = "cpu", profile, shards } = options;
  // Shards would write a profile each: whoever asks for one wants the whole in one file.
  const byDefault = provider === "cpu" && profile === undefined ? threadCount(options) : 1;
  const count = shards ?? byDefault;
  if (!Number.isInteger(count) || count < 1 || (count > 1 && provider !== "cpu"))
    throw new UserError(
      "node/shards",
      `node({ shards: ${count} }): give a whole number from 1, and more than 1 only with provider "cpu".`,
    );
  return count;
}
