/**
 * @module Traces a function of a state and inputs into an optimised graph whose inputs and outputs have names: what
 * {@link compile} lowers, and what the float64 interpreter can evaluate in its place. Knows no backend.
 */
import { GraphError } from "../errors.ts";
import { reshape } from "../ops/reshape.ts";
import { concat, split } from "../ops/slice.ts";
import { input } from "../ops/source.ts";
import { optimize } from "../passes/optimize.ts";
import { isNdArray } from "../trace/ndarray.ts";
import type { Packed } from "../trace/packed.ts";
import { formatSpec, sameShape, type Shape, sizeOf, type Spec, Tensor } from "../trace/tensor.ts";
import { treeLeaves, treeMap } from "../trace/tree.ts";
import { State, type StateEntry, type StateTree, type Traced } from "./state.ts";

/** Declares an input: its shape (float32), or shape and element type. */
export type InputSpec = Shape | { readonly shape: Shape; readonly dtype: "float32" | "int64" };

/** Arrays kept between runs and arrays fed at each. */
export interface TraceOptions<S extends StateTree, I extends Readonly<Record<string, InputSpec>>> {
  /** Arrays kept between runs: a tree, or a {@link State} shared with other programs. */
  readonly state?: S | State<S>;
  /** Arrays fed at each run. */
  readonly inputs?: I;
  /** Verify the graph after every pass. */
  readonly debug?: boolean;
}

/** What a traced function receives. */
export type TraceArguments<S, I> = { readonly [K in keyof I]: Tensor } & { readonly state: Traced<S> };

