/**
 * @module Values that depend on nothing fed: found while a model is traced, within bounds. A file of a hundred bytes can
 * ask for any amount of work and memory, so both are counted before anything is computed.
 */
import { UserError } from "../errors.ts";
import type { RefArray } from "../ops/define-op.ts";
import { constant } from "../ops/source.ts";
import type { GraphNode, Tensor } from "../trace/tensor.ts";
import { MOST_DIMENSIONS } from "./import-tensor.ts";

/** Elements of one traced tensor, at most: 1 GiB of float32. */
const LARGEST_TENSOR = 2 ** 28;
/** What may be made of constants, of a small file; of a large one in proportion to what is stored in it. */
const MADE_ELEMENTS = { always: 2 ** 22, perStored: 8 };
/** Multiply-accumulates, or elements read and written, for the same. */
const MADE_WORK = { always: 2 ** 28, perStored: 1024 };
/** Elements of a constant that a caller may feed in the place of one of the model's, such as a shape. */
const FED_CONSTANT = 1024;
/** Elements of the constants that rules make, such as matrices of interpolation. */
const RULE_ELEMENTS = 2 ** 25;
/** Time for computing constants while tracing. What takes longer is left to the runtime. */
const FOLDING_NANOSECONDS = 2 ** 28;
/** Of a function of single elements, and of a multiply-accumulate, by the reference evaluation; measured, roughly. */
const NANOSECONDS_ELEMENT = 128;
const NANOSECONDS_PRODUCT = 8;

/** Finds and counts what depends on constants alone, in one trace of a model. */
export interface Folding {
  /** Says that a tensor is fed: not one of the model's constants, though it may be one of the caller's. */
  feed(tensor: Tensor): void;
  /**
   * The tensor, as one constant where nothing that is fed reaches it; what takes long stays as it is, for the runtime.
   * @throws UserError `import/too-large`
   */
  fold(tensor: Tensor): Tensor;
  /** The value of a tensor that nothing fed reaches, else undefined. @throws UserError `import/too-large` */
  values(tensor: Tensor): RefArray | undefined;
  /** Announces a constant that is about to be made. @throws UserError `import/too-large` */
  reserve(elements: number, what: string): void;
  /** Announces whole numbers that are about to be computed one by one. @throws UserError `import/too-large` */
  spend(elements: number): void;
}

interface Cost {
  /** Multiply-accumulates, or elements read and written. */
  readonly work: number;
  /** Of the reference evaluation. */
  readonly nanoseconds: number;
}

const tooLarge = (problem: string): UserError => new UserError("import/too-large", problem);
const count = (n: number): string => (Number.isFinite(n) ? n.toLocaleString("en-US") : "endlessly many");

function costOf(node: GraphNode): Cost {
  const { op, inputs, outputs, attrs } = node;
  const size = outputs.reduce((total, each) => total + each.size, 0);
  const products = (times: number) => ({ work: times, nanoseconds: NANOSECONDS_PRODUCT * times });
  if (op.macs !== null) return products(op.macs(node));
  switch (op.name) {
    case "constant":
    case "reshape":
      return { work: 0, nanoseconds: 0 };
    case "maxPool2d":
      return products(size * (attrs as { readonly kernel: number }).kernel ** 2);
    default: {
      const work = inputs.reduce((total, each) => total + each.size, size);
      return { work, nanoseconds: NANOSECONDS_ELEMENT * work };
    }
  }
}

function requireSize({ outputs }: GraphNode): void {
  for (const { shape, size } of outputs) {
    if (shape.length > MOST_DIMENSIONS)
      throw tooLarge(
        `makes a tensor of ${shape.length} dimensions; at most ${MOST_DIMENSIONS} are supported`,
      );
    if (!(size <= LARGEST_TENSOR))
      throw tooLarge(
        `makes a tensor [${shape.join(",")}] of ${count(size)} elements; at most ${count(LARGEST_TENSOR)} are supported`,
      );
  }
}

