/** @module One node of an imported model, as the rules of `import-rules.ts` see it. */
import { broadcastShape } from "../ops/index-arithmetic.ts";
import { sameShape, type Shape, type Tensor } from "../trace/tensor.ts";
import { ELEMENT, type Typed } from "./import-tensor.ts";

/** One node, as a rule sees it. Its inputs and attributes are of the number and the types that the operator has. */
export interface ImportContext {
  /** Version of the operator set. */
  readonly opset: number;
  readonly inputs: readonly (Tensor | undefined)[];
  /** ONNX's element types of the inputs. */
  readonly types: readonly (number | undefined)[];
  /** How many outputs the node has. */
  readonly outputs: number;
  /** Input i. @throws UserError when the node lacks it. */
  input(i: number): Tensor;
  int(name: string, otherwise: number): number;
  ints(name: string): readonly number[] | undefined;
  float(name: string, otherwise: number): number;
  floats(name: string): readonly number[] | undefined;
  string(name: string, otherwise: string): string;
  tensor(name: string): Typed | undefined;
  has(name: string): boolean;
  /** The numbers of input i where nothing that is fed reaches it, else undefined. */
  values(i: number): ArrayLike<number> | undefined;
  /** Announces a constant of so many elements, before it is made. @throws UserError when that is too large. */
  reserve(elements: number, what: string): void;
  /** Announces whole numbers that a rule is about to compute. @throws UserError when those are too many. */
  spend(elements: number): void;
  /** Refuses the node, by name. */
  fail(problem: string): never;
}

/** What an operator becomes: the outputs of one node. */
export type Rule = (node: ImportContext) => Tensor | readonly Tensor[];

/** An axis of `rank`, counted from the front. @throws UserError where there is no such axis. */
export function axisOf(node: ImportContext, axis: number, rank: number): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  return node.fail(
    rank === 0 ? `axis ${axis} of a scalar` : `axis ${axis} is not within ${-rank} to ${rank - 1}`,
  );
}

/** Axes of `rank`, counted from the front. @throws UserError where there is no such axis, or one is there twice. */
export function axesOf(node: ImportContext, axes: readonly number[], rank: number): readonly number[] {
  const found = axes.map((axis) => axisOf(node, axis, rank));
  return new Set(found).size === found.length
    ? found
    : node.fail(`axes ${axes.join(", ")} name one more than once`);
}

/** Whole numbers from an attribute (older operator sets) or from input i (newer ones), which must be constant. */
export const intsOf = (node: ImportContext, name: string, i: number): readonly number[] | undefined =>
  node.ints(name) ?? (node.inputs[i] === undefined ? undefined : knownValues(node, i));

/** The values of input i, a vector; `least`: of this many dimensions or one. */
export function knownValues(node: ImportContext, i: number, least = 1): readonly number[] {
  const values =
    node.values(i) ?? node.fail(`input ${i} depends on the model's inputs, and must be constant`);
  if (node.input(i).rank > 1 || node.input(i).rank < least)
    node.fail(`input ${i} must be a vector, and is [${node.input(i).shape.join(",")}]`);
  return Array.from(values);
}

/** The one value of input i. */
export function knownScalar(node: ImportContext, i: number): number {
  const values = knownValues(node, i, 0);
  return values.length === 1
    ? values[0]!
    : node.fail(`input ${i} must be one number, and is ${values.length}`);
}

/** Extents for a new shape. @throws UserError unless all are whole and not negative. */
export function requireExtents(node: ImportContext, shape: readonly number[]): Shape {
  return shape.every((n) => Number.isSafeInteger(n) && n >= 0)
    ? shape
    : node.fail(`shape [${shape.join(",")}] has extents that are none`);
}

/** Input i, which must be repeated to `shape` and not beyond. */
export function requireWithin(node: ImportContext, i: number, shape: Shape): Tensor {
  const tensor = node.input(i);
  const target = { shape, dtype: tensor.dtype };
  if (tensor.rank <= shape.length && sameShape(broadcastShape(`input ${i}`, [tensor, target]), shape))
    return tensor;
  return node.fail(`input ${i} [${tensor.shape.join(",")}] does not repeat to [${shape.join(",")}]`);
}

/** Input i, which must have exactly this shape. */
export function requireShape(node: ImportContext, i: number, shape: Shape): Tensor {
  const tensor = node.input(i);
  return sameShape(tensor.shape, shape)
    ? tensor
    : node.fail(`input ${i} is [${tensor.shape.join(",")}], and must be [${shape.join(",")}]`);
}

/** Whether input i holds whole numbers: shapes and indices, for which there is no arithmetic at run time. */
export const isWhole = (node: ImportContext, i: number): boolean =>
  node.types[i] === ELEMENT.int32 || node.types[i] === ELEMENT.int64;
