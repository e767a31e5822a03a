/**
 * @module What both sides of a bench start from: a state with noise on every parameter, and the file that carries it,
 * the feeds and our outputs to the peer.
 */
import { writeFileSync } from "node:fs";
import { encodeSafetensors, type Feed, Packed, rng, State, type StateTree } from "onnxgrad";

type Arrays = Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/** The state of a tree with noise on every packed array, so that no layer is silent. */
export function startState(tree: StateTree): State {
  const random = rng(1, "bench-weights");
  for (const each of new Set(Object.values(tree)))
    if (each instanceof Packed) each.data.forEach((x, i) => (each.data[i] = x + 0.02 * random.normal()));
  return new State(tree as never);
}

/** Writes `state.*`, `feed.*` and `expected.*` as one safetensors file for the peer. */
export function writePeerTensors(
  path: string,
  {
    state,
    feeds,
    shapes,
    expected,
    outputShapes,
  }: {
    readonly state: State;
    readonly feeds: Readonly<Record<string, Feed>>;
    readonly shapes: Readonly<Record<string, readonly number[]>>;
    readonly expected: Readonly<Record<string, Float32Array>>;
    readonly outputShapes: Readonly<Record<string, readonly number[]>>;
  },
): void {
  const tensors: Arrays = new Map();
  for (const [name, array] of state.tensors()) tensors.set(`state.${name}`, array);
  for (const [name, shape] of Object.entries(shapes)) {
    const feed = feeds[name]!;
    const values = typeof feed === "number" ? [feed] : (feed as Float32Array);
    tensors.set(`feed.${name}`, { shape, data: Float32Array.from(values) });
  }
  for (const [name, data] of Object.entries(expected))
    tensors.set(`expected.${name}`, { shape: outputShapes[name]!, data });
  writeFileSync(path, encodeSafetensors({ tensors, metadata: {} }));
}
