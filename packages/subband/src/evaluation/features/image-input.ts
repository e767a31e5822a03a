/** @module The input of an ONNX file that takes images: which one it is, and what becomes of images on the way to it. */
import {
  add,
  constant,
  type ImportedInput,
  type ImportedModel,
  mul,
  quoteName,
  sum,
  type Tensor,
  transpose,
  unknownName,
  UserError,
} from "onnxgrad";

/** Mean and deviation of red, green and blue, in 0..1, by which networks for ImageNet are fed. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] } as const;
/** Weights of red, green and blue in grey, Rec. 601. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** What a file takes pixels as; `imagenet` is 0..1 less the mean of ImageNet, over its deviation, channel by channel. */
export type PixelRange = "-1..1" | "0..1" | "0..255" | "imagenet";

/** Each range as factor and offset of every channel in [-1, 1]. */
const RANGES: Readonly<Record<PixelRange, readonly { readonly factor: number; readonly offset: number }[]>> =
  {
    "-1..1": [1, 1, 1].map((factor) => ({ factor, offset: 0 })),
    "0..1": [0.5, 0.5, 0.5].map((factor) => ({ factor, offset: 0.5 })),
    "0..255": [127.5, 127.5, 127.5].map((factor) => ({ factor, offset: 127.5 })),
    imagenet: IMAGENET.deviation.map((deviation, i) => ({
      factor: 0.5 / deviation,
      offset: (0.5 - IMAGENET.mean[i]!) / deviation,
    })),
  };

/** Names of all {@link PixelRange}s. */
export const PIXEL_RANGES: readonly PixelRange[] = Object.keys(RANGES) as PixelRange[];

/** @throws UserError `unknown/range-of-pixels`. */
export function pixelRangeNamed(name: string): PixelRange {
  if (!Object.hasOwn(RANGES, name)) throw unknownName("range of pixels", name, PIXEL_RANGES);
  return name as PixelRange;
}

/** An input that takes images. */
export interface ImageInput {
  readonly name: string;
  /** Images at a time; undefined where any number is. */
  readonly batch: number | undefined;
  readonly channels: 1 | 3;
  /** Whether channels come last, [n, h, w, c]. */
  readonly channelsLast: boolean;
  /** Pixels; undefined where any extent is taken. */
  readonly height: number | undefined;
  readonly width: number | undefined;
}

/**
 * The only input of four dimensions with 1 or 3 channels: [n, c, h, w] where the second may be that, else [n, h, w, c].
 * Channels that are left open are taken for 3, in the second place.
 * @throws UserError `features/input` when there is none, or more than one.
 */
export function imageInput({ inputs }: Pick<ImportedModel, "inputs">): ImageInput {
  const found = inputs.flatMap((port) => imagePort(port) ?? []);
  const [first] = found;
  if (found.length === 1) return first!;
  const listed = inputs.map(
    ({ name, shape }) => `${quoteName(name)} [${shape.map((n) => n ?? "any").join(",")}]`,
  );
  throw new UserError(
    "features/input",
    `the file has ${found.length === 0 ? "no input" : `${found.length} inputs`} of images [n,c,h,w] or [n,h,w,c] with 1 or 3 channels, in float32; ` +
      `exactly one is needed. It takes ${listed.length === 0 ? "nothing" : listed.join(", ")}.`,
  );
}

const isChannels = (n: number | undefined): n is 1 | 3 => n === 1 || n === 3;

function imagePort({ name, dtype, shape }: ImportedInput): ImageInput | undefined {
  if (dtype !== "float32" || shape.length !== 4) return undefined;
  const [batch, second, third, last] = shape as readonly [(number | undefined)?, number?, number?, number?];
  if (!isChannels(second) && isChannels(last))
    return { name, batch, channels: last, channelsLast: true, height: second, width: third };
  const channels = second ?? 3;
  if (!isChannels(channels)) return undefined;
  return { name, batch, channels, channelsLast: false, height: third, width: last };
}

/**
 * Images [n, 3, h, w] in [-1, 1] as an input takes them: in its range, as luma (Rec. 601) where it has one channel.
 * @throws UserError `features/range` when that range is of other channels.
 */
export function asInput(images: Tensor, { channels, channelsLast }: ImageInput, range: PixelRange): Tensor {
  const scales = RANGES[range];
  if (channels === 1 && new Set(scales.map(({ factor }) => factor)).size > 1)
    throw new UserError(
      "features/range",
      `range of pixels: "${range}" is of 3 channels, and the file takes images of 1. Choose another.`,
    );
  const ofChannels = (values: readonly number[]) => constant(values, [1, values.length, 1, 1]);
  const colours = channels === 3 ? images : sum(mul(images, ofChannels(LUMA)), [1], { keepDims: true });
  const [factors, offsets] = [scales.map(({ factor }) => factor), scales.map(({ offset }) => offset)];
  const fed =
    range === "-1..1"
      ? colours
      : add(mul(colours, ofChannels(factors.slice(0, channels))), ofChannels(offsets.slice(0, channels)));
  return channelsLast ? transpose(fed, [0, 2, 3, 1]) : fed;
}
