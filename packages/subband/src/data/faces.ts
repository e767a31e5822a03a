/**
 * @module `faces`: a data set that needs no download. Cartoon faces drawn from (seed, number) with one DiceBear style,
 * restricted to plain, front-facing, well-aligned features so that a small generator learns them in minutes.
 */
import { createAvatar } from "@dicebear/core";
import * as toonHead from "@dicebear/toon-head";
import { rng } from "onnxgrad/random";

/** Licence of the drawings: this very text belongs to every copy of them. */
export const FACES_LICENCE: string = "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)";

/** Credit of the drawings, as the licence asks for it, with what was changed. */
export const FACES_CREDIT: string =
  "Faces after ToonHead by Johan Melin (https://www.figma.com/community/file/1589627891082866389), CC BY 4.0; " +
  "drawn with DiceBear (https://www.dicebear.com), colours and parts selected, cropped and rendered small by Subband";

/** Faces in the set unless another number is asked for. */
export const FACES_COUNT: number = 4096;

/** The SVG of one face, square. The same (seed, number) always gives the same drawing. */
export function faceSvg(seed: number, number: number, side: number): string {
  // DiceBear hashes its seed weakly: "face 1" and "face 2" share hair and skin. Random words do not.
  const random = rng(seed, "face", number);
  const word = Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, "0")).join("");
  return createAvatar(toonHead, {
    seed: word,
    size: side,
    // Percent: the face fills the frame and keeps its hair.
    scale: 150,
    translateY: 4,
    backgroundColor: ["8cc4ea", "9ad8c3", "f4a9b8", "f6d860", "bda7e6", "eef0f2"],
    skinColor: ["f5cdb0", "e0a883", "c08a5e", "9a6244", "6a4330"],
    hairColor: ["2c1b18", "6b3a24", "c4542a", "ecc766", "8f8f99"],
    eyes: ["happy", "wide"],
    eyebrows: ["raised", "happy", "neutral"],
    mouth: ["laugh", "smile", "agape"],
    beard: ["fullBeard", "chin"],
    beardProbability: 15,
    rearHairProbability: 50,
  }).toString();
}
