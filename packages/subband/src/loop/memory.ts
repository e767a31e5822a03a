/**
 * @module How much memory training will take, estimated from the traced programs before anything is allocated: copies of
 * the state, what the programs of steps, scores and previews work in, and what the runtime keeps for each of their nodes.
 */
import { layoutOf, reckoningMemory, State } from "onnxgrad";
import { stepPrograms } from "../drawing/step-programs.ts";
import type { DrawStep, Weights } from "../systems/draw.ts";
import type { Stage, StageProgram } from "../systems/stage.ts";
import { programsInTurn } from "./stage-runner.ts";

/** Bytes that training will take, by what they are for. */
export interface MemoryEstimate {
  /** Parameters, moments and averages: in the thread that computes, as the host had them last, and on the way between. */
  readonly state: number;
  /** The programs that are loaded at the same time, those of the preview among them, and the runtime itself. */
  readonly programs: number;
}

/** What is drawn while a training goes on: a chain, for so many images at a time. */
export interface PreviewDrawing {
  readonly steps: readonly DrawStep[];
  readonly batch: number;
}

/**
 * What the runtime and its thread take before they work, what it takes for every node of a loaded program, and how much
 * more than is alive at a time it keeps; fitted to the peaks of memory.test.ts.
 */
const RUNTIME_BYTES = 135e6;
const NODE_BYTES = 4e3;
const KEPT = 1.3;
/** Copies of a state that are alive at the same time. */
const COPIES = 3;
/** Points of the training at which the programs in use are asked for. */
const POINTS = 20;

/** Estimates the memory of training `stages`, beside that of the process itself and of the images; in pieces. */
export function* estimatingMemory(
  stages: readonly Stage[],
  preview?: PreviewDrawing,
): Generator<void, MemoryEstimate> {
  let state = 0;
  let programs = RUNTIME_BYTES;
  for (const stage of stages) {
    const trained = new State(stage.layout());
    for (const { current } of trained.entries.values()) state += COPIES * current.byteLength;
    const needed = new Map<string, number>();
    for (const [name, program] of Object.entries(stage.programs))
      needed.set(name, yield* bytesOf(trained, program));
    const sums = Array.from({ length: POINTS }, (_, point) => {
      const context = { seed: 0, step: 0, imagesSeen: 0, progress: point / POINTS, lrScale: 1 };
      return [...programsInTurn(stage, context)].reduce((total, name) => total + needed.get(name)!, 0);
    });
    programs +=
      Math.max(...sums) + (stage.score === undefined ? 0 : yield* bytesOf(trained, stage.score.program));
  }
  return { state, programs: programs + (preview === undefined ? 0 : yield* drawingBytes(preview)) };
}

/** Bytes that a loaded program takes. */
function* bytesOf(
  state: State,
  { inputs, build }: Pick<StageProgram, "inputs" | "build">,
): Generator<void, number> {
  const { bytes, nodes } = yield* reckoningMemory({ state, inputs }, build as never);
  return KEPT * (bytes + NODE_BYTES * nodes);
}

/** Bytes that the programs of a chain take, and the weights that they share: all are loaded at the same time. */
function* drawingBytes({ steps, batch }: PreviewDrawing): Generator<void, number> {
  const states = new Map<Weights, State>();
  let bytes = 0;
  for (const [i, step] of steps.entries()) {
    if (step.kind === "host") continue;
    const drawn = states.get(step.weights) ?? new State(layoutOf(step.weights.template()));
    if (!states.has(step.weights))
      for (const { current } of drawn.entries.values()) bytes += COPIES * current.byteLength;
    states.set(step.weights, drawn);
    for (const program of stepPrograms(step, steps[i - 1]?.gives, batch))
      bytes += yield* bytesOf(drawn, program);
  }
  return bytes;
}
