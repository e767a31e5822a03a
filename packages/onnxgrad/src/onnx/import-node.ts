/** @module One node of an imported model, as the rules of `import-rules.ts` see it. */
import type { Tensor } from "../trace/tensor.ts";

/** Operator sets whose meaning the rules know. */
export const OPSETS = { first: 7n, last: 22n } as const;

/** One node, as a rule sees it. */
export interface ImportContext {
  /** Version of the operator set. */
  readonly opset: number;
  readonly inputs: readonly (Tensor | undefined)[];
  /** How many outputs the node has. */
  readonly outputs: number;
  /** Input i. @throws UserError when the node lacks it. */
  input(i: number): Tensor;
  int(name: string, otherwise: number): number;
  ints(name: string): readonly number[] | undefined;
  float(name: string, otherwise: number): number;
  string(name: string, otherwise: string): string;
  tensor(name: string): Tensor | undefined;
  has(name: string): boolean;
  /** Refuses the node, by name. */
  fail(problem: string): never;
}

/** What an operator becomes: the outputs of one node. */
export type Rule = (node: ImportContext) => Tensor | readonly Tensor[];

/** An axis counted from the front. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Whole numbers from an attribute (older operator sets) or from input i (newer ones), which must be constant. */
export const intsOf = (node: ImportContext, name: string, i: number): readonly number[] | undefined =>
  node.ints(name) ?? (node.inputs[i] === undefined ? undefined : knownValues(node, i));

/** The values of input i. */
export function knownValues(node: ImportContext, i: number): readonly number[] {
  const { op, attrs } = node.input(i).node;
  if (op.name !== "constant")
    return node.fail(`input ${i} depends on the model's inputs, and must be constant`);
  return [...(attrs as { readonly values: Float64Array }).values];
}
