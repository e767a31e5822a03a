/**
 * @module State: the arrays that live from step to step (parameters, moments, averages), shared by any number of
 * compiled programs. A step writes over an array, or into a second buffer beside it that then takes its place.
 */
import { UserError } from "../../errors.ts";
import { constant } from "../../ops/source.ts";
import { isNdArray, type NdArray } from "../../trace/ndarray.ts";
import { Packed } from "../../trace/packed.ts";
import { atOnce } from "../../slices.ts";
import { sameShape, type Shape, sizeOf, type Tensor } from "../../trace/tensor.ts";
import { type Mapped, treeMap } from "../../trace/tree.ts";
import { evict, held, pull, type StateEntry } from "./state-buffers.ts";
import { Turns } from "../../turns.ts";

export type { StateEntry } from "./state-buffers.ts";

/** A tree of arrays and packed trees. */
export type StateTree = NdArray | Packed | { readonly [key: string]: StateTree };

/** What a traced function sees of a state: tensors in the place of arrays, trees in the place of packed trees. */
export type Traced<S> =
  S extends Packed<infer T>
    ? Mapped<T, NdArray, Tensor>
    : S extends NdArray
      ? Tensor
      : { readonly [K in keyof S]: Traced<S[K]> };

/** A named array, as checkpoints hold it. */
export interface NamedArray {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** The arrays kept between runs. */
export class State<S extends StateTree = StateTree> {
  readonly entries: ReadonlyMap<string, StateEntry>;
  readonly #tree: S;
  /** In which runs of the programs that share this state wait for each other. */
  readonly turns: Turns = new Turns();

  /**
   * Copies the values of `tree`; what has none, such as a {@link layoutOf}, begins as zeros, which take no memory before they
   * are written.
   * @throws UserError `state/name` when two arrays have the same dotted name.
   */
  constructor(tree: S) {
    const entries = new Map<string, StateEntry>();
    const enter = (name: string, entry: Omit<StateEntry, "name">) => {
      if (entries.has(name))
        throw new UserError(
          "state/name",
          `state "${name}": two arrays have this name. Use keys without dots.`,
        );
      entries.set(name, { name, ...entry });
    };
    const own = (data: Float32Array, size: number) => ({
      current: data.length === 0 ? new Float32Array(size) : data.slice(),
      spare: undefined,
    });
    // What is kept of the tree has no values, so that nothing keeps the arrays that they came from.
    const visit = (value: StateTree, name: string): StateTree => {
      if (value instanceof Packed) {
        const packed = value.withoutData();
        enter(name, { shape: [value.size], packed, ...own(value.data, value.size) });
        return packed;
      }
      if (isNdArray(value)) {
        const shape = [...value.shape];
        enter(name, { shape, ...own(value.data, sizeOf(shape)) });
        return { shape, data: new Float32Array(0) };
      }
      return Object.fromEntries(
        Object.entries(value).map(([key, child]: [string, StateTree]) => [
          key,
          visit(child, name === "" ? key : `${name}.${key}`),
        ]),
      );
    };
    this.#tree = visit(tree, "") as S;
    this.entries = entries;
  }

  /**
   * The tree with the present values; arrays are copies.
   * @throws UserError `state/on-device`, as `held` does: pull first.
   */
  tree(): S {
    const visit = (value: StateTree, name: string): StateTree => {
      const entry = this.entries.get(name);
      if (entry?.packed) return entry.packed.withData(held(entry).slice());
      if (entry) return { shape: entry.shape, data: held(entry).slice() };
      return Object.fromEntries(
        Object.entries(value as object).map(([key, child]: [string, StateTree]) => [
          key,
          visit(child, name === "" ? key : `${name}.${key}`),
        ]),
      );
    };
    return visit(this.#tree, "") as S;
  }

  /**
   * Runs `task` after everything that was given to `exclusive` before, so that a buffer is never read by one program
   * while another writes it.
   */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    return this.turns.take(task);
  }

  /**
   * Copies to the host what programs keep on a device, so that it can be read; waits for the runs before. Nothing is
   * copied where the state lives in the host's memory, or since the last `pull`.
   */
  pull(): Promise<void> {
    return this.exclusive(async () => {
      for (const entry of this.entries.values()) await pull(entry);
    });
  }

