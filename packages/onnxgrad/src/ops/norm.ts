/** @module The Euclidean norm of all elements, whose squares may be more or less than float32 can hold. */
import { apply1, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { div, LARGEST, mul } from "./arithmetic.ts";
import { equal, where } from "./compare.ts";
import { defineOp, type LowerContext, type NoAttrs, type OpDefinition, requireFloat } from "./define-op.ts";
import { emit1, reshaped } from "./emit.ts";

/** By this, or its inverse, numbers of float32 are scaled so that 2^31 of their squares can be added. */
const SCALE = 2 ** 80;
/** Sums of squares below have lost some of them to underflow. */
const LITTLE = 2 ** -64;

/** sqrt(sum x^2), a scalar. */
export const normOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "norm",
  infer(inputs) {
    requireFloat("norm", inputs);
    return [{ shape: [], dtype: "float32" }];
  },
  // d|x|/dx = x / |x|, and 0 at 0.
  vjp: ({ grad, inputs: [x], outputs: [y] }) => [mul(div(x!, where(equal(y!, 0), 1, y!)), grad)],
  // Once as it is, and once more, scaled, where that has been too much or too little.
  lower(context, [x], { inputs: [spec] }) {
    const scalar = (value: number) => context.floats([], [value]);
    const flat = reshaped(context, x!, [sizeOf(spec!.shape)]);
    const plain = sumOfSquares(context, flat);
    // In operations that GPUs have, too.
    const isMuch = emit1(context, "Greater", [plain, scalar(LARGEST)]);
    const isLittle = emit1(context, "Less", [plain, scalar(LITTLE)]);
    const again =
      context.processor === "cpu" ? allOrNothing(context, flat, [isMuch, isLittle], spec!.shape) : flat;
    const scale = emit1(context, "Where", [isMuch, scalar(1 / SCALE), scalar(SCALE)]);
    const scaled = sumOfSquares(context, emit1(context, "Mul", [again, scale]));
    const outside = emit1(context, "Div", [emit1(context, "Sqrt", [scaled]), scale]);
    const inside = emit1(context, "Where", [isLittle, outside, emit1(context, "Sqrt", [plain])]);
    return context.emit("Where", [isMuch, outside, inside]);
  },
  evaluate: ([x]) => [
    { shape: [], data: Float64Array.of(Math.sqrt(x!.data.reduce((total, v) => total + v * v, 0))) },
  ],
  // Norms of parts do not add up.
  place: null,
  macs: null,
  traits: {},
});

/** A scalar. */
function sumOfSquares(context: LowerContext, flat: string): string {
  const squares = emit1(context, "Mul", [flat, flat]);
  return emit1(context, "ReduceSum", [squares, context.ints([0])], { attrs: { keepdims: 0n } });
}

/** The vector where one of two conditions holds, else none of its elements, so that what follows costs nothing. */
function allOrNothing(
  context: LowerContext,
  flat: string,
  conditions: readonly [string, string],
  shape: Shape,
): string {
  const [a, b] = conditions.map((each) =>
    emit1(context, "Cast", [reshaped(context, each, [1])], { attrs: { to: 7n } }),
  ) as [string, string];
  const end = emit1(context, "Mul", [emit1(context, "Add", [a, b]), context.shape([sizeOf(shape)])]);
  return emit1(context, "Slice", [flat, context.ints([0]), end]);
}

/** Euclidean norm of all elements, a scalar, right wherever float32 can hold it; its gradient at 0 is 0. */
export function norm(x: Tensor): Tensor {
  return apply1(normOp, [x], {});
}
