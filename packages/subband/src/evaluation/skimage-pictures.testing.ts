/**
 * @module For tests of picture metrics: pictures by formula, and what scikit-image 0.19.3 says of them:
 * `peak_signal_noise_ratio(a, b, data_range=1)`, and the mean over channels of `structural_similarity(a[c], b[c],
 * gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1)`, both in float64.
 */
import type { PlanarShape } from "./ssim.ts";

/** Two pictures [channels, height, width] and what is known of them. */
export interface PicturePair {
  readonly shape: PlanarShape;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly psnr: number;
  readonly ssim: number;
}

/** The smallest that has a window, a grey and a colour one. */
export function pictures(): PicturePair[] {
  return [
    pair([1, 11, 11], 23.031821754811197, 0.9217646629400734),
    pair([1, 19, 27], 23.01580204026663, 0.8753498448474262),
    pair([3, 24, 17], 23.01076167049373, 0.9046901282979031),
  ];
}

function pair(shape: PlanarShape, psnr: number, ssim: number): PicturePair {
  const [channels, height, width] = shape;
  const a = new Float64Array(channels * height * width);
  const b = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) {
    const [x, row] = [i % width, Math.floor(i / width)];
    const [y, k] = [row % height, Math.floor(row / height)];
    a[i] = 0.5 + 0.3 * Math.sin(0.31 * x + 0.17 * y * (k + 1) + 1) + 0.15 * Math.cos(0.7 * y - 0.4 * x + k);
    b[i] = a[i]! + 0.1 * Math.sin(1.3 * x + 0.9 * y);
  }
  return { shape, a, b, psnr, ssim };
}
