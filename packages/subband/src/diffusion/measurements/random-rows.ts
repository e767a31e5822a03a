/**
 * @module Compressive sensing: the measurement by random orthonormal rows. A dense Gaussian matrix made orthonormal (as
 * published) needs n^2 numbers; here the rows are drawn from the Hartley transform of the image with random signs,
 * which is as incoherent and takes n log n (Do, Gan, Nguyen and Tran 2012).
 */
import { rng } from "onnxgrad";
import { hartleyTransform } from "./frequencies.ts";
import {
  chosenEntries,
  extentsSize,
  type ImageExtents,
  type LinearMeasurement,
  shareCount,
} from "./measurement.ts";

/**
 * `floor(share n)` random orthonormal rows, a pure function of the seed.
 * @throws UserError `diffusion/measurement` unless the share is in (0, 1] and keeps at least one value.
 */
export function randomRows(extents: ImageExtents, share: number, seed: number): LinearMeasurement {
  const name = "random rows";
  const size = extentsSize(name, extents);
  const count = shareCount(name, share, size);
  const random = rng(seed, "random-rows-signs");
  const signs = Int8Array.from({ length: size }, () => (random.below(2) === 0 ? 1 : -1));
  const chosen = rng(seed, "random-rows").permutation(size).subarray(0, count).sort();
  const hartley = hartleyTransform(extents);
  const flip = (x: Float64Array): void => {
    for (let i = 0; i < x.length; i++) x[i] = x[i]! * signs[i]!;
  };
  return chosenEntries(name, extents, chosen, {
    forward(x) {
      flip(x);
      hartley.forward(x);
    },
    inverse(x) {
      hartley.inverse(x);
      flip(x);
    },
  });
}
