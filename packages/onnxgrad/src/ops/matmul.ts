/** @module Matrix product with batched, broadcast leading dimensions. */
import { apply1, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";
import type { NoAttrs } from "./arithmetic.ts";
import { broadcastShape, forEachBroadcast } from "./broadcast.ts";
import { defineOp, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { matrixTranspose } from "./reshape.ts";

const lead = ({ shape, dtype }: Spec): Spec => ({ shape: shape.slice(0, -2), dtype });

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
});

/**
 * Matrix product of the last two dimensions; the leading ones broadcast.
 * @throws GraphError when the inner dimensions differ.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return apply1(matmulOp, [a, b], {});
}
