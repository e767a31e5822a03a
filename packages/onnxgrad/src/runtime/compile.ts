/**
 * @module Compiles a traced function into one ONNX model and keeps its state between runs. This is the last stage of
 * the pipeline: trace, differentiate, optimise, lower, run.
 */
import { GraphError, UserError } from "../errors.ts";
import { toOnnx, type ModelOptions } from "../onnx/model.ts";
import { reshape } from "../ops/reshape.ts";
import { concat, split } from "../ops/slice.ts";
import { input } from "../ops/source.ts";
import { optimize } from "../passes/optimize.ts";
import { isNdArray } from "../trace/ndarray.ts";
import type { Packed } from "../trace/packed.ts";
import { formatSpec, sameShape, type Shape, sizeOf, type Spec, Tensor } from "../trace/tensor.ts";
import { treeLeaves, treeMap } from "../trace/tree.ts";
import type { Backend, RuntimeData, RuntimeTensor } from "./backend.ts";
import { State, type StateTree, type Traced } from "./state.ts";
import { readable, type StateEntry, writable, written } from "./state-buffers.ts";

/** Declares an input: its shape (float32), or shape and element type. */
export type InputSpec = Shape | { readonly shape: Shape; readonly dtype: "float32" | "int64" };

/** Everything {@link compile} needs besides the function. */
export interface CompileOptions<S extends StateTree, I extends Readonly<Record<string, InputSpec>>> {
  /** Arrays kept between runs: a tree, or a {@link State} shared with other programs. */
  readonly state?: S | State<S>;
  /** Arrays fed at each run. */
  readonly inputs?: I;
  /**
   * Bring the outputs to the host on every k-th run, beginning with the first; default 1. In between they keep their
   * values, and a GPU need not be waited for. Only where state is written: for its outputs alone, a program is always
   * read.
   */
  readonly readEvery?: number;
  /** Verify the graph after every pass. */
  readonly debug?: boolean;
  readonly model?: ModelOptions;
}

/** What a traced function receives. */
export type TraceArguments<S, I> = { readonly [K in keyof I]: Tensor } & { readonly state: Traced<S> };

/** Values that can be fed: floats, or integers for int64 inputs, or one number for a scalar. */
export type Feed = Float32Array | BigInt64Array | readonly number[] | number;

/** Names of the outputs of a traced function, its next state aside. */
type OutputNames<R> = Exclude<keyof R, "state"> & string;

