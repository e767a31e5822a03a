/** @module Images that are measured before a training: some from all over the set, one at a time. */
import type { ImageSource } from "../../images/image-source.ts";

/** Images whose bands are measured, at most. */
const MOST = 10_000;

/** Images to measure. */
export interface MeasuredImages {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  readonly count: number;
  /** Image `index` of `count`, [channels, height, width] in [-1, 1]; the array is used again by the next. */
  read(index: number): Float32Array;
}

/** Up to `most` images from all over `images`, whose neighbours may be alike. */
export function measuredImages(images: ImageSource, most: number = MOST): MeasuredImages {
  const { channels, height, width } = images;
  const count = Math.min(images.count, most);
  const image = new Float32Array(channels * height * width);
  return {
    ...{ channels, height, width, count },
    read(index) {
      images.read(Math.floor((index * images.count) / count), false, image, 0);
      return image;
    },
  };
}
