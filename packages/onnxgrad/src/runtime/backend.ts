/** @module What onnxgrad asks of ONNX Runtime: the seam between compiled programs and the Node or web package. */

/** Element buffers that cross the seam. */
export type RuntimeData = Float32Array | BigInt64Array | Uint8Array;

/** A tensor of the runtime; opaque save for its data. */
export interface RuntimeTensor {
  readonly data: unknown;
}

/** A loaded model. */
export interface Session {
  /** Runs the model; outputs are written into `fetches`, in place. */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, RuntimeTensor>>,
  ): Promise<void>;
  /** Frees the model's memory. */
  release(): Promise<void>;
}

/** An execution provider with its settings. */
export interface Backend {
  /** e.g. `node-cpu`. */
  readonly name: string;
  /** Wraps a buffer without copying it. */
  tensor(data: RuntimeData, shape: readonly number[]): RuntimeTensor;
  /** Loads a model. */
  createSession(model: Uint8Array): Promise<Session>;
}