/** A compiled function with state. */
export interface Program<S extends StateTree, I, R> {
  /**
   * Runs once; runs of programs that share a state wait for each other. The returned arrays are reused by the next
   * run: copy what must last.
   * @throws UserError when an input is missing, has the wrong length or values that its type cannot hold.
   */
  run(feeds: { readonly [K in keyof I]: Feed }): Promise<{ readonly [K in OutputNames<R>]: Float32Array }>;
  readonly state: State<S>;
  /** Size of the compiled model. */
  readonly stats: { readonly nodes: number; readonly bytes: number; readonly compileMs: number };
  /** Frees the session; the state stays. */
  dispose(): Promise<void>;
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
const specOf = (spec: InputSpec): Spec => ("shape" in spec ? spec : { shape: spec, dtype: "float32" });

/**
 * Traces `build` once, and compiles everything it returns into one model on `backend`. `build` gets tensors for the
 * state and the inputs; what it returns under `state` (any part of the tree) becomes the next state, the rest is given
 * back by `run`.
 *
 * @throws GraphError when the traced function is not well formed.
 * @example
 * const step = await compile(node(), { state: { w: scalar(0) }, inputs: { x: [8] } }, ({ state, x }) => {
 *   const loss = mean(square(sub(x, state.w)));
 *   const [grad] = gradients(loss, [state.w]);
 *   return { state: { w: sub(state.w, mul(grad!, 0.1)) }, loss };
 * });
 * const { loss } = await step.run({ x: batch });
 */
export async function compile<
  S extends StateTree,
  I extends Readonly<Record<string, InputSpec>>,
  R extends object,
>(
  backend: Backend,
  options: CompileOptions<S, I>,
  build: (args: TraceArguments<S, I>) => R,
): Promise<Program<S, I, R>> {
  const started = performance.now();
  const { readEvery = 1 } = options;
  if (!Number.isInteger(readEvery) || readEvery < 1)
    throw new UserError(
      "compile/read-every",
      `compile: readEvery is ${readEvery}. Give a whole number of runs, 1 or more.`,
    );
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
  const model = toOnnx(Object.fromEntries(outputs), options.model);
  const session = await backend.createSession(model.bytes);

  const wrapped = new WeakMap<RuntimeData, RuntimeTensor>();
  const wrap = (data: RuntimeData, shape: Shape): RuntimeTensor => {
    let tensor = wrapped.get(data);
    if (tensor === undefined) wrapped.set(data, (tensor = backend.tensor(data, shape)));
    return tensor;
  };
  const stateInputs = model.inputs.flatMap(({ name }) => {
    const entry = name.startsWith("state.") ? state.entries.get(name.slice(6)) : undefined;
    return entry === undefined ? [] : [[name, entry] as const];
  });
  const fedInputs = model.inputs.flatMap(({ name, spec }) =>
    name.startsWith("in.") ? [[name, name.slice(3), spec] as const] : [],
  );
  const buffers = outputs.slice(updates.length).map(([name, tensor]) => {
    const data = new Float32Array(tensor.size);
    return [name, name.slice(4), data, backend.tensor(data, tensor.shape)] as const;
  });
  const outputData = Object.fromEntries(buffers.map(([, name, data]) => [name, data]));

  let runs = 0;

  return {
    state,
    stats: { nodes: model.nodes, bytes: model.bytes.length, compileMs: performance.now() - started },
    run: (feeds) =>
      state.exclusive(async () => {
        const fed: Record<string, RuntimeTensor> = {};
        for (const [name, entry] of stateInputs) fed[name] = await readable(entry, backend, wrap);
        for (const [name, key, spec] of fedInputs) {
          const feed = Object.hasOwn(feeds, key)
            ? (feeds as Record<string, Feed | undefined>)[key]
            : undefined;
          fed[name] = backend.tensor(feedData(key, spec, feed), spec.shape);
        }
        const fetched: Record<string, RuntimeTensor> = {};
        for (const entry of updates) fetched[`next.${entry.name}`] = await writable(entry, backend, wrap);
        if (updates.length === 0 || runs % readEvery === 0)
          for (const [name, , , tensor] of buffers) fetched[name] = tensor;
        await session.run(fed, fetched);
        runs++;
        for (const entry of updates) written(entry, backend);
        return outputData as { readonly [K in OutputNames<R>]: Float32Array };
      }),
    dispose: () => session.release(),
  };
}

function feedData(name: string, { shape, dtype }: Spec, feed: Feed | undefined): RuntimeData {
  const size = sizeOf(shape);
  const values = typeof feed === "number" ? [feed] : feed;
  if (values === undefined || values.length !== size)
    throw new UserError(
      "run/feed",
      `input "${name}": needs ${size} values for [${shape.join(",")}], got ${values?.length ?? "none"}.`,
    );
  if (dtype === "float32") {
    if (values instanceof BigInt64Array)
      throw new UserError("run/feed", `input "${name}": takes float32, got int64. Feed a Float32Array.`);
    return values instanceof Float32Array ? values : Float32Array.from(values);
  }
  if (values instanceof BigInt64Array) return values;
  return BigInt64Array.from(values, (value) => {
    if (!Number.isSafeInteger(value))
      throw new UserError("run/feed", `input "${name}": takes whole numbers, got ${value}.`);
    return BigInt(value);
  });
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
