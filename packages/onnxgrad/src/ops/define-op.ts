/**
 * @module What an operation is: shape rule, gradient, ONNX lowering, float64 reference evaluation, how it is split over the
 * batch, what it costs and what the compiler may assume of it, declared together. An operation without one of them does
 * not compile.
 */
import { GraphError } from "../errors.ts";
import { modulePath } from "../trace/scope.ts";
import { formatSpec, type Shape, type Spec, type Tensor } from "../trace/tensor.ts";
import type { PlacementRule } from "./placement.ts";

/** Operations without attributes. */
export type NoAttrs = Readonly<Record<string, never>>;

/** A float64 array of the reference interpreter; int64 and bool values are held as numbers. */
export interface RefArray {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** An attribute of an ONNX node: bigint and bigint[] become INT and INTS, number and number[] FLOAT and FLOATS. */
export type OnnxAttribute = bigint | number | string | readonly bigint[] | readonly number[];

/** Whose kernels will run a model. */
export type Processor = "cpu" | "gpu";

/** What a lowering may write. Values are named by strings. */
export interface LowerContext {
  /** Of several forms of an operation, the one that these kernels run fastest is to be written. All run on both. */
  readonly processor: Processor;
  /** Threads that share an operation: some of ONNX Runtime's kernels use one alone. */
  readonly threads: number;
  /** Channels of a block in ONNX Runtime's blocked convolution; absent where that must not be used (blocked.ts). */
  readonly block?: number | undefined;
  /** Most inputs and outputs of a node together; `joined` and `parted` (emit.ts) keep to it. */
  readonly mostValues: number;
  /** Whether a value is the same in every run: a constant, or made of constants alone. */
  readonly isFixed: (value: string) => boolean;
  /** Appends an ONNX node and returns the names of its outputs ("" where `outputs[i]` is false: not wanted). */
  emit(
    opType: string,
    inputs: readonly string[],
    options?: {
      readonly outputs?: number;
      readonly attrs?: Readonly<Record<string, OnnxAttribute>>;
      /** Custom operator domain, e.g. `com.microsoft`. */
      readonly domain?: string;
    },
  ): string[];
  /** A float32 constant of this shape. */
  floats(shape: Shape, values: ArrayLike<number>): string;
  /** An int64 constant vector (or scalar when `values` is a number). Extents go through `shape` and `expansion`. */
  ints(values: readonly number[] | number): string;
  /** An int64 constant vector of the sum of each group. */
  sums(groups: readonly (readonly number[])[]): string;
  /** The target of a Reshape to `dims`; in a model of any batch, the dimension that holds the batch is inferred. */
  shape(dims: Shape): string;
  /** The target of an Expand from `from` to `to`; in a model of any batch, the batch is taken from the tensor itself. */
  expansion(from: Shape, to: Shape): string;
}

/** What a gradient rule sees. */
export interface VjpContext<A> {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attrs: A;
  /** Gradient of the loss with respect to each output; undefined where the loss does not depend on it. */
  readonly grads: readonly (Tensor | undefined)[];
  /** The gradient of the first output, which is defined for operations of one output. */
  readonly grad: Tensor;
  /** Which inputs want a gradient: rules may skip the others. */
  readonly needs: readonly boolean[];
}

/** One operation with all its facets. `A` are its attributes: plain data that JSON can hold, save for constants. */
export interface OpDefinition<A> {
  readonly name: string;
  /** Shapes and types of the outputs. @throws GraphError when the inputs do not fit. */
  infer(inputs: readonly Spec[], attrs: A): readonly Spec[];
  /**
   * Vector-Jacobian product: one gradient an input (null: none). Gradients may keep a broadcast shape; the walk sums
   * them back. `null` in place of the rule says that the operation is not differentiable and blocks gradients.
   */
  readonly vjp: null | ((context: VjpContext<A>) => readonly (Tensor | null)[]);
  /** Writes the operation as ONNX nodes; returns the names of its outputs. */
  lower(context: LowerContext, inputs: readonly string[], node: NodeSpec<A>): readonly string[];
  /** Float64 reference evaluation, plain and slow: the oracle of the tests. */
  evaluate(inputs: readonly RefArray[], attrs: A, outputs: readonly Spec[]): readonly RefArray[];
  /** How it runs on a part of the batch (placement.ts). `null`: on the whole alone. */
  readonly place: null | PlacementRule<A>;
  /** Multiply-accumulates of one evaluation, as papers count them. `null`: it is no matrix product and no convolution. */
  readonly macs: null | ((node: NodeSpec<A>) => number);
  /** What the compiler may assume of it; `{}`: nothing. */
  readonly traits: Traits;
}

/** Properties of an operation, and of its lowering for CPUs, that passes and the runtime make use of. */
export interface Traits {
  /** Every element of an output depends on the elements at its place in the inputs, which broadcast, and on no other. */
  readonly elementwise?: true;
  /** It is one pass over the data, or none: it may be computed again instead of kept. */
  readonly cheap?: true;
  /** It has one input and is finite at 0: features in any layout, filled up with zeros, stay such. */
  readonly activation?: true;
  /** Its kernel reads an element only to write it, and may write over the input. */
  readonly overwrites?: true;
  /** It hands the memory of its first input on, or may, where it changes nothing or moves no element. */
  readonly handsOn?: true;
  /** It has several outputs and is one node of ONNX: all of it has run when one of them is there. */
  readonly oneNode?: true;
  /** The operand that changes nothing; the runtime leaves the operation out then, and hands the other operand on. */
  readonly neutral?: number;
}

/** A node without its place in a graph: attributes, shapes and types. Every traced node is one. */
export interface NodeSpec<A> {
  readonly attrs: A;
  readonly inputs: readonly Spec[];
  readonly outputs: readonly Spec[];
}

/** What rounds to infinity in float32 begins here: half a step beyond the largest number. */
const BEYOND = (2 - 2 ** -24) * 2 ** 127;
/** What rounds to zero ends here: half the smallest denormal. */
const BELOW = 2 ** -150;

/**
 * A float64 value with the range of float32, though not its precision: what a reference keeps, so that its infinities are those
 * of the models.
 */
export function inRange(value: number): number {
  const size = Math.abs(value);
  if (size >= BEYOND) return value > 0 ? Infinity : -Infinity;
  return size <= BELOW && size > 0 ? (value > 0 ? 0 : -0) : value;
}

/** Declares an operation; the identity, for its types. */
export function defineOp<A>(definition: OpDefinition<A>): OpDefinition<A> {
  return definition;
}

/**
 * A shape error in the house form: operation, problem, the shapes, the module path, the remedy.
 */
export function shapeError(op: string, problem: string, inputs: readonly Spec[], remedy: string): GraphError {
  const path = modulePath();
  const where = path === "" ? "" : ` at ${path}`;
  return new GraphError(
    `${op}${where}: ${problem}; inputs ${inputs.map(formatSpec).join(" and ")}. ${remedy}`,
  );
}

/** Requires every input to be float32. @throws GraphError naming the operation and the types. */
export function requireFloat(op: string, inputs: readonly Spec[]): void {
  if (inputs.some((spec) => spec.dtype !== "float32"))
    throw shapeError(op, "takes float32", inputs, "Convert with cast().");
}
