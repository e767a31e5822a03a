/**
 * @module Traces a function of a state and inputs into an optimised graph whose inputs and outputs have names: what
 * {@link compile} lowers, and what the float64 interpreter can evaluate in its place. Knows no backend.
 */
import { GraphError, quoteName } from "../errors.ts";
import { reshape } from "../ops/reshape.ts";
import { concat, split } from "../ops/concat.ts";
import { input, type InputSpec, specOf } from "../ops/source.ts";
import { optimizing } from "../passes/optimize.ts";
import { atOnce } from "../slices.ts";
import { isNdArray } from "../trace/ndarray.ts";
import type { Packed } from "../trace/packed.ts";
import { inputName, type Port, portName } from "../trace/port-names.ts";
import {
  formatSpec,
  type GraphNode,
  reachable,
  sameShape,
  sizeOf,
  type Spec,
  Tensor,
} from "../trace/tensor.ts";
import { treeLeaves, treeMap } from "../trace/tree.ts";
import { State, type StateEntry, type StateTree, type Traced } from "./state/state.ts";

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

/** A traced function. Its inputs are ports of the state and of what is fed ({@link portName}). */
export interface TracedProgram<S extends StateTree> {
  readonly state: State<S>;
  /** The buffers that get new values. */
  readonly updates: readonly StateEntry[];
  /** The next values of every update in order, then everything else that was returned, by the names of their ports. */
  readonly outputs: readonly (readonly [name: string, tensor: Tensor])[];
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * Traces `build` once. It gets tensors for the state and the inputs; what it returns under `state` (any part of the
 * tree) becomes the next state.
 * @throws GraphError when the traced function is not well formed.
 */
export function traceProgram<S extends StateTree, I extends Readonly<Record<string, InputSpec>>>(
  options: TraceOptions<S, I>,
  build: (args: TraceArguments<S, I>) => object,
): TracedProgram<S> {
  return atOnce(tracing(options, build));
}

/** {@link traceProgram} in pieces, of which `build` is one. */
export function* tracing<S extends StateTree, I extends Readonly<Record<string, InputSpec>>>(
  options: TraceOptions<S, I>,
  build: (args: TraceArguments<S, I>) => object,
): Generator<void, TracedProgram<S>> {
  const state = options.state instanceof State ? options.state : new State((options.state ?? {}) as S);
  const inputs = Object.entries(options.inputs ?? {});
  if (inputs.some(([name]) => name === "state"))
    throw new GraphError(
      `compile: an input is named "state", and so is what the function gets the state as. Rename the input.`,
    );
  const own = new Set<GraphNode>();
  const given: Given = (port, { shape, dtype }) => {
    const tensor = input(portName(port), shape, dtype);
    own.add(tensor.node);
    return tensor;
  };
  const traced = build({
    ...Object.fromEntries(inputs.map(([name, spec]) => [name, given({ is: "in", name }, specOf(spec))])),
    state: traceState(state.template, state, given),
  } as TraceArguments<S, I>);

  const { state: nextState, ...results } = traced as Readonly<Record<string, unknown>>;
  const candidates = nextState === undefined ? [] : collectUpdates(nextState, state.template, state, "");
  const proposed: [string, Tensor][] = [
    ...candidates.map(([entry, tensor]): [string, Tensor] => [
      portName({ is: "next", name: entry.name }),
      tensor,
    ]),
    ...Object.entries(results).map(([name, tensor]): [string, Tensor] => {
      if (!isTensor(tensor) || tensor.dtype !== "float32")
        throw new GraphError(
          `compile: output "${name}" is ${isTensor(tensor) ? formatSpec(tensor) : typeof tensor}. Return float32 tensors, or use cast().`,
        );
      return [portName({ is: "out", name }), tensor];
    }),
  ];
  requireGiven(
    proposed.map(([, tensor]) => tensor),
    own,
  );
  yield;
  const optimized = yield* optimizing(
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

/** Makes the tensor of an input. */
type Given = (port: Port, spec: Spec) => Tensor;

/** @throws GraphError when an input is reached that is not among `own`: nothing would feed it. */
function requireGiven(outputs: readonly Tensor[], own: ReadonlySet<GraphNode>): void {
  const stranger = reachable(outputs).find((node) => inputName(node) !== undefined && !own.has(node));
  if (stranger !== undefined)
    throw new GraphError(
      `compile: the function uses the input ${quoteName(inputName(stranger)!)} ${formatSpec(stranger.outputs[0]!)}, which it was not given. Declare it in \`inputs\`.`,
    );
}

/** Tensors in the place of the state's arrays; packed buffers are split into their leaves. */
function traceState<S extends StateTree>(template: S, state: State, given: Given): Traced<S> {
  const visit = (value: StateTree, name: string): unknown => {
    const entry = state.entries.get(name);
    if (entry === undefined)
      return Object.fromEntries(
        Object.entries(value).map(([key, child]: [string, StateTree]) => [
          key,
          visit(child, name === "" ? key : `${name}.${key}`),
        ]),
      );
    const whole = given({ is: "state", name }, { shape: entry.shape, dtype: "float32" });
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
  return inputName(node) === portName({ is: "state", name: entry.name });
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
