/** @module Images that are read by number: all that training, measuring and drawing know of a data set. */

/** Images of one size. */
export interface ImageSource {
  /** 3 (red, green, blue) or 1 (grey). */
  readonly channels: 1 | 3;
  /** Pixels. */
  readonly height: number;
  /** Pixels. */
  readonly width: number;
  /** Number of images. */
  readonly count: number;
  /** Class of each image `[count]`, where there are classes. */
  readonly labels?: Uint8Array;
  /**
   * Writes image `index` as `[channels, height, width]` in [-1, 1] into `into` from `offset` on, mirrored left to right
   * when `flip`.
   */
  read(index: number, flip: boolean, into: Float32Array, offset: number): void;
}
