/** @module Why a file, an archive entry or a picture is left out: words that are counted, shown and kept in caches. */

/** Why a file or an archive entry is left out. */
export type SkipReason =
  | "animated"
  | "another input"
  | "archive damaged"
  | `compressed over ${number}:1`
  | "corrupt or truncated"
  | "empty file"
  | "encrypted"
  | "folder of a run"
  | "format not supported"
  | "hidden file"
  | "link"
  | "linked folder"
  | "name not in UTF-8"
  | "not an image file"
  | `over ${number} MB`
  | `over ${number} megapixels`
  | "own output"
  | "overlaps another entry"
  | "same name as another"
  | "smaller than a patch"
  | "unreadable"
  // What reading refuses, see read-picture.ts.
  | "several pages"
  | `${string} samples`
  | `${number} channels`
  | "CIE Lab"
  | "HDR"
  | "premultiplied alpha"
  | "other primaries without a profile"
  | "other gamma without a profile";

/** Images above this many pixels are refused: a small file can claim a huge size (decompression bomb). */
export const MAX_PIXELS = 128e6;

/** Files above this many bytes are refused. */
export const MAX_FILE_BYTES = 256e6;

/** The reason given for a file over {@link MAX_FILE_BYTES}. */
export const OVER_BYTES: SkipReason = `over ${MAX_FILE_BYTES / 1e6} MB`;

/** The reason given for an image over {@link MAX_PIXELS}. */
export const OVER_PIXELS: SkipReason = `over ${MAX_PIXELS / 1e6} megapixels`;
