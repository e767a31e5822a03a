/** @module Padding: zeros, and mirror images. */
import type { Tensor } from "../trace/tensor.ts";
import { concat } from "./concat.ts";
import { shapeError } from "./define-op.ts";
import { sliceRanges, unslice } from "./slice.ts";

function requirePads(name: string, x: Tensor, pads: readonly (readonly [number, number])[]): void {
  if (pads.length > x.rank || pads.flat().some((n) => !Number.isInteger(n) || n < 0))
    throw shapeError(
      name,
      `pads ${pads.map((pair) => `[${pair.join(",")}]`).join(",")} do not fit`,
      [x],
      "Give [before, after] an axis, whole and not negative; crop with slice().",
    );
}

/** Zeros around a tensor: `[before, after]` an axis; axes beyond the given ones are kept. */
export function padZero(x: Tensor, pads: readonly (readonly [number, number])[]): Tensor {
  requirePads("padZero", x, pads);
  const shape = x.shape.map((n, axis) => n + (pads[axis]?.[0] ?? 0) + (pads[axis]?.[1] ?? 0));
  if (shape.every((n, axis) => n === x.shape[axis])) return x;
  return unslice(
    x,
    x.shape.map((count, axis) => ({ start: pads[axis]?.[0] ?? 0, count, step: 1 })),
    shape,
  );
}

/**
 * Mirror padding without repeating the edge (`reflect` of NumPy), `[before, after]` an axis.
 * @throws GraphError when a pad reaches the extent of its axis.
 */
export function padReflect(x: Tensor, pads: readonly (readonly [number, number])[]): Tensor {
  requirePads("padReflect", x, pads);
  return pads.reduce((padded, [before, after], axis) => {
    const extent = padded.shape[axis]!;
    if (Math.max(before, after) >= extent)
      throw shapeError(
        "padReflect",
        `a pad of ${Math.max(before, after)} needs more than ${extent} elements on axis ${axis}`,
        [x],
        "Pad less, or pad twice.",
      );
    const part = (start: number, count: number) =>
      sliceRanges(
        padded,
        padded.shape.map((n, i) =>
          i === axis ? { start, count, step: -1 } : { start: 0, count: n, step: 1 },
        ),
      );
    const parts = [
      ...(before > 0 ? [part(before, before)] : []),
      padded,
      ...(after > 0 ? [part(extent - 2, after)] : []),
    ];
    return parts.length === 1 ? padded : concat(parts, axis);
  }, x);
}
