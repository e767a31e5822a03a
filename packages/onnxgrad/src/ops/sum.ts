/** @module Sum over axes and broadcasting to a shape: each is the other's gradient. */
import { apply1, sameShape, type Shape, type Spec, type Tensor } from "../trace/tensor.ts";
import { defineOp, type OpDefinition, shapeError } from "./define-op.ts";
import { broadcastShape, evaluateElementwise } from "./index-arithmetic.ts";
import { linear, sharded, withLocalShape } from "./placement.ts";
import {
  evaluateReduce,
  inferReduce,
  lowerReduce,
  type ReduceAttrs,
  reducer,
  type Reduction,
  summed,
} from "./reduction.ts";
import { reshape } from "./reshape.ts";

export const sumOp: OpDefinition<ReduceAttrs> = defineOp<ReduceAttrs>({
  name: "sum",
  infer: inferReduce("sum", { empty: true }),
  vjp: ({ grad, inputs }) => [broadcastTo(grad, inputs[0]!.shape)],
  lower: lowerReduce("ReduceSum"),
  evaluate: ([x], _, [out]) => [evaluateReduce(x!, out!, 0, (a, b) => a + b)],
  place: summed(false),
  macs: null,
  traits: {},
});

/** Sum over axes. */
export const sum: Reduction = reducer(sumOp);

interface BroadcastAttrs {
  readonly shape: Shape;
}

/** Repeats a tensor along new or unit dimensions. */
export const broadcastToOp: OpDefinition<BroadcastAttrs> = defineOp<BroadcastAttrs>({
  name: "broadcastTo",
  infer([x], { shape }) {
    const target: Spec = { shape, dtype: x!.dtype };
    if (!sameShape(broadcastShape("broadcastTo", [x!, target]), shape))
      throw shapeError(
        "broadcastTo",
        `cannot reach [${shape.join(",")}]`,
        [x!],
        "Only unit dimensions can be repeated.",
      );
    return [target];
  },
  vjp: ({ grad, inputs }) => [sumTo(grad, inputs[0]!.shape)],
  lower: (context, [x], { attrs, inputs: [spec] }) =>
    context.emit("Expand", [x!, context.expansion(spec!.shape, attrs.shape)]),
  evaluate: ([x], { shape }) => [evaluateElementwise([x!], shape, (value) => value)],
  place(node, places) {
    const [place] = places;
    if (place!.kind !== "sharded") return linear(node, places);
    const added = node.outputs[0]!.shape.length - node.inputs[0]!.shape.length;
    const target = sharded(place!.axis + added, place!.blocks);
    return { inputs: places, outputs: [target], attrs: withLocalShape(node.attrs, target) };
  },
  macs: null,
  traits: { cheap: true, handsOn: true },
});

/** Broadcasts `x` to `shape` (NumPy rules). @throws GraphError when the shape cannot be reached. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : apply1(broadcastToOp, [x], { shape });
}

/** The adjoint of {@link broadcastTo}: sums `x` down to `shape`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((n, axis) =>
    axis < lead || (shape[axis - lead] === 1 && n !== 1) ? [axis] : [],
  );
  return reshape(axes.length === 0 ? x : sum(x, axes, { keepDims: true }), shape);
}
