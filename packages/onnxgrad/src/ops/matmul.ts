/** @module Matrix product with batched, broadcast leading dimensions. */
import { apply1, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";
import { broadcastShape, forEachBroadcast } from "./index-arithmetic.ts";
import { defineOp, type NoAttrs, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import {
  linear,
  PARTIAL,
  type Placement,
  type PlacementRule,
  REPLICATED,
  sharded,
  type Sharded,
} from "./placement.ts";
import { matrixTranspose } from "./reshape.ts";

const lead = ({ shape, dtype }: Spec): Spec => ({ shape: shape.slice(0, -2), dtype });

const place: PlacementRule<NoAttrs> = (node, places) => {
  const { inputs, outputs } = node;
  if (places.some(({ kind }) => kind === "partial")) return linear(node, places);
  const rank = outputs[0]!.shape.length;
  const [a, b] = places as [Placement, Placement];
  const [left, right] = inputs.map(({ shape }) => shape.length) as [number, number];
  // Axes counted from the right: 0 and 1 are the matrix, the others broadcast.
  const depth = (each: Placement, own: number) => (each.kind === "sharded" ? own - 1 - each.axis : -1);
  const da = depth(a, left);
  const db = depth(b, right);
  const both = a.kind === "sharded" && b.kind === "sharded";
  if ((da === 0 || db === 1) && (!both || (da === 0 && db === 1 && a.blocks === b.blocks))) {
    const blocks = (a as Sharded).blocks ?? (b as Sharded).blocks;
    return {
      inputs: [sharded(left - 1, blocks), sharded(right - 2, blocks)],
      outputs: [PARTIAL],
    };
  }
  if (da === 1 && b.kind === "replicated")
    return { inputs: places, outputs: [sharded(rank - 2, (a as Sharded).blocks)] };
  if (db === 0 && a.kind === "replicated")
    return { inputs: places, outputs: [sharded(rank - 1, (b as Sharded).blocks)] };
  const lead = Math.max(da, db);
  if (lead < 2 || (both && (da !== db || a.blocks !== b.blocks))) return undefined;
  const blocks = a.kind === "sharded" ? a.blocks : (b as Sharded).blocks;
  return {
    inputs: inputs.map(({ shape }) => {
      const axis = shape.length - 1 - lead;
      return axis >= 0 && shape[axis]! > 1 ? sharded(axis, blocks) : REPLICATED;
    }),
    outputs: [sharded(rank - 1 - lead, blocks)],
  };
};

/** [..., m, k] x [..., k, n] -> [..., m, n]. */
export const matmulOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "matmul",
  infer(inputs) {
    requireFloat("matmul", inputs);
    const [a, b] = inputs as [Spec, Spec];
    if (a.shape.length < 2 || b.shape.length < 2)
      throw shapeError(
        "matmul",
        "needs at least two dimensions on each side",
        inputs,
        "Add one with reshape().",
      );
    if (a.shape.at(-1) !== b.shape.at(-2))
      throw shapeError(
        "matmul",
        `inner dimensions ${a.shape.at(-1)} and ${b.shape.at(-2)} differ`,
        inputs,
        "Transpose one of them, or check the layer's input size.",
      );
    return [
      {
        shape: [...broadcastShape("matmul", [lead(a), lead(b)], inputs), a.shape.at(-2)!, b.shape.at(-1)!],
        dtype: "float32",
      },
    ];
  },
  vjp: ({ grad, inputs: [a, b], needs }) => [
    needs[0] ? matmul(grad, matrixTranspose(b!)) : null,
    needs[1] ? matmul(matrixTranspose(a!), grad) : null,
  ],
  lower: (context, inputs) => context.emit("MatMul", inputs),
  evaluate([a, b], _, [out]) {
    const [m, k] = a!.shape.slice(-2) as [number, number];
    const n = b!.shape.at(-1)!;
    const data = new Float64Array(sizeOf(out!.shape));
    forEachBroadcast(
      out!.shape.slice(0, -2),
      [a!.shape.slice(0, -2), b!.shape.slice(0, -2)],
      (at, [ia, ib]) => {
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) {
            let total = 0;
            for (let l = 0; l < k; l++)
              total += a!.data[ia! * m * k + i * k + l]! * b!.data[ib! * k * n + l * n + j]!;
            data[at * m * n + i * n + j] = total;
          }
      },
    );
    return [{ shape: out!.shape, data }];
  },
  place,
  macs: ({ inputs: [a], outputs: [y] }) => sizeOf(y!.shape) * a!.shape.at(-1)!,
  traits: {},
});

/**
 * Matrix product of the last two dimensions; the leading ones broadcast.
 * @throws GraphError when the inner dimensions differ.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return apply1(matmulOp, [a, b], {});
}
