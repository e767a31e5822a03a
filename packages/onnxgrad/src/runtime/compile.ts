/**
 * @module Compiles a traced function into one ONNX model and keeps its state between runs. This is the last stage of
 * the pipeline: trace, differentiate, optimise, lower, run.
 */
import { UserError } from "../errors.ts";
import type { ModelOptions } from "../onnx/model.ts";
import { type InputSpec, specOf } from "../ops/source.ts";
import { portName, portNamed } from "../trace/port-names.ts";
import type { Shape } from "../trace/tensor.ts";
import type { Backend, RuntimeData, RuntimeTensor } from "./backend.ts";
import { type Feed, feedData, mistakeOfFeeds, requireIndices, requireKnownFeeds, tablesOf } from "./feeds.ts";
import type { State, StateEntry, StateTree } from "./state/state.ts";
import { openSession } from "./open-session.ts";
import { readable, writable, written } from "./state/state-buffers.ts";
import { inSlices, slices } from "../slices.ts";
import { Lifetime } from "../turns.ts";
import { type TraceArguments, type TraceOptions, tracing } from "./trace-program.ts";

export type { Feed } from "./feeds.ts";
export type { TraceArguments } from "./trace-program.ts";

/** Everything {@link compile} needs besides the function. */
export interface CompileOptions<
  S extends StateTree,
  I extends Readonly<Record<string, InputSpec>>,
> extends TraceOptions<S, I> {
  /**
   * Bring the outputs to the host on every k-th run, beginning with the first; default 1. In between they keep their
   * values, and a GPU need not be waited for. Only where state is written: for its outputs alone, a program is always
   * read.
   */
  readonly readEvery?: number;
  readonly model?: ModelOptions;
}

/** Names of the outputs of a traced function, its next state aside. */
type OutputNames<R> = Exclude<keyof R, "state"> & string;

/** How a program runs once. */
export interface RunOptions {
  /**
   * Copy neither what is fed nor what is returned, for loops that would only drop the copies; default false. Feeds are
   * then read where they lie, so leave them as they are until the run has ended, and results are arrays of the program,
   * valid until its next run.
   */
  readonly reuse?: boolean;
}

