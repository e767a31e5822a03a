/**
 * @module What a workload of the engine bench is: a network with the state and the loss of one training step, and the
 * same network's inference. Both sides build it from `config`; what is measured and how lives elsewhere.
 */
import { type Feed, rng, type State, type StateTree, type Tensor } from "onnxgrad";

/** Arguments of a traced function: every input by its name, and the state. */
export type Arguments = { readonly state: unknown } & Readonly<Record<string, Tensor>>;

/** Ratios of PyTorch's time over ours that must be reached, and seconds from trace to session. */
export interface WorkloadTargets {
  readonly train: number;
  readonly forward?: number;
  readonly compileSeconds?: number;
}

/** A workload. */
export interface Workload {
  /** Short name, e.g. W1. */
  readonly name: string;
  readonly title: string;
  readonly targets: WorkloadTargets;
  /** What the peer builds the same network and loss from. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Everything that a step updates; the network's parameters are `params`, running statistics `statistics`. */
  initialState(): StateTree;
  /** Shapes of all inputs. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  feeds(): Readonly<Record<string, Feed>>;
  /** One training step: next state, `loss`, and terms of it to compare. */
  train(
    args: Arguments,
  ): { readonly state: unknown; readonly loss: Tensor } & Readonly<Record<string, unknown>>;
  /** The network at inference, on one or more of the inputs. */
  forward(args: Arguments): Tensor;
}

/** The state as the traced functions of one workload see it. */
export const stateOf = <T>({ state }: Arguments): T => state as T;

/** N(0, 1) values of a shape. */
export function normals(purpose: string, shape: readonly number[]): Float32Array {
  return rng(1, `bench-${purpose}`).fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
}

/** Values in (-1, 1) of a shape, as pixels are. */
export const pixels = (purpose: string, shape: readonly number[]): Float32Array =>
  normals(purpose, shape).map((x) => Math.tanh(x / 2));

/** Numbers of parameters by entry of the state, those that an optimiser updates. */
export function parameterCount(state: State): number {
  return state.entries.get("params")!.current.length;
}
