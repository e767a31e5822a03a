/**
 * @module Selection of rows by integer index, and its adjoint. As in ONNX and PyTorch, negative indices count from the
 * end, and those beyond the table are an error of the run that feeds them.
 */
import { UserError } from "../errors.ts";
import { apply1, sizeOf, type Tensor } from "../trace/tensor.ts";
import { defineOp, type NoAttrs, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { emit1, reshaped } from "./emit.ts";
import { wrapped } from "./index-arithmetic.ts";
import { linear, PARTIAL, samePlace, type Sharded } from "./placement.ts";

/** The refusal of an index beyond a table. */
export function indexError(index: number, rows: number): UserError {
  return new UserError(
    "gather/index",
    `gather: index ${index} is outside a table of ${rows} rows. Feed ${-rows} to ${rows - 1}.`,
  );
}

/** The row that an index means. @throws UserError `gather/index`. */
function rowOf(index: number, rows: number): number {
  const row = wrapped(index, rows);
  if (row < 0 || row >= rows) throw indexError(index, rows);
  return row;
}

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
    indices!.data.forEach((index, i) => {
      const from = rowOf(index, x!.shape[0]!) * row;
      data.set(x!.data.subarray(from, from + row), i * row);
    });
    return [{ shape: out!.shape, data }];
  },
  // Rows of a replicated table by sharded indices.
  place(node, places) {
    const [x, indices] = places;
    if (x!.kind === "partial") return linear(node, places);
    return x!.kind === "replicated" && indices!.kind === "sharded"
      ? { inputs: places, outputs: [indices!] }
      : undefined;
  },
  macs: null,
  traits: {},
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
  evaluate([updates, indices], { rows }, [out]) {
    const row = sizeOf(out!.shape.slice(1));
    const data = new Float64Array(sizeOf(out!.shape));
    indices!.data.forEach((index, i) => {
      const to = rowOf(index, rows) * row;
      for (let k = 0; k < row; k++) data[to + k]! += updates!.data[i * row + k]!;
    });
    return [{ shape: out!.shape, data }];
  },
  place(node, places) {
    const [updates, indices] = places;
    if (updates!.kind === "partial") return indices!.kind === "replicated" ? linear(node, places) : undefined;
    const moving = (updates!.kind === "sharded" ? updates : indices) as Sharded;
    const fits = places.every((each) => each.kind === "replicated" || samePlace(each, moving));
    return fits && moving.axis < node.inputs[1]!.shape.length
      ? { inputs: [moving, moving], outputs: [PARTIAL] }
      : undefined;
  },
  macs: null,
  traits: {},
});

/**
 * Rows of `x` by int64 `indices` of any shape (an embedding): [rows, ...] -> [...indices, ...]. Negative indices count from
 * the end.
 */
export function gather(x: Tensor, indices: Tensor): Tensor {
  return apply1(gatherOp, [x, indices], {});
}
