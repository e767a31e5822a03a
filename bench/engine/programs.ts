/** @module A workload compiled on one backend: its training step or its inference as a function to call. */
import { type Backend, compile, inlineState, type State, Tensor, treeLeaves } from "onnxgrad";
import { countMacs } from "../../packages/subband/src/nn/gmac.ts";
import type { Arguments, Workload } from "./workload.ts";

/** The programs of a workload. */
export type ProgramName = "train" | "forward";

/** A compiled program. */
export interface CompiledProgram {
  /** Runs once on the workload's feeds; the arrays are reused by the next run. */
  run(): Promise<Readonly<Record<string, Float32Array>>>;
  /** Seconds from the start of tracing to a session that is ready. */
  readonly compileSeconds: number;
  readonly nodes: number;
  /** Billions of floating-point operations of the convolutions and matrix products of one run, as traced. */
  readonly gflop: number;
  /** Shape of the output of `forward`. */
  readonly outputShape: readonly number[];
  dispose(): Promise<void>;
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * Compiles one program of `workload`. `train` updates `state`; `forward` holds its present values as constants, as exported
 * models do, and gives the network's output as `params`.
 */
export async function compileProgram(
  backend: Backend,
  workload: Workload,
  state: State,
  name: ProgramName,
): Promise<CompiledProgram> {
  let traced: Readonly<Record<string, unknown>> = {};
  const { inputs } = workload;
  const program =
    name === "train"
      ? await compile(backend, { state, inputs }, (args) => (traced = workload.train(args as never)))
      : await compile(backend, { inputs }, (args) => {
          const given = { ...args, state: inlineState(state) } as unknown as Arguments;
          return (traced = { params: workload.forward(given) });
        });
  const outputs = treeLeaves<Tensor>(traced as never, isTensor).map(({ leaf }) => leaf);
  const { network, fixed } = countMacs(outputs);
  const feeds = workload.feeds();
  return {
    run: () => program.run(feeds as never, { reuse: true }),
    compileSeconds: program.stats.compileMs / 1000,
    nodes: program.stats.nodes,
    gflop: (2 * (network + fixed)) / 1e9,
    outputShape: isTensor(traced["params"]) ? traced["params"].shape : [],
    dispose: () => program.dispose(),
  };
}

/** The scalars among what a step gave. */
export function scalars(outputs: Readonly<Record<string, Float32Array>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, value[0]!]));
}
