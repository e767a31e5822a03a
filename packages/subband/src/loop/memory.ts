/**
 * @module How much memory training will take, estimated from the traced programs before anything is allocated: the state
 * twice, and the results that are alive at the same time. The runtime packs them in its own way: take it as an estimate.
 */
import {
  type Backend,
  compile,
  type DType,
  type GraphNode,
  optimize,
  reachable,
  type StateTree,
  State,
  Tensor,
  treeLeaves,
} from "onnxgrad";
import type { Stage, StageProgram } from "../systems/stage.ts";
import { programsInTurn } from "./stage-runner.ts";

/** Bytes that training will take, by what they are for. */
export interface MemoryEstimate {
  /** Parameters, moments and averages, twice: the arrays that they began as stay until the collector comes. */
  readonly state: number;
  /** Working memory of the programs that are loaded at the same time. */
  readonly programs: number;
}

/** What the runtime's arena takes for each byte that is alive: with 2, the estimate for the demo is 0.98 GB and its peak 1.0 GB. */
const ARENA_FACTOR = 2;
/** Points of the training at which the programs in use are asked for. */
const POINTS = 20;

/** Estimates the memory of training `stages`, beside that of the process itself and of the images. */
export async function estimateMemory(stages: readonly Stage[]): Promise<MemoryEstimate> {
  let state = 0;
  let programs = 0;
  for (const stage of stages) {
    const tree = stage.layout();
    for (const { current } of new State(tree).entries.values()) state += 2 * current.byteLength;
    const peaks = new Map<string, number>();
    for (const [name, program] of Object.entries(stage.programs))
      peaks.set(name, peakBytes(await traced(tree, program)));
    const sums = Array.from({ length: POINTS }, (_, point) => {
      const context = { seed: 0, step: 0, imagesSeen: 0, progress: point / POINTS, lrScale: 1 };
      return [...programsInTurn(stage, context)].reduce((total, name) => total + peaks.get(name)!, 0);
    });
    const judge = stage.score === undefined ? 0 : peakBytes(await traced(tree, stage.score.program));
    programs += ARENA_FACTOR * (Math.max(...sums) + judge);
  }
  return { state, programs };
}

/** What a program returns, traced and optimised as it will be run. */
async function traced(state: StateTree, { inputs, build }: StageProgram): Promise<Tensor[]> {
  let outputs: Tensor[] = [];
  const watched = (args: never): object => {
    const returned = build(args);
    outputs = treeLeaves<Tensor>(returned as never, (value) => value instanceof Tensor).map(
      ({ leaf }) => leaf,
    );
    return returned;
  };
  await compile(NOWHERE, { state, inputs }, watched as never);
  return optimize(outputs);
}

/** A backend that runs nothing. */
const NOWHERE: Backend = {
  name: "nowhere",
  processor: "cpu",
  tensor: (data) => ({ data }),
  createSession: () => Promise.resolve({ run: () => Promise.resolve(), release: () => Promise.resolve() }),
};

/** The most bytes that are alive at once when the graph is evaluated in its order. Reshaping is free. */
function peakBytes(outputs: readonly Tensor[]): number {
  const nodes = reachable(outputs);
  const owners = new Map<GraphNode, GraphNode>();
  const ownerOf = (node: GraphNode): GraphNode => owners.get(node) ?? node;
  const lastUse = new Map<GraphNode, number>();
  nodes.forEach((node, at) => {
    if (node.op.name === "reshape") owners.set(node, ownerOf(node.inputs[0]!.node));
    for (const { node: used } of node.inputs) lastUse.set(ownerOf(used), at);
  });
  for (const { node } of outputs) lastUse.set(ownerOf(node), nodes.length);
  let alive = 0;
  let peak = 0;
  nodes.forEach((node, at) => {
    if (!owners.has(node) && node.op.name !== "constant") alive += bytesOf(node);
    peak = Math.max(peak, alive);
    const ending = new Set(node.inputs.map(({ node: used }) => ownerOf(used)));
    for (const each of ending)
      if (lastUse.get(each) === at && each.op.name !== "constant") alive -= bytesOf(each);
  });
  return peak;
}

function bytesOf({ outputs }: GraphNode): number {
  const width = (dtype: DType) => (dtype === "float32" ? 4 : dtype === "int64" ? 8 : 1);
  return outputs.reduce((total, { size, dtype }) => total + size * width(dtype), 0);
}
