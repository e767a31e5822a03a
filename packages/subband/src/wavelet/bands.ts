/**
 * @module Where each band of an image's pyramid lives: names and shapes of all bands, the pyramid as one flat vector an
 * image, and the three detail bands stacked as channels, which is how the networks see them.
 */
import { UserError } from "onnxgrad";
import type { BoundaryMode } from "./boundary-modes.ts";
import type { Details } from "./dwt.ts";
import { coefficientLength } from "./filter-bank.ts";
import { allocate, type Planes, planes, sameShape, type Samples, splitShape } from "./planes.ts";
import { checkLevels, type Pyramid2 } from "./wavedec.ts";
import type { WaveletLike } from "./wavelets.ts";

/** PyWavelets' names of the four bands of a level; the WMGM paper's LL, LH, HL, HH, in that order. */
export type BandKind = "cA" | "cH" | "cV" | "cD";

/** The four kinds in the order of every list of bands. */
export const BAND_KINDS: readonly BandKind[] = ["cA", "cH", "cV", "cD"];

/** One band of a `BandLayout`. */
export interface Band {
  /** Kind and level, e.g. `cH1`. */
  readonly name: string;
  readonly kind: BandKind;
  /** 1 is the finest. */
  readonly level: number;
  readonly shape: readonly [channels: number, height: number, width: number];
  /** Where the band begins in the flat vector of {@link packBands}. */
  readonly offset: number;
  /** Number of coefficients: the product of `shape`. */
  readonly size: number;
}

/** All bands of an image's pyramid, from the coarsest: `cA_J, cH_J, cV_J, cD_J, ..., cH_1, cV_1, cD_1`. */
export interface BandLayout {
  readonly bands: readonly Band[];
  /** Coefficients an image; equal to its pixels for periodization of sizes that are multiples of 2^levels. */
  readonly size: number;
}

/**
 * The bands of an image of [channels, height, width] after `levels` levels. With 0 levels the image itself is `cA0`.
 *
 * @example
 * bandLayout([3, 32, 32], 2).bands.map((band) => band.name); // cA2 cH2 cV2 cD2 cH1 cV1 cD1
 * @throws UserError for an unknown wavelet or mode, or `levels` that are not a non-negative integer.
 */
export function bandLayout(
  [channels, height, width]: readonly [channels: number, height: number, width: number],
  levels: number,
  name: WaveletLike = "haar",
  mode: BoundaryMode = "periodization",
): BandLayout {
  const sizes: [h: number, w: number][] = [[height, width]];
  for (let level = 1; level <= checkLevels(levels); level++) {
    const [h, w] = sizes[level - 1]!;
    sizes.push([coefficientLength(h, name, mode), coefficientLength(w, name, mode)]);
  }
  const bands: Band[] = [];
  let offset = 0;
  const place = (kind: BandKind, level: number): void => {
    const [h, w] = sizes[level]!;
    const size = channels * h * w;
    bands.push({ name: `${kind}${level}`, kind, level, shape: [channels, h, w], offset, size });
    offset += size;
  };
  place("cA", levels);
  for (let level = levels; level > 0; level--) for (const kind of BAND_KINDS.slice(1)) place(kind, level);
  return { bands, size: offset };
}

/**
 * The pyramid of images [..., c, h, w] as one vector an image, [..., layout.size], band after band.
 * @throws UserError `wavelet/bands` when the pyramid is not that of the layout.
 */
export function packBands<T extends Samples>(coeffs: Pyramid2<T>, layout: BandLayout): Planes<T> {
  const list: Planes<T>[] = coeffs.flat();
  const { leading, batch } = splitShape(coeffs[0], 3, "packBands");
  const data = allocate(coeffs[0].data, batch * layout.size);
  if (list.length !== layout.bands.length)
    throw new UserError(
      "wavelet/bands",
      `the pyramid has ${list.length} bands, its layout ${layout.bands.length}; use the number of levels of the layout.`,
    );
  for (const [i, { name, shape, offset, size }] of layout.bands.entries()) {
    const band = list[i]!;
    const expected = [...leading, ...shape];
    if (expected.join() !== band.shape.join())
      throw new UserError(
        "wavelet/bands",
        `band ${name} has shape [${band.shape.join(", ")}], its layout [${expected.join(", ")}].`,
      );
    for (let item = 0; item < batch; item++)
      data.set(band.data.subarray(item * size, (item + 1) * size), item * layout.size + offset);
  }
  return { data, shape: [...leading, layout.size] };
}

/**
 * Inverts {@link packBands}.
 * @throws UserError `wavelet/bands` when the last axis is not `layout.size`.
 */
export function unpackBands<T extends Samples>(flat: Planes<T>, layout: BandLayout): Pyramid2<T> {
  const { leading, batch, last } = splitShape(flat, 1, "unpackBands");
  if (last[0] !== layout.size)
    throw new UserError(
      "wavelet/bands",
      `the vectors have ${last[0]} coefficients, their layout ${layout.size}; use the layout they were packed with.`,
    );
  const [cA, ...rest] = layout.bands.map(({ shape, offset, size }): Planes<T> => {
    const data = allocate(flat.data, batch * size);
    for (let item = 0; item < batch; item++) {
      const start = item * layout.size + offset;
      data.set(flat.data.subarray(start, start + size), item * size);
    }
    return { data, shape: [...leading, ...shape] };
  });
  const details: Details<T>[] = [];
  for (let i = 0; i < rest.length; i += 3) details.push([rest[i]!, rest[i + 1]!, rest[i + 2]!]);
  return [cA!, ...details];
}

/**
 * The details of one level, three times [..., c, h, w], as channels [..., 3c, h, w], band by band: channel b * c + i
 * is band b (cH, cV, cD) of image channel i.
 * @throws UserError `wavelet/shape` when they differ in shape or have fewer than three axes.
 */
export function stackDetails<T extends Samples>([cH, cV, cD]: Details<T>): Planes<T> {
  sameShape("stackDetails", { cH, cV, cD });
  const { leading, batch, last } = splitShape(cH, 3, "stackDetails");
  const [c, h, w] = last as [number, number, number];
  const size = c * h * w;
  const data = allocate(cH.data, 3 * batch * size);
  for (let item = 0; item < batch; item++)
    for (const [b, band] of [cH, cV, cD].entries())
      data.set(band.data.subarray(item * size, (item + 1) * size), (3 * item + b) * size);
  return planes(data, [...leading, 3 * c, h, w]);
}

/**
 * Inverts {@link stackDetails}.
 * @throws UserError `wavelet/shape` when the channels are not a multiple of three.
 */
export function splitDetails<T extends Samples>(stacked: Planes<T>): Details<T> {
  const { leading, batch, last } = splitShape(stacked, 3, "splitDetails");
  const [channels, h, w] = last as [number, number, number];
  if (channels % 3 !== 0)
    throw new UserError(
      "wavelet/shape",
      `splitDetails needs a multiple of 3 channels; got shape [${stacked.shape.join(", ")}].`,
    );
  const size = (channels / 3) * h * w;
  const band = (b: number): Planes<T> => {
    const data = allocate(stacked.data, batch * size);
    for (let item = 0; item < batch; item++) {
      const start = (3 * item + b) * size;
      data.set(stacked.data.subarray(start, start + size), item * size);
    }
    return { data, shape: [...leading, channels / 3, h, w] };
  };
  return [band(0), band(1), band(2)];
}
