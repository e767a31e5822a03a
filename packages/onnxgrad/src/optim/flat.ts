/** @module Trees of tensors as one vector: what optimisers work on. With packed state both directions cost nothing. */
import { reshape } from "../ops/reshape.ts";
import { concat, split } from "../ops/slice.ts";
import { Tensor } from "../trace/tensor.ts";
import { type Tree, treeLeaves, treeMap } from "../trace/tree.ts";

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/** All leaves in order, flattened and joined: [total size]. */
export function flatten(tree: unknown): Tensor {
  const leaves = treeLeaves<Tensor>(tree as Tree<Tensor>, isTensor);
  return concat(
    leaves.map(({ leaf }) => reshape(leaf, [leaf.size])),
    0,
  );
}

/** The inverse of {@link flatten}, with the structure and shapes of `like`. */
export function unflatten<T>(flat: Tensor, like: T): T {
  const leaves = treeLeaves<Tensor>(like as Tree<Tensor>, isTensor);
  const parts = split(
    flat,
    leaves.map(({ leaf }) => leaf.size),
    0,
  );
  let next = 0;
  return treeMap(like, isTensor, (leaf) => reshape(parts[next++]!, leaf.shape)) as T;
}
