/** @module Whether a size fits the number of wavelet levels. */
import { UserError } from "onnxgrad";

/** @throws UserError unless both extents are multiples of 2^levels. */
export function requireMultiple(height: number, width: number, levels: number): void {
  const unit = 2 ** levels;
  if (height % unit === 0 && width % unit === 0 && Math.min(height, width) / unit >= 2) return;
  const near = (n: number) => Math.max(2 * unit, Math.round(n / unit) * unit);
  throw new UserError(
    "config/size",
    `size: ${height}x${width} does not fit ${levels} wavelet levels (multiples of ${unit}, at least ${2 * unit}). ` +
      `Use --size ${near(height)}x${near(width)} or fewer --levels.`,
  );
}
