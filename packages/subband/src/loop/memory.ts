/**
 * @module How much memory training will take, estimated from the traced programs before anything is allocated: the state
 * twice, what the programs work in, and what the runtime keeps for each of their nodes.
 */
import { State, type StateTree, workingMemory } from "onnxgrad";
import type { Stage, StageProgram } from "../systems/stage.ts";
import { programsInTurn } from "./stage-runner.ts";

/** Bytes that training will take, by what they are for. */
export interface MemoryEstimate {
  /** Parameters, moments and averages, twice: in the thread that computes, and as the host had them last. */
  readonly state: number;
  /** The programs that are loaded at the same time, and the runtime itself. */
  readonly programs: number;
}

/**
 * What the runtime and its thread take before they work, what it takes for every node of a loaded program, and how much
 * more than is alive at a time it keeps; fitted to the peaks of memory.test.ts.
 */
const RUNTIME_BYTES = 85e6;
const NODE_BYTES = 14e3;
const KEPT = 1.15;
/** Points of the training at which the programs in use are asked for. */
const POINTS = 20;

/** Estimates the memory of training `stages`, beside that of the process itself and of the images. */
export function estimateMemory(stages: readonly Stage[]): MemoryEstimate {
  let state = 0;
  let programs = RUNTIME_BYTES;
  for (const stage of stages) {
    const tree = stage.layout();
    for (const { current } of new State(tree).entries.values()) state += 2 * current.byteLength;
    const needed = new Map(
      Object.entries(stage.programs).map(([name, program]) => [name, bytesOf(tree, program)]),
    );
    const sums = Array.from({ length: POINTS }, (_, point) => {
      const context = { seed: 0, step: 0, imagesSeen: 0, progress: point / POINTS, lrScale: 1 };
      return [...programsInTurn(stage, context)].reduce((total, name) => total + needed.get(name)!, 0);
    });
    programs += Math.max(...sums) + (stage.score === undefined ? 0 : bytesOf(tree, stage.score.program));
  }
  return { state, programs };
}

/** Bytes that a loaded program takes. */
function bytesOf(state: StateTree, { inputs, build }: StageProgram): number {
  const { bytes, nodes } = workingMemory({ state, inputs }, build as never);
  return KEPT * (bytes + NODE_BYTES * nodes);
}
