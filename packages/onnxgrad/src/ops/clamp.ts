/** @module Limiting values to an interval, in one pass. */
import { GraphError } from "../errors.ts";
import { apply1, type Tensor } from "../trace/tensor.ts";
import { mul } from "./arithmetic.ts";
import { cast, greaterEqual, lessEqual } from "./compare.ts";
import { defineOp, type OpDefinition, requireFloat } from "./define-op.ts";
import { elementwise } from "./placement.ts";

interface ClampAttrs {
  /** Finite; absent where there is no bound. */
  readonly low?: number;
  readonly high?: number;
}

/** x limited to [low, high]; where `high` is below `low`, it is `high`. */
export const clampOp: OpDefinition<ClampAttrs> = defineOp<ClampAttrs>({
  name: "clamp",
  infer(inputs) {
    requireFloat("clamp", inputs);
    return [{ shape: inputs[0]!.shape, dtype: "float32" }];
  },
  vjp({ grad, inputs: [x], attrs: { low, high } }) {
    const above = low === undefined ? undefined : cast(greaterEqual(x!, low), "float32");
    const below = high === undefined ? undefined : cast(lessEqual(x!, high), "float32");
    return [[above, below].reduce((kept: Tensor, inside) => (inside ? mul(kept, inside) : kept), grad)];
  },
  lower(context, [x], { attrs: { low, high } }) {
    const bound = (value: number | undefined) => (value === undefined ? "" : context.floats([], [value]));
    return context.emit("Clip", [x!, bound(low), bound(high)]);
  },
  evaluate([x], { low = -Infinity, high = Infinity }) {
    const data = x!.data.map((v) => (v < low ? low : v)).map((v) => (v > high ? high : v));
    return [{ shape: x!.shape, data }];
  },
  place: elementwise,
  macs: null,
  traits: { elementwise: true, cheap: true, overwrites: true },
});

/**
 * Limits x to [low, high]; infinite bounds are none. The gradient is passed within the interval and at its ends.
 * @throws GraphError when a bound is NaN, or infinite on the wrong side.
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  if (!(low < Infinity) || !(high > -Infinity))
    throw new GraphError(
      `clamp: bounds ${low} and ${high}. Give numbers; -Infinity and Infinity are no bounds.`,
    );
  const attrs = { ...(low !== -Infinity && { low }), ...(high !== Infinity && { high }) };
  return Object.keys(attrs).length === 0 ? x : apply1(clampOp, [x], attrs);
}
