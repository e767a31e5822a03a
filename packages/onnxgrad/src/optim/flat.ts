/** @module Trees of tensors as one vector: what optimisers work on. With packed state both directions cost nothing. */
import { GraphError } from "../errors.ts";
import { reshape } from "../ops/reshape.ts";
import { concat, split } from "../ops/concat.ts";
import { formatSpec, sameShape, Tensor } from "../trace/tensor.ts";
import { type Tree, treeLeaves, treeMap } from "../trace/tree.ts";

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * All leaves flattened and joined: [total size]. They come in the tree's own order, or by name in the order of `like`.
 * @throws GraphError when a leaf of `like` is missing or has another shape.
 */
export function flatten(tree: unknown, like: unknown = tree): Tensor {
  const leaves = new Map(
    treeLeaves<Tensor>(tree as Tree<Tensor>, isTensor).map(({ name, leaf }) => [name, leaf]),
  );
  return concat(
    treeLeaves<Tensor>(like as Tree<Tensor>, isTensor).map(({ name, leaf: { shape } }) => {
      const leaf = leaves.get(name);
      if (leaf === undefined || !sameShape(leaf.shape, shape))
        throw new GraphError(
          `flatten: "${name}" is ${leaf ? formatSpec(leaf) : "missing"}, must be [${shape.join(",")}]. Give a tree of the same structure.`,
        );
      return reshape(leaf, [leaf.size]);
    }),
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
