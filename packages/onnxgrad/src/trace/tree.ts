/**
 * @module Trees: nested plain objects and arrays of leaves, the form in which a model's parameters are kept. The order
 * of leaves is the order of keys; their names join keys with dots (`down.0.conv.weight`).
 */

/** A leaf, or an object or array of trees. */
export type Tree<L> = L | { readonly [key: string]: Tree<L> } | readonly Tree<L>[];

/** The same structure with every leaf of type `From` replaced by `To`. */
export type Mapped<T, From, To> = T extends From
  ? To
  : T extends readonly unknown[]
    ? { readonly [K in keyof T]: Mapped<T[K], From, To> }
    : T extends object
      ? { readonly [K in keyof T]: Mapped<T[K], From, To> }
      : never;

/** A leaf with its dotted name. */
export interface NamedLeaf<L> {
  readonly name: string;
  readonly leaf: L;
}

/** Every leaf in order, with names. */
export function treeLeaves<L>(
  tree: Tree<L>,
  isLeaf: (value: unknown) => value is L,
  prefix = "",
): NamedLeaf<L>[] {
  if (isLeaf(tree)) return [{ name: prefix, leaf: tree }];
  return Object.entries(tree as Record<string, Tree<L>>).flatMap(([key, value]) =>
    treeLeaves(value, isLeaf, prefix === "" ? key : `${prefix}.${key}`),
  );
}

/** Replaces every leaf by `map(leaf, name)`, keeping the structure. */
export function treeMap<T, L, R>(
  tree: T,
  isLeaf: (value: unknown) => value is L,
  map: (leaf: L, name: string) => R,
  prefix = "",
): Mapped<T, L, R> {
  if (isLeaf(tree)) return map(tree, prefix) as Mapped<T, L, R>;
  const child = (key: string, value: unknown) =>
    treeMap(value, isLeaf, map, prefix === "" ? key : `${prefix}.${key}`);
  if (Array.isArray(tree)) return tree.map((value, i) => child(String(i), value)) as Mapped<T, L, R>;
  return Object.fromEntries(
    Object.entries(tree as object).map(([key, value]) => [key, child(key, value)]),
  ) as Mapped<T, L, R>;
}
