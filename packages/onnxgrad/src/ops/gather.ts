/** @module Selection of rows by integer index, and its adjoint. */
import { apply1, sizeOf, type Tensor } from "../trace/tensor.ts";
import type { NoAttrs } from "./arithmetic.ts";
import { defineOp, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { emit1, reshaped } from "./emit.ts";

/** out[i..., :] = x[indices[i...], :]. */
export const gatherOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "gather",
  infer(inputs) {
    const [x, indices] = inputs;
    if (indices!.dtype !== "int64")
      throw shapeError("gather", "takes int64 indices", inputs, 'Convert with cast(i, "int64").');
    if (x!.shape.length === 0)
      throw shapeError("gather", "has no rows to pick", inputs, "Give a table [rows, ...].");
    return [{ shape: [...indices!.shape, ...x!.shape.slice(1)], dtype: x!.dtype }];
  },
  vjp: ({ grad, inputs: [x, indices] }) => [
    apply1(scatterAddOp, [grad, indices!], { rows: x!.shape[0]! }),
    null,
  ],
  lower: (context, inputs) => context.emit("Gather", inputs, { attrs: { axis: 0n } }),
  evaluate([x, indices], _, [out]) {
    const row = sizeOf(x!.shape.slice(1));
    const data = new Float64Array(sizeOf(out!.shape));
    indices!.data.forEach((index, i) => data.set(x!.data.subarray(index * row, (index + 1) * row), i * row));
    return [{ shape: out!.shape, data }];
  },
});

interface ScatterAttrs {
  readonly rows: number;
}

/** out[indices[i...], :] += updates[i..., :], from zeros. */
export const scatterAddOp: OpDefinition<ScatterAttrs> = defineOp<ScatterAttrs>({
  name: "scatterAdd",
  infer(inputs, { rows }) {
    const [updates, indices] = inputs;
    requireFloat("scatterAdd", [updates!]);
    if (indices!.dtype !== "int64")
      throw shapeError("scatterAdd", "takes int64 indices", inputs, 'Convert with cast(i, "int64").');
    return [{ shape: [rows, ...updates!.shape.slice(indices!.shape.length)], dtype: "float32" }];
  },
  vjp: ({ grad, inputs: [, indices] }) => [gather(grad, indices!), null],
  // ScatterND with addition loses updates of repeated rows when ONNX Runtime's CPU provider runs it on several threads
  // (1.30); ScatterElements, with the row index repeated along the row, adds them one after another.
  lower(context, [updates, indices], { outputs: [out], inputs: [, indexSpec] }) {
    const shape = out!.shape;
    const count = sizeOf(indexSpec!.shape);
    const width = sizeOf(shape.slice(1));
    const zeros = emit1(context, "Expand", [
      context.floats([], [0]),
      context.expansion([], [shape[0]!, width]),
    ]);
    const column = reshaped(context, indices!, [count, 1]);
    const rows = emit1(context, "Expand", [column, context.expansion([count, 1], [count, width])]);
    const added = emit1(
      context,
      "ScatterElements",
      [zeros, rows, reshaped(context, updates!, [count, width])],
      {
        attrs: { axis: 0n, reduction: "add" },
      },
    );
    return [reshaped(context, added, shape)];
  },
  evaluate([updates, indices], _, [out]) {
    const row = sizeOf(out!.shape.slice(1));
    const data = new Float64Array(sizeOf(out!.shape));
    indices!.data.forEach((index, i) => {
      for (let k = 0; k < row; k++) data[index * row + k]! += updates!.data[i * row + k]!;
    });
    return [{ shape: out!.shape, data }];
  },
});

/** Rows of `x` by int64 `indices` of any shape (an embedding): [rows, ...] -> [...indices, ...]. */
export function gather(x: Tensor, indices: Tensor): Tensor {
  return apply1(gatherOp, [x, indices], {});
}
