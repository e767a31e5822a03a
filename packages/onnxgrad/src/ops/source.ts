/** @module The leaves of a graph: inputs fed at run time and constants known at trace time. */
import { GraphError, invariant } from "../errors.ts";
import { apply1, type DType, type Shape, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";
import { defineOp, type OpDefinition } from "./define-op.ts";

interface InputAttrs {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A value fed by name at run time. */
export const inputOp: OpDefinition<InputAttrs> = defineOp<InputAttrs>({
  name: "input",
  infer: (_, { shape, dtype }) => [{ shape, dtype }],
  vjp: null,
  lower: (_, __, { attrs }) => [attrs.name],
  evaluate: () => invariant(false, "inputs are fed, not evaluated") as never,
  place: null,
  macs: null,
  traits: {},
});

/** Declares an input: its shape (float32), or shape and element type. */
export type InputSpec = Shape | { readonly shape: Shape; readonly dtype: "float32" | "int64" };

/** What is asked for now: the caller's own arrays may change. */
export function specOf(spec: InputSpec): Spec & { readonly dtype: "float32" | "int64" } {
  return "shape" in spec
    ? { shape: [...spec.shape], dtype: spec.dtype }
    : { shape: [...spec], dtype: "float32" };
}

/** A placeholder of the given name and shape. */
export function input(name: string, shape: Shape, dtype: DType = "float32"): Tensor {
  return apply1(inputOp, [], { name, shape, dtype });
}

interface ConstantAttrs {
  readonly shape: Shape;
  readonly dtype: "float32" | "int64";
  readonly values: Float64Array;
}

/** Values known at trace time. */
export const constantOp: OpDefinition<ConstantAttrs> = defineOp<ConstantAttrs>({
  name: "constant",
  infer: (_, { shape, dtype }) => [{ shape, dtype }],
  vjp: null,
  lower(context, _, { attrs: { shape, dtype, values } }) {
    if (dtype === "float32") return [context.floats(shape, values)];
    const flat = context.ints([...values]);
    return shape.length === 1 ? [flat] : context.emit("Reshape", [flat, context.shape(shape)]);
  },
  evaluate: (_, { shape, values }) => [{ shape, data: values }],
  place: null,
  macs: null,
  traits: {},
});

/**
 * A constant tensor; a bare number is a scalar.
 * @throws GraphError when the number of values is not the product of the shape.
 */
export function constant(
  values: number | ArrayLike<number>,
  shape?: Shape,
  dtype: "float32" | "int64" = "float32",
): Tensor {
  const data = typeof values === "number" ? Float64Array.of(values) : Float64Array.from(values);
  const dims = shape ?? (typeof values === "number" ? [] : [data.length]);
  if (sizeOf(dims) !== data.length)
    throw new GraphError(`constant: ${data.length} values do not fill shape [${dims.join(",")}]`);
  return apply1(constantOp, [], { shape: dims, dtype, values: data });
}

/** Lifts numbers to scalar constants, so that `add(x, 1)` reads as it should. */
export function lift(value: Tensor | number): Tensor {
  return typeof value === "number" ? constant(value) : value;
}

/** The value of a scalar float constant, or undefined when `tensor` is anything else. */
export function scalarValue(tensor: Tensor): number | undefined {
  if (tensor.node.op.name !== "constant" || tensor.rank !== 0) return undefined;
  return (tensor.node.attrs as ConstantAttrs).values[0];
}
