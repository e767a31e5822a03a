/**
 * @module Packed trees: all leaves of a parameter tree in one flat buffer, so that a step moves one array in and one
 * out, and optimisers work on a single vector.
 */
import { type NdArray, isNdArray } from "./ndarray.ts";
import { type Shape, sizeOf } from "./tensor.ts";
import { type Mapped, treeLeaves, treeMap } from "./tree.ts";

/** Where one leaf lies in the flat buffer. */
export interface PackedEntry {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
}

/** A tree of arrays whose leaves are views of one buffer, in the order of `entries`. */
export class Packed<T = unknown> {
  readonly data: Float32Array;
  readonly entries: readonly PackedEntry[];
  /** The tree; its leaves are views of `data`. */
  readonly tree: T;
  constructor(data: Float32Array, entries: readonly PackedEntry[], tree: T) {
    this.data = data;
    this.entries = entries;
    this.tree = tree;
  }
  /** Number of elements. */
  get size(): number {
    const last = this.entries.at(-1);
    return last === undefined ? 0 : last.offset + sizeOf(last.shape);
  }
  /** The same layout over other values. */
  withData(data: Float32Array): Packed<T> {
    let next = 0;
    const tree = treeMap(this.tree, isNdArray, ({ shape }): NdArray => {
      const { offset } = this.entries[next++]!;
      return { shape, data: data.subarray(offset, offset + sizeOf(shape)) };
    });
    return new Packed(data, this.entries, tree as T);
  }
  /** The layout alone, over no values. */
  withoutData(): Packed<T> {
    return this.withData(new Float32Array(0));
  }
}

/** Copies a tree of arrays into one flat buffer. */
export function pack<T>(tree: T): Packed<Mapped<T, NdArray, NdArray>> {
  let total = 0;
  const entries = treeLeaves<NdArray>(tree as never, isNdArray).map(({ name, leaf }): PackedEntry => {
    const entry = { name, shape: leaf.shape, offset: total };
    total += sizeOf(leaf.shape);
    return entry;
  });
  const data = new Float32Array(total);
  let next = 0;
  const views = treeMap(tree, isNdArray, (leaf): NdArray => {
    const { offset } = entries[next++]!;
    if (!isZero(leaf.data)) data.set(leaf.data, offset);
    return { shape: leaf.shape, data: data.subarray(offset, offset + leaf.data.length) };
  });
  return new Packed(data, entries, views);
}

/** Whether all bits are 0: then nothing need be copied, and memory that nobody has written to takes none. */
function isZero({ buffer, byteOffset, length }: Float32Array): boolean {
  const bits = new Int32Array(buffer, byteOffset, length);
  // Ten times as fast as every().
  for (let i = 0; i < length; i++) if (bits[i] !== 0) return false;
  return true;
}
