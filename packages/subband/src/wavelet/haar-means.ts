/**
 * @module One Haar level normalised so that the low-pass band is the local mean: orthonormal coefficients halved, so
 * pixels in [0, 1] give a low-pass in [0, 1] and details in [-0.5, 0.5] at every level (Kadkhodaie et al. 2023). White
 * noise of deviation s becomes s / 2 in every band.
 */
import { UserError } from "onnxgrad";
import { splitDetails, stackDetails } from "./bands.ts";
import type { Details } from "./dwt.ts";
import { joinBlocks, splitBlocks } from "./haar.ts";
import { allocate, type Planes, planes, type Samples, sameShape, splitShape } from "./planes.ts";

/** The bands of one level: means [..., c, h, w], and details [..., 3c, h, w] in the order of `stackDetails`. */
export interface HaarMeans<T extends Samples = Samples> {
  readonly low: Planes<T>;
  readonly details: Planes<T>;
}

/**
 * Analyses images [..., c, h, w] of even height and width: means `(a+b+c+d) / 4` of the blocks [[a, b], [c, d]], and
 * details cH = `(a+b-c-d) / 4`, cV = `(a-b+c-d) / 4`, cD = `(a-b-c+d) / 4`.
 * @throws UserError `wavelet/shape` for odd or too few sizes.
 */
export function splitMeans<T extends Samples>(x: Planes<T>): HaarMeans<T> {
  const { leading, last } = splitShape(x, 2, "splitMeans");
  const [height, width] = last as [number, number];
  if (height % 2 !== 0 || width % 2 !== 0)
    throw new UserError(
      "wavelet/shape",
      `splitMeans needs even height and width; got shape [${x.shape.join(", ")}]. Pad or crop by a row or column.`,
    );
  const shape = [...leading, height / 2, width / 2];
  const band = (): T => allocate(x.data, x.data.length / 4);
  const [cA, cH, cV, cD] = [band(), band(), band(), band()];
  splitBlocks(x.data, width / 2, cA, cH, cV, cD);
  for (const values of [cA, cH, cV, cD]) scale(values, 0.5);
  const details: Details<T> = [planes(cH, shape), planes(cV, shape), planes(cD, shape)];
  return { low: planes(cA, shape), details: stackDetails(details) };
}

/**
 * Inverts {@link splitMeans}.
 * @throws UserError `wavelet/shape` when the details are not three bands of the low-pass' shape.
 */
export function joinMeans<T extends Samples>({ low, details }: HaarMeans<T>): Planes<T> {
  const [cH, cV, cD] = splitDetails(details);
  sameShape("joinMeans", { low, cH, cV, cD });
  const { leading, last } = splitShape(low, 2, "joinMeans");
  const [height, width] = last as [number, number];
  const x = allocate(low.data, 4 * low.data.length);
  joinBlocks(low.data, cH.data, cV.data, cD.data, width, x);
  scale(x, 2);
  return planes(x, [...leading, 2 * height, 2 * width]);
}

function scale(values: Samples, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * factor;
}