/** Begins a trace of a model that stores so many elements. */
export function createFolding(storedElements: number): Folding {
  const most = ({ always, perStored }: typeof MADE_WORK) => Math.max(always, perStored * storedElements);
  /** Whether nothing fed reaches a node, of all that were looked at. */
  const fixed = new Map<GraphNode, boolean>();
  const evaluated = new Map<GraphNode, readonly RefArray[]>();
  /** What is left to the runtime. */
  const left = new Set<GraphNode>();
  let made = 0;
  let work = 0;
  let reserved = 0;
  let nanoseconds = 0;

  const settle = (node: GraphNode): void => {
    requireSize(node);
    const isFixed = node.op.name !== "input" && node.inputs.every((each) => fixed.get(each.node)!);
    fixed.set(node, isFixed);
    if (!isFixed) return;
    if (node.op.name !== "constant") made += node.outputs.reduce((total, { size }) => total + size, 0);
    work += costOf(node).work;
    if (made > most(MADE_ELEMENTS))
      throw tooLarge(
        `brings what the model makes of constants alone to ${count(made)} elements; at most ${count(most(MADE_ELEMENTS))} are supported. Feed them, or store them in the file`,
      );
    if (work > most(MADE_WORK))
      throw tooLarge(
        `brings what the model computes from constants alone to ${count(work)} multiply-accumulates; at most ${count(most(MADE_WORK))} are supported. Store the result in the file`,
      );
  };
  /** Looks at every node that was not looked at before, those that others depend on first. */
  const isFixed = (node: GraphNode): boolean => {
    for (const each of pending(node, (other) => fixed.has(other))) settle(each);
    return fixed.get(node)!;
  };
  const evaluate = (open: readonly GraphNode[]): void => {
    for (const each of open) {
      nanoseconds += costOf(each).nanoseconds;
      const inputs = each.inputs.map((input) => evaluated.get(input.node)![input.index]!);
      evaluated.set(each, each.op.evaluate(inputs, each.attrs, each.outputs));
    }
  };
  const isQuick = (open: readonly GraphNode[]): boolean =>
    open.reduce((total, each) => total + costOf(each).nanoseconds, nanoseconds) <= FOLDING_NANOSECONDS;
  const values = ({ node, index }: Tensor): RefArray | undefined => {
    if (!isFixed(node)) return undefined;
    const open = pending(node, (other) => evaluated.has(other));
    if (!isQuick(open))
      throw tooLarge("needs a value that takes too long to compute while tracing. Store it in the file");
    evaluate(open);
    return evaluated.get(node)![index]!;
  };
  /** Whether a tensor is left to the runtime, for what it depends on is, or because it takes long. */
  const isLeft = ({ node, dtype }: Tensor): boolean => {
    if (dtype === "int64") return false;
    const open = pending(node, (other) => evaluated.has(other) || left.has(other));
    return open.some((each) => each.inputs.some((input) => left.has(input.node))) || !isQuick(open);
  };
  return {
    feed({ node, size }) {
      fixed.set(node, node.op.name === "constant" && size <= FED_CONSTANT);
    },
    fold(tensor) {
      const { node, dtype } = tensor;
      if (!isFixed(node) || node.op.name === "constant") return tensor;
      if (dtype !== "float32" && dtype !== "int64") return tensor;
      if (left.has(node) || isLeft(tensor)) {
        left.add(node);
        return tensor;
      }
      const { data, shape } = values(tensor)!;
      return constant(data, shape, dtype);
    },
    values,
    spend(elements) {
      nanoseconds += NANOSECONDS_ELEMENT * elements;
      if (!(nanoseconds <= FOLDING_NANOSECONDS))
        throw tooLarge(
          `computes ${count(elements)} whole numbers, which takes too long. Store the result in the file`,
        );
    },
    reserve(elements, what) {
      reserved += elements;
      if (!(reserved <= RULE_ELEMENTS))
        throw tooLarge(
          `needs ${what}, which brings the constants of that kind to ${count(reserved)} elements; at most ${count(RULE_ELEMENTS)} are supported`,
        );
    },
  };
}

/** `node` and what it depends on, without what is `done` and what only that needs; those that others depend on first. */
function pending(node: GraphNode, done: (node: GraphNode) => boolean): readonly GraphNode[] {
  if (done(node)) return [];
  const seen = new Set<GraphNode>();
  const stack = [node];
  for (let each = stack.pop(); each !== undefined; each = stack.pop()) {
    if (seen.has(each) || done(each)) continue;
    seen.add(each);
    for (const input of each.inputs) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