/** A traced function. Its inputs are named `state.<entry>` and `in.<name>`. */
export interface TracedProgram<S extends StateTree> {
  readonly state: State<S>;
  /** The buffers that get new values. */
  readonly updates: readonly StateEntry[];
  /** `next.<entry>` of every update in order, then `out.<name>` of everything else that was returned. */
  readonly outputs: readonly (readonly [name: string, tensor: Tensor])[];
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/** What is asked for now: the caller's own arrays may change. */
export function specOf(spec: InputSpec): Spec & { readonly dtype: "float32" | "int64" } {
  return "shape" in spec
    ? { shape: [...spec.shape], dtype: spec.dtype }
    : { shape: [...spec], dtype: "float32" };
}

/**
 * Traces `build` once. It gets tensors for the state and the inputs; what it returns under `state` (any part of the
 * tree) becomes the next state.
 * @throws GraphError when the traced function is not well formed.
 */
export function traceProgram<S extends StateTree, I extends Readonly<Record<string, InputSpec>>>(
  options: TraceOptions<S, I>,
  build: (args: TraceArguments<S, I>) => object,
): TracedProgram<S> {
  const state = options.state instanceof State ? options.state : new State((options.state ?? {}) as S);
  const inputs = Object.entries(options.inputs ?? {});
  const traced = build({
    ...Object.fromEntries(
      inputs.map(([name, spec]) => [name, input(`in.${name}`, specOf(spec).shape, specOf(spec).dtype)]),
    ),
    state: traceState(state.template, state),
  } as TraceArguments<S, I>);

  const { state: nextState, ...results } = traced as Readonly<Record<string, unknown>>;
  const candidates = nextState === undefined ? [] : collectUpdates(nextState, state.template, state, "");
  const proposed: [string, Tensor][] = [
    ...candidates.map(([entry, tensor]): [string, Tensor] => [`next.${entry.name}`, tensor]),
    ...Object.entries(results).map(([name, tensor]): [string, Tensor] => {
      if (!isTensor(tensor) || tensor.dtype !== "float32")
        throw new GraphError(
          `compile: output "${name}" is ${isTensor(tensor) ? formatSpec(tensor) : typeof tensor}. Return float32 tensors, or use cast().`,
        );
      return [`out.${name}`, tensor];
    }),
  ];
  const optimized = optimize(
    proposed.map(([, tensor]) => tensor),
    { debug: options.debug ?? false },
  );
  // State that is handed through unchanged need not be written.
  const kept = (i: number) => i >= candidates.length || !isStateOf(candidates[i]![0], optimized[i]!);
  const updates = candidates.filter((_, i) => kept(i)).map(([entry]) => entry);
  const outputs = proposed.flatMap(([name], i) => (kept(i) ? [[name, optimized[i]!] as const] : []));
  if (outputs.length === 0)
    throw new GraphError("compile: nothing to compute. Return an output, or a changed state.");
  return { state, updates, outputs };
}

/** Tensors in the place of the state's arrays; packed buffers are split into their leaves. */
function traceState<S extends StateTree>(template: S, state: State): Traced<S> {
  const visit = (value: StateTree, name: string): unknown => {
    const entry = state.entries.get(name);
    if (entry === undefined)
      return Object.fromEntries(
        Object.entries(value).map(([key, child]: [string, StateTree]) => [
          key,
          visit(child, name === "" ? key : `${name}.${key}`),
        ]),
      );
    const whole = input(`state.${name}`, entry.shape);
    if (entry.packed === undefined) return whole;
    const parts = split(
      whole,
      entry.packed.entries.map(({ shape }) => sizeOf(shape)),
      0,
    );
    let next = 0;
    return treeMap(entry.packed.tree, isNdArray, ({ shape }) => reshape(parts[next++]!, shape));
  };
  return visit(template, "") as Traced<S>;
}

/** Whether a tensor is the state's own buffer, as it was fed. */
function isStateOf(entry: StateEntry, { node }: Tensor): boolean {
  return node.op.name === "input" && (node.attrs as { name: string }).name === `state.${entry.name}`;
}

/** Pairs each returned part of the next state with its buffer. */
function collectUpdates(
  next: unknown,
  template: StateTree,
  state: State,
  name: string,
): [StateEntry, Tensor][] {
  const entry = state.entries.get(name);
  if (entry === undefined) {
    if (typeof next !== "object" || next === null || isTensor(next))
      throw new GraphError(
        `compile: next state "${name}" is ${isTensor(next) ? formatSpec(next) : String(next)}, the state has parts there. Keep its structure.`,
      );
    return Object.entries(next).flatMap(([key, child]: [string, unknown]) => {
      const path = name === "" ? key : `${name}.${key}`;
      if (!Object.hasOwn(template, key))
        throw new GraphError(
          `compile: next state has "${path}", which the state lacks. Declare it in \`state\`.`,
        );
      const within = (template as Readonly<Record<string, StateTree>>)[key]!;
      return child === undefined ? [] : collectUpdates(child, within, state, path);
    });
  }
  const whole = entry.packed ? joinPacked(next, entry.packed, name) : next;
  if (!isTensor(whole) || whole.dtype !== "float32" || !sameShape(whole.shape, entry.shape))
    throw new GraphError(
      `compile: next state "${name}" is ${isTensor(whole) ? formatSpec(whole) : "no tensor"}, the state is [${entry.shape.join(",")}]. A state keeps its shape.`,
    );
  return [[entry, whole]];
}

/** The flat buffer of a packed tree, its leaves found by name: the order in which the user wrote them does not matter. */
function joinPacked(next: unknown, packed: Packed, name: string): Tensor {
  const leaves = new Map(treeLeaves<Tensor>(next as never, isTensor).map((each) => [each.name, each.leaf]));
  const parts = packed.entries.map(({ name: part, shape }) => {
    const leaf = leaves.get(part);
    leaves.delete(part);
    if (leaf === undefined || leaf.dtype !== "float32" || !sameShape(leaf.shape, shape))
      throw new GraphError(
        `compile: next state "${name}" has ${leaf ? formatSpec(leaf) : "nothing"} as "${part}", the state has [${shape.join(",")}]. Return every part in its shape.`,
      );
    return reshape(leaf, [leaf.size]);
  });
  const [extra] = leaves.keys();
  if (extra !== undefined)
    throw new GraphError(
      `compile: next state "${name}" has "${extra}", which the state lacks. Declare it in \`state\`.`,
    );
  return concat(parts, 0);
}
