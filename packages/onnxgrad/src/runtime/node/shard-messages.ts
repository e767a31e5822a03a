/** @module What goes between a program and the threads of its shards. Arrays move, both ways: nothing is copied. */

/** An input or output of a shard. */
export interface MovedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** All arrays of one run. */
export interface ShardArrays {
  readonly inputs: readonly MovedArray[];
  readonly outputs: readonly MovedArray[];
}

/** What a thread is asked; each request has one answer. */
export type ShardRequest = { readonly id: number; readonly session: number } & (
  | { readonly do: "load"; readonly model: Uint8Array }
  | { readonly do: "run"; readonly arrays: ShardArrays }
  | { readonly do: "release" }
);

/** What comes back: the arrays of a run, or what was thrown. */
export interface ShardAnswer {
  readonly id: number;
  readonly arrays?: ShardArrays;
  readonly error?: unknown;
}

/** The memory to move. */
export function buffersOf({ inputs, outputs }: ShardArrays): ArrayBuffer[] {
  return [...inputs, ...outputs].map(({ data }) => data.buffer as ArrayBuffer);
}
