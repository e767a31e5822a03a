/** @module Images continued beyond all four borders by mirroring, with their last rows and columns repeated, as graph. */
import { concat, flip, narrow, type Tensor } from "onnxgrad";

/** x [n, c, h, w] with `margin` mirrored pixels at each border, however many: [n, c, h + 2 margin, w + 2 margin]. */
export function mirrorAround(x: Tensor, margin: number): Tensor {
  return mirrorAxis(mirrorAxis(x, 2, margin), 3, margin);
}

/** What {@link mirrorAround} continued. */
export function cropAround(x: Tensor, margin: number): Tensor {
  if (margin === 0) return x;
  const [h, w] = x.shape.slice(2) as [number, number];
  return narrow(narrow(x, 2, margin, h - 2 * margin), 3, margin, w - 2 * margin);
}

function mirrorAxis(x: Tensor, axis: number, margin: number): Tensor {
  if (margin === 0) return x;
  const extent = x.shape[axis]!;
  const step = Math.min(margin, extent);
  const mirrored = (start: number): Tensor => flip(narrow(x, axis, start, step), [axis]);
  return mirrorAxis(concat([mirrored(0), x, mirrored(extent - step)], axis), axis, margin - step);
}