/** A compiled function with state. */
export interface Program<S extends StateTree, I, R> {
  /**
   * Runs once. Runs of programs that share a state wait for each other, in the order of the calls; one that fails does
   * not concern the next. Feeds count as they are when `run` is called, and results are the caller's own, unless
   * `reuse` is set.
   * @throws UserError when an input is missing, unknown, of another type or length, or has values that its type cannot hold; `state/torn`
   * after a run that failed inside ONNX Runtime while it was writing the state; `run/disposed` after `dispose`.
   */
  run(
    feeds: { readonly [K in keyof I]: Feed },
    options?: RunOptions,
  ): Promise<{ readonly [K in OutputNames<R>]: Float32Array }>;
  readonly state: State<S>;
  /** Size of the compiled model; `shards`: how many parts of the batch run at the same time (1: it is not split). */
  readonly stats: {
    readonly nodes: number;
    readonly bytes: number;
    readonly shards: number;
    readonly compileMs: number;
  };
  /** Frees the session once all runs before have ended; the state stays. Calling it again changes nothing. */
  dispose(): Promise<void>;
}

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
  const declared = new Map(Object.entries(options.inputs ?? {}).map(([key, spec]) => [key, specOf(spec)]));
  const pause = slices();
  const { state, updates, outputs } = await inSlices(tracing(options, build), pause);
  const opened = await openSession(backend, Object.fromEntries(outputs), options.model, pause);
  const { session, overwritten } = opened;
  const nextOf = ({ name }: StateEntry) => portName({ is: "next", name });
  const isOverwritten = (entry: StateEntry) => overwritten.has(nextOf(entry));

  const wrapped = new WeakMap<RuntimeData, RuntimeTensor>();
  const wrap = (data: RuntimeData, shape: Shape): RuntimeTensor => {
    let tensor = wrapped.get(data);
    if (tensor === undefined) wrapped.set(data, (tensor = backend.tensor(data, shape)));
    return tensor;
  };
  const ports = opened.inputs.map(({ name, spec }) => ({ name, spec, port: portNamed(name) }));
  const stateInputs = ports.flatMap(({ name, port }) =>
    port?.is === "state" ? [[name, state.entries.get(port.name)!] as const] : [],
  );
  const fedInputs = ports.flatMap(({ name, spec, port }) =>
    port?.is === "in" ? [[name, port.name, spec] as const] : [],
  );
  const tables = tablesOf(outputs.map(([, tensor]) => tensor));
  const isUsed = new Set(fedInputs.map(([, key]) => key));
  const buffers = outputs.flatMap(([name, tensor]) => {
    const port = portNamed(name);
    if (port?.is !== "out") return [];
    const data = new Float32Array(tensor.size);
    return [[name, port.name, data, backend.tensor(data, tensor.shape)] as const];
  });
  type Results = { readonly [K in OutputNames<R>]: Float32Array };
  const results = (each: (data: Float32Array) => Float32Array) =>
    Object.fromEntries(buffers.map(([, name, data]) => [name, each(data)])) as Results;
  const views = results((data) => data);
  /** Whether a run writes there: what it returned before, or the state. */
  const isWritten = (memory: ArrayBufferLike): boolean =>
    buffers.some(([, , { buffer }]) => buffer === memory) ||
    updates.some(({ current, spare }) => current.buffer === memory || spare?.buffer === memory);

  let runs = 0;
  const lifetime = new Lifetime({
    what: "program",
    again: "Compile it again",
    free: () => session.release(),
    turns: state.turns,
  });

  return {
    state,
    stats: {
      nodes: opened.nodes,
      bytes: opened.bytes,
      shards: opened.shards,
      compileMs: performance.now() - started,
    },
    async run(feeds = {} as never, { reuse = false } = {}) {
      requireKnownFeeds(feeds, [...declared.keys()]);
      // What nothing depends on need not be fed, but is no less looked at.
      for (const [key, feed] of Object.entries(feeds))
        if (!isUsed.has(key)) feedData(key, declared.get(key)!, feed);
      const given = fedInputs.map(([name, key, spec]) => {
        const feed = Object.hasOwn(feeds, key) ? (feeds as Record<string, Feed | undefined>)[key] : undefined;
        const data = feedData(key, spec, feed);
        const rows = tables.get(name);
        if (rows !== undefined) requireIndices(data, rows);
        const mayStay = data !== feed || (reuse && !isWritten(data.buffer));
        return [name, backend.tensor(mayStay ? data : data.slice(), spec.shape)] as const;
      });
      return lifetime.run(async () => {
        const fed: Record<string, RuntimeTensor> = Object.fromEntries(given);
        for (const [name, entry] of stateInputs) fed[name] = await readable(entry, backend, wrap);
        const fetched: Record<string, RuntimeTensor> = {};
        for (const entry of updates) {
          const find = isOverwritten(entry) ? readable : writable;
          fetched[nextOf(entry)] = await find(entry, backend, wrap);
        }
        if (updates.length === 0 || runs % readEvery === 0)
          for (const [name, , , tensor] of buffers) fetched[name] = tensor;
        try {
          await session.run(fed, fetched);
        } catch (error) {
          // What is refused, or lost with its thread, has not been written to.
          if (!(error instanceof UserError))
            for (const entry of updates) if (isOverwritten(entry)) entry.torn = true;
          throw mistakeOfFeeds(error) ?? error;
        }
        runs++;
        for (const entry of updates) written(entry, backend, isOverwritten(entry));
        return reuse ? views : results((data) => data.slice());
      });
    },
    dispose: () => lifetime.dispose(),
  };
}