  /**
   * Frees what the state occupies on a device, after copying it to the host: for a state that is done with, while
   * programs on the device go on. It may be used again, at the price of an upload.
   */
  dispose(): Promise<void> {
    return this.exclusive(async () => {
      for (const entry of this.entries.values()) {
        await pull(entry);
        evict(entry);
      }
    });
  }

  /** The tree that the state was made from: structure and shapes, without values. */
  get template(): S {
    return this.#tree;
  }

  /**
   * Every leaf by name, packed trees opened (`params.conv.weight`); the data are views, valid until the next run.
   * @throws UserError `state/on-device`, as `held` does: pull first.
   */
  tensors(): Map<string, NamedArray> {
    return this.#leaves(held);
  }

  #leaves(bufferOf: (entry: StateEntry) => Float32Array): Map<string, NamedArray> {
    const found = new Map<string, NamedArray>();
    for (const entry of this.entries.values()) {
      const { name, shape, packed } = entry;
      const buffer = bufferOf(entry);
      if (packed === undefined) found.set(name, { shape, data: buffer });
      else
        for (const part of packed.entries)
          found.set([name, part.name].filter((each) => each !== "").join("."), {
            shape: part.shape,
            data: buffer.subarray(part.offset, part.offset + sizeOf(part.shape)),
          });
    }
    return found;
  }

  /**
   * Overwrites the state with named arrays, as {@link State.tensors} gives them. Names the state lacks are ignored.
   * @throws UserError `state/mismatch` when one is missing or has another shape, `state/busy` while runs are pending;
   * nothing is changed then.
   */
  load(tensors: ReadonlyMap<string, NamedArray>): void {
    atOnce(this.loading(tensors));
  }

  /** {@link State.load} in pieces, an array each; no program may run on the state until the last. */
  *loading(tensors: ReadonlyMap<string, NamedArray>): Generator<void, void> {
    if (this.turns.busy)
      throw new UserError(
        "state/busy",
        "state.load: programs are running on this state. Await their runs before loading.",
      );
    const own = this.#leaves(({ current }) => current);
    for (const [name, { shape }] of own) {
      const given = tensors.get(name);
      if (given === undefined)
        throw new UserError(
          "state/mismatch",
          `state "${name}" is missing. The file was written by another model or version.`,
        );
      if (!sameShape(given.shape, shape))
        throw new UserError(
          "state/mismatch",
          `state "${name}": file has [${given.shape.join(",")}], model needs [${shape.join(",")}]. Use the configuration it was trained with.`,
        );
      if (given.data.length !== sizeOf(shape))
        throw new UserError(
          "state/mismatch",
          `state "${name}": ${given.data.length} values for [${shape.join(",")}]. Give one for each element.`,
        );
    }
    for (const [name, { data }] of own) {
      data.set(tensors.get(name)!.data);
      yield;
    }
    for (const entry of this.entries.values()) {
      evict(entry);
      entry.torn = false;
    }
  }
}

/** A tree without its values: names and shapes, which is what programs are traced with and states are loaded into. */
export function layoutOf<S extends StateTree>(tree: S): S {
  const visit = (value: StateTree): StateTree => {
    if (value instanceof Packed) return value.withoutData();
    if (isNdArray(value)) return { shape: value.shape, data: new Float32Array(0) };
    return Object.fromEntries(
      Object.entries(value).map(([key, child]: [string, StateTree]) => [key, visit(child)]),
    );
  };
  return visit(tree) as S;
}

/**
 * The present values of a state as constants, in the structure that a traced function sees: for models that carry their
 * parameters with them. Later changes of the state do not reach the constants.
 */
export function inlineState<S extends StateTree>(state: State<S>): Traced<S> {
  return atOnce(inliningState(state));
}

/** {@link inlineState} in pieces, an array each; the state must not change until the last. */
export function* inliningState<S extends StateTree>(state: State<S>): Generator<void, Traced<S>> {
  const constants: Tensor[] = [];
  for (const { shape, data } of state.tensors().values()) {
    constants.push(constant(data, shape));
    yield;
  }
  let next = 0;
  const inline = () => constants[next++]!;
  const visit = (value: StateTree): unknown =>
    value instanceof Packed
      ? treeMap(value.tree, isNdArray, inline)
      : isNdArray(value)
        ? inline()
        : Object.fromEntries(Object.entries(value).map(([key, child]) => [key, visit(child)]));
  return visit(state.template) as Traced<S>;
}
