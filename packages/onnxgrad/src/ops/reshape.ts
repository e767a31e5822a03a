/** @module Changes of shape without arithmetic: reshape and transpose. */
import { apply1, sameShape, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { defineOp, type OpDefinition, shapeError } from "./define-op.ts";
import { stridesOf } from "./index-arithmetic.ts";
import { linear, sharded, withLocalShape } from "./placement.ts";

interface ReshapeAttrs {
  readonly shape: Shape;
}

/** Same elements in row-major order, another shape. */
export const reshapeOp: OpDefinition<ReshapeAttrs> = defineOp<ReshapeAttrs>({
  name: "reshape",
  infer([x], { shape }) {
    if (sizeOf(x!.shape) !== sizeOf(shape) || shape.some((n) => !Number.isInteger(n) || n < 0))
      throw shapeError(
        "reshape",
        `cannot turn ${sizeOf(x!.shape)} elements into [${shape.join(",")}]`,
        [x!],
        "Both shapes must hold the same number of elements.",
      );
    return [{ shape, dtype: x!.dtype }];
  },
  vjp: ({ grad, inputs }) => [reshape(grad, inputs[0]!.shape)],
  lower: (context, [x], { attrs }) => context.emit("Reshape", [x!, context.shape(attrs.shape)]),
  evaluate: ([x], { shape }) => [{ shape, data: x!.data }],
  // The sharded stretch must begin at an axis of the target and hold whole multiples there.
  place(node, places) {
    const [place] = places;
    const [x] = node.inputs;
    const { shape } = node.attrs;
    if (place!.kind !== "sharded") return linear(node, places);
    const size = sizeOf(x!.shape);
    const before = sizeOf(x!.shape.slice(0, place!.axis)) * place!.blocks;
    const stretch = size / before;
    let outer = 1;
    for (let axis = 0; axis < shape.length; axis++) {
      const blocks = before / outer;
      // Elements of one stretch that this axis steps over: all of it must be within this axis and those behind it.
      const target = sharded(axis, blocks);
      const inner = size / outer / shape[axis]!;
      const begins =
        Number.isInteger(blocks) &&
        shape[axis]! % blocks === 0 &&
        (shape[axis]! / blocks) * inner === stretch;
      if (begins && shape[axis]! / blocks > 1)
        return { inputs: places, outputs: [target], attrs: withLocalShape(node.attrs, target) };
      outer *= shape[axis]!;
    }
    return undefined;
  },
  macs: null,
  traits: { cheap: true, handsOn: true },
});

/**
 * Same elements, another shape; one dimension may be -1 and is inferred.
 * @throws GraphError when the numbers of elements differ.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, n) => (n === -1 ? product : product * n), 1);
  const inferred = x.size / known;
  if (shape.includes(-1) && (shape.indexOf(-1) !== shape.lastIndexOf(-1) || !Number.isInteger(inferred)))
    throw shapeError(
      "reshape",
      `cannot infer -1 in [${shape.join(",")}] from ${x.size} elements`,
      [x],
      "One -1 at most, and the other dimensions must divide the number of elements.",
    );
  const target = shape.map((n) => (n === -1 ? inferred : n));
  return sameShape(x.shape, target) ? x : apply1(reshapeOp, [x], { shape: target });
}

interface TransposeAttrs {
  readonly permutation: readonly number[];
}

/** Reorders dimensions: output axis i is input axis `permutation[i]`. */
export const transposeOp: OpDefinition<TransposeAttrs> = defineOp<TransposeAttrs>({
  name: "transpose",
  infer([x], { permutation }) {
    const sorted = [...permutation].sort((a, b) => a - b);
    if (
      !sameShape(
        sorted,
        x!.shape.map((_, axis) => axis),
      )
    )
      throw shapeError(
        "transpose",
        `[${permutation.join(",")}] is no permutation of the axes`,
        [x!],
        "Name every axis once.",
      );
    return [{ shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype }];
  },
  vjp: ({ grad, attrs: { permutation } }) => [
    transpose(
      grad,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  lower: (context, [x], { attrs }) =>
    context.emit("Transpose", [x!], { attrs: { perm: attrs.permutation.map(BigInt) } }),
  evaluate([x], { permutation }, [out]) {
    const strides = stridesOf(x!.shape);
    const data = new Float64Array(x!.data.length);
    const index = new Array<number>(permutation.length).fill(0);
    for (let at = 0; at < data.length; at++) {
      data[at] = x!.data[permutation.reduce((offset, axis, i) => offset + index[i]! * strides[axis]!, 0)]!;
      for (let i = index.length - 1; i >= 0 && ++index[i]! === out!.shape[i]; i--) index[i] = 0;
    }
    return [{ shape: out!.shape, data }];
  },
  place(node, places) {
    const [place] = places;
    if (place!.kind !== "sharded") return linear(node, places);
    const axis = node.attrs.permutation.indexOf(place!.axis);
    return { inputs: places, outputs: [sharded(axis, place!.blocks)] };
  },
  macs: null,
  traits: { cheap: true, handsOn: true },
});

/**
 * Reorders dimensions; without a permutation the order is reversed.
 * @throws GraphError unless the permutation names every axis once.
 */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  const order = permutation ?? x.shape.map((_, axis) => x.rank - 1 - axis);
  return order.every((axis, i) => axis === i) && order.length === x.rank
    ? x
    : apply1(transposeOp, [x], { permutation: order });
}

/** Swaps the last two dimensions. */
export function matrixTranspose(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}
