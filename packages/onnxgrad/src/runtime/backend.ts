/** @module What onnxgrad asks of ONNX Runtime: the seam between compiled programs and the Node or web package. */

import type { Processor } from "../ops/define-op.ts";
import type { Sharded } from "../ops/placement.ts";
import type { Shape } from "../trace/tensor.ts";

/** Element buffers that cross the seam. */
export type RuntimeData = Float32Array | BigInt64Array | Uint8Array;

/** A tensor of the runtime; opaque save for its data. */
export interface RuntimeTensor {
  readonly data: unknown;
}

/** A loaded model. */
export interface Session {
  /**
   * Runs the model; outputs are written into `fetches`, in place. Those that are not named there are not copied. Feeds
   * and fetches are the session's until the run has ended; runs take turns.
   * @throws UserError `run/disposed` after `release`.
   */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, RuntimeTensor>>,
  ): Promise<void>;
  /** Frees the model's memory once all runs before have ended. Calling it again changes nothing. */
  release(): Promise<void>;
}

/** Bytes that have crossed between the host and a device, since the start of the process. */
export interface Traffic {
  readonly toDevice: number;
  readonly toHost: number;
}

/** Memory that is not the host's, where the state stays between runs. Its tensors may be fed to and fetched by {@link Session.run}. */
export interface Device {
  /** Copies host data into a new buffer. */
  upload(data: Float32Array, shape: readonly number[]): Promise<RuntimeTensor>;
  /**
   * Copies a buffer into `target`, an array with a buffer of its own, and gives that back; or another array over the same
   * memory, where `target` itself has been to another thread and is of no use any more, nor is it after an error.
   */
  download(tensor: RuntimeTensor, target: Float32Array): Promise<Float32Array>;
  /** Frees a buffer, which nothing may use afterwards. */
  free(tensor: RuntimeTensor): void;
  /** Counts what {@link Device.upload}, {@link Device.download} and runs have copied: to find needless copies. */
  readonly traffic: Traffic;
}

/** The model of one shard. */
export interface ShardModel {
  readonly model: Uint8Array;
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly dtype: "float32" | "int64";
  }[];
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** Loaded models of all shards. */
export interface ShardSession {
  /**
   * Runs all shards at the same time; `fill` writes each input of each shard before. Gives each shard's outputs, valid
   * until the next run.
   */
  run(
    fill: (shard: number, name: string, target: Float32Array | BigInt64Array) => void,
  ): Promise<readonly ReadonlyMap<string, Float32Array>[]>;
  release(): Promise<void>;
}

/** Threads that run models at the same time, each on a part of the batch. */
export interface Shards {
  /** How many there may be. */
  readonly count: number;
  /** Loads one model a shard, into as many threads. */
  open(models: readonly ShardModel[]): Promise<ShardSession>;
}

/** A program split over the batch. Plain data, which another thread may be sent. */
export interface ShardPlan {
  readonly models: readonly ShardModel[];
  /** Outputs that are the shards' outputs of another name, one after the other. */
  readonly joined: ReadonlyMap<string, string>;
  /** What runs once, after the shards, for all other outputs; it takes a shard's outputs as ports of that shard. */
  readonly rest?: {
    readonly model: Uint8Array;
    readonly inputs: readonly { readonly name: string; readonly shape: Shape }[];
  };
  /** Inputs of which every shard gets its own part; the others it gets whole. */
  readonly cuts: ReadonlyMap<string, Sharded>;
  /** Shapes of all inputs, uncut. */
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** An execution provider with its settings. */
export interface Backend {
  /** e.g. `node-cpu`. */
  readonly name: string;
  /** Whose kernels run its models: of several forms of an operation they get the fastest. */
  readonly processor: Processor;
  /** Threads that share an operation, where they are known. */
  readonly threads?: number;
  /** Whether ONNX Runtime may have its blocked convolution there (convolution-block.ts). */
  readonly blocks?: boolean;
  /** Wraps a buffer without copying it. */
  tensor(data: RuntimeData, shape: readonly number[]): RuntimeTensor;
  /**
   * Whether models work on the given arrays where they lie: parts of one may be fed (`input-views.ts`), and results may
   * be written over what they replace (`in-place.ts`).
   */
  readonly inPlace?: boolean;
  /** Where the state stays between runs; absent where that is the host's memory. */
  readonly device?: Device;
  /** Threads over which `compile` may split the batch; absent where there are none. */
  readonly shards?: Shards;
  /** In the place of {@link Backend.shards} where the backend runs a split program, its rest included, on its own. */
  readonly planned?: { readonly count: number; open(plan: ShardPlan): Promise<Session> };
  /** Loads a model. */
  createSession(model: Uint8Array): Promise<Session>;
}
