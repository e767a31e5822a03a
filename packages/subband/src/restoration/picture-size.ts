/** @module The size of a picture from the first bytes of its file, to refuse before any work what cannot come out right. */
import { statSync } from "node:fs";
import sharp from "sharp";
import type { PictureSource } from "./picture.ts";

/** Pixels, upright. */
export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/** The size that `readPicture` will find; undefined where it will not find a picture, and say why. */
export async function pictureSize(source: PictureSource): Promise<PictureSize | undefined> {
  try {
    if (typeof source === "string" && !statSync(source).isFile()) return undefined; // a pipe would be waited for
    const { autoOrient } = await sharp(typeof source === "string" ? source : source.bytes).metadata();
    return { height: autoOrient.height, width: autoOrient.width };
  } catch {
    return undefined;
  }
}
