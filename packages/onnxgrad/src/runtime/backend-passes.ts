/**
 * @module The passes that a backend asks for, after `optimize`, which every graph goes through: one table from a property of
 * the backend to its passes, in the order in which they run. Whoever compiles reads it, and so does whoever tells ONNX
 * Runtime what to leave alone.
 */
import { convolutionsByRows } from "../passes/convolutions-by-rows.ts";
import { rematerializing } from "../passes/rematerialize.ts";
import { rewriting } from "../passes/rewrite.ts";
import { atOnce, inOnePiece } from "../slices.ts";
import type { Tensor } from "../trace/tensor.ts";
import { inPieces } from "./in-pieces.ts";
import { partsToViews } from "./input-views.ts";
import { UNDONE_BY } from "./undone-by.ts";

/** Tensors by the names of their ports. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** What decides of a backend. */
export interface PassProperties {
  /** Whether it works on arrays where they lie. */
  readonly inPlace: boolean;
  /** Channels of a block of its blocked convolution; undefined where it has none. */
  readonly block: number | undefined;
}

/** One row of {@link BACKEND_PASSES}. */
export interface BackendPass {
  readonly name: string;
  /** The property that asks for it; `any`: every backend does. */
  readonly asked: keyof PassProperties | "any";
  /** In pieces. */
  apply(outputs: Outputs, block: number): Generator<void, Outputs>;
  /** Optimisers of ONNX Runtime that would undo it. */
  readonly undoneBy?: readonly string[];
}

/** The same names, their tensors after `pass`. */
export function rewritten(
  outputs: Outputs,
  pass: (outputs: readonly Tensor[]) => readonly Tensor[],
): Outputs {
  return named(outputs, pass(Object.values(outputs)));
}

/** `tensors`, in the order of `outputs`, by their names. */
export function named(outputs: Outputs, tensors: readonly Tensor[]): Outputs {
  return Object.fromEntries(Object.keys(outputs).map((name, i) => [name, tensors[i]!]));
}

/** The table. */
export const BACKEND_PASSES: readonly BackendPass[] = [
  {
    name: "convolutions-by-rows",
    asked: "block",
    apply: (outputs, block) =>
      inOnePiece(() => rewritten(outputs, (tensors) => convolutionsByRows(tensors, block))),
  },
  { name: "in-pieces", asked: "inPlace", apply: (outputs) => inOnePiece(() => inPieces(outputs)) },
  {
    name: "input-views",
    asked: "inPlace",
    *apply(outputs) {
      return named(outputs, yield* rewriting(Object.values(outputs), partsToViews));
    },
  },
  {
    name: "rematerialize",
    asked: "any",
    *apply(outputs) {
      return named(outputs, yield* rematerializing(Object.values(outputs)));
    },
    undoneBy: UNDONE_BY.rematerialize,
  },
];

/** The rows that a backend of these properties asks for. */
export const passesFor = ({ inPlace, block }: PassProperties): readonly BackendPass[] =>
  BACKEND_PASSES.filter(({ asked }) => ({ any: true, inPlace, block: block !== undefined })[asked]);

/** The graph as a backend of these properties is to run it. */
export function fitted(properties: PassProperties, outputs: Outputs): Outputs {
  return atOnce(fitting(properties, outputs));
}

/** {@link fitted} in pieces. */
export function* fitting(properties: PassProperties, outputs: Outputs): Generator<void, Outputs> {
  let current = outputs;
  for (const pass of passesFor(properties)) {
    current = yield* pass.apply(current, properties.block ?? 0);
  }
  return current;
}
