/**
 * @module How much memory a program will take to work in on a CPU, reckoned from its graph before anything is allocated:
 * the graph that the Node backend runs, with the passes that it asks for.
 */
import type { InputSpec } from "../ops/source.ts";
import { liveness } from "../passes/liveness.ts";
import { atOnce } from "../slices.ts";
import { fitting } from "./backend-passes.ts";
import type { StateTree } from "./state/state.ts";
import { type TraceArguments, type TraceOptions, tracing } from "./trace-program.ts";

/** What a program needs while it is loaded, its state and what is fed aside. */
export interface WorkingMemory {
  /** Bytes of the results that are alive at the same time, while most are. */
  readonly bytes: number;
  /** Nodes of its graph: a runtime keeps something for each. */
  readonly nodes: number;
}

/** Channels of a block of the blocked convolutions: 8 or 16, by the processor, which makes no difference worth asking for. */
const BLOCK = 16;

/**
 * The working memory of what {@link compile} would make of the same arguments.
 * @throws GraphError when the traced function is not well formed.
 */
export function workingMemory<S extends StateTree, I extends Readonly<Record<string, InputSpec>>>(
  options: TraceOptions<S, I>,
  build: (args: TraceArguments<S, I>) => object,
): WorkingMemory {
  return atOnce(reckoningMemory(options, build));
}

/** {@link workingMemory} in pieces. */
export function* reckoningMemory<S extends StateTree, I extends Readonly<Record<string, InputSpec>>>(
  options: TraceOptions<S, I>,
  build: (args: TraceArguments<S, I>) => object,
): Generator<void, WorkingMemory> {
  const { outputs } = yield* tracing(options, build);
  const run = yield* fitting({ inPlace: true, block: BLOCK }, Object.fromEntries(outputs));
  const { peak, nodes } = liveness(Object.values(run));
  return { bytes: peak, nodes: nodes.length };
}
