/**
 * @module What a mask marks. Without transparency, what is lighter than middle gray, in any colour. With transparency, what
 * is painted, in any colour, black too; where black and white are both painted, what is white. Colours under alpha 0 say
 * nothing. What can be read both ways is refused.
 */
import { UserError } from "onnxgrad";
import { type Picture, peakOf, strideOf } from "./picture.ts";

/** The marked pixels of a mask. */
export interface Marked {
  readonly height: number;
  readonly width: number;
  /** 1 where a pixel is marked, else 0: [height, width]. */
  readonly pixels: Uint8Array;
  readonly count: number;
  /** What looks like a mistake, one line each. */
  readonly notes: readonly string[];
}

/** Lightness below and above which paint is black and white, of full intensity. */
const [BLACK, WHITE] = [1 / 4, 3 / 4];
/** Share of pixels neither black nor white above which a mask looks like a photograph. */
const PHOTOGRAPH = 1 / 4;

/**
 * The pixels that a mask marks.
 * @throws UserError `restoration/mask` for one that marks nothing or everything, or whose alpha can be read both ways.
 */
export function markedOf(mask: Picture): Marked {
  const { height, width } = mask;
  const opacity = opacityRange(mask);
  const fail = (message: string): UserError => new UserError("restoration/mask", message);
  if (opacity.most === 0)
    throw fail(
      "the mask marks nothing: its alpha is 0 everywhere. Paint what is to be filled in, or save it without alpha.",
    );
  // Alpha that is much the same everywhere tells nothing apart.
  const transparent = opacity.least <= opacity.most / 2;
  const painted = transparent ? opacity.most / 2 : -1;
  const tones = tonesOf(mask, painted);
  const byPaint = transparent && !(tones.gray && tones.blacks > 0 && tones.whites > 0 && tones.plain);
  const { pixels, count } = select(mask, painted, byPaint ? -1 : peakOf(mask) / 2);
  const area = height * width;
  if (count === 0)
    throw fail(
      "the mask marks nothing: it is dark everywhere. Paint white what is to be filled in, or paint it on transparency.",
    );
  if (count === area)
    throw fail("the mask marks the whole picture: it is light everywhere. Paint black what is to be kept.");
  const share = `${Math.round((100 * count) / area)} %`;
  if (byPaint && count > area / 2)
    throw fail(
      `the mask has alpha, and ${share} of it is painted: what is painted would be filled in, not what is transparent. Save ` +
        `it without alpha, white where to fill in and black elsewhere.`,
    );
  const notes = [
    ...(!byPaint && !tones.plain
      ? [
          "much of the mask is neither black nor white, as in a photograph; what is lighter than middle gray is filled in.",
        ]
      : []),
    ...(!byPaint && count > area / 2
      ? [`the mask marks ${share} of the picture: white is filled in, black is kept.`]
      : []),
  ];
  return { height, width, pixels, count, notes };
}

function opacityRange(mask: Picture): { readonly least: number; readonly most: number } {
  const peak = peakOf(mask);
  if (!mask.alpha) return { least: peak, most: peak };
  const { samples } = mask;
  let [least, most] = [peak as number, 0];
  for (let i = mask.colours; i < samples.length; i += mask.colours + 1) {
    least = Math.min(least, samples[i]!);
    most = Math.max(most, samples[i]!);
  }
  return { least, most };
}

/** What is found where alpha is above `painted`. */
interface Tones {
  readonly gray: boolean;
  readonly blacks: number;
  readonly whites: number;
  /** Whether nearly all is black or white. */
  readonly plain: boolean;
}

function tonesOf(mask: Picture, painted: number): Tones {
  const { samples, colours } = mask;
  const [stride, peak] = [strideOf(mask), peakOf(mask)];
  let [gray, blacks, whites, total] = [true, 0, 0, 0];
  for (let at = 0; at < samples.length; at += stride) {
    if (mask.alpha && samples[at + colours]! <= painted) continue;
    const lightness = lightnessAt(mask, at);
    total++;
    if (lightness < BLACK * peak) blacks++;
    else if (lightness > WHITE * peak) whites++;
    if (colours === 3 && lightness - Math.min(samples[at]!, samples[at + 1]!, samples[at + 2]!) > peak / 8)
      gray = false;
  }
  return { gray, blacks, whites, plain: total - blacks - whites <= PHOTOGRAPH * total };
}

/** The strongest channel: paint of any full colour is light. */
function lightnessAt({ samples, colours }: Picture, at: number): number {
  return colours === 1 ? samples[at]! : Math.max(samples[at]!, samples[at + 1]!, samples[at + 2]!);
}

/** What is more opaque than `painted` and lighter than `light`. */
function select(mask: Picture, painted: number, light: number): Pick<Marked, "pixels" | "count"> {
  const { height, width, samples, colours } = mask;
  const stride = strideOf(mask);
  const pixels = new Uint8Array(height * width);
  let count = 0;
  for (let i = 0, at = 0; i < pixels.length; i++, at += stride) {
    if (mask.alpha && samples[at + colours]! <= painted) continue;
    if (lightnessAt(mask, at) <= light) continue;
    pixels[i] = 1;
    count++;
  }
  return { pixels, count };
}
