/**
 * @module Features by any ONNX file that takes images: an output of it, or any value inside. The file is traced by
 * `importModel`, which runs nothing in it and refuses what it does not know.
 */
import {
  type Backend,
  compile,
  importModel,
  input,
  mean,
  quoteName,
  type Tensor,
  turnOfEventLoop,
  UserError,
} from "onnxgrad";
import type { FeatureExtractor, OpenFeatures } from "./feature-extractor.ts";
import { asInput, type ImageInput, imageInput, type PixelRange } from "./image-input.ts";
import { runInBatches } from "./run-in-batches.ts";

/** How a file is read. */
export interface OnnxFeaturesOptions {
  /** What it is called in reports; default `onnx`. */
  readonly name?: string;
  /** Name of the value to take, any in the graph; default: the first output. */
  readonly layer?: string;
  /** What the file takes pixels as; default `-1..1`. */
  readonly range?: PixelRange;
  /** Pixels a side, for a file that takes any; default: images go in as they are. */
  readonly side?: number;
}

/** Sides that a file of any size is tried on, to find the number of its features. */
const TRIED = [64, 32, 128, 224, 299];

/** A file, ready to be traced on images [n, 3, h, w] in [-1, 1]. */
interface ReadFile {
  readonly port: ImageInput;
  readonly layer: string;
  features(images: Tensor): Tensor;
}

/**
 * Reads an ONNX file with one input of images (`imageInput`) whose value `layer` is [n, d] or, averaged over space,
 * [n, d, h, w].
 * @throws UserError what `importModel` throws; `features/input` when no input takes images; `features/side` when it takes
 * no squares, or no images of `side`; `features/range`; `features/width` when the value is no row of features an image.
 */
export async function onnxFeatures(
  bytes: Uint8Array,
  { name = "onnx", layer, range = "-1..1", side: wanted }: OnnxFeaturesOptions = {},
): Promise<FeatureExtractor> {
  const file = readFile(bytes, layer, range);
  await turnOfEventLoop();
  const side = sideOf(file.port, wanted);
  const dimensions = dimensionsOf(file, side === undefined ? TRIED : [side]);
  await turnOfEventLoop();
  const settings = { layer: file.layer, range, side };
  const digest = await sha256(
    new TextEncoder().encode(JSON.stringify({ file: await sha256(bytes), ...settings })),
  );
  const open = async (backend: Backend, batch: number): Promise<OpenFeatures> =>
    runInBatches({
      ...{ side, dimensions, batch: file.port.batch ?? batch },
      compile: (size, height, width) =>
        compile(backend, { inputs: { images: [size, 3, height, width] } }, ({ images }) => ({
          features: requireRows(file, file.features(images), size, dimensions),
        })),
    });
  return { name, dimensions, side, digest, open };
}

function readFile(bytes: Uint8Array, asked: string | undefined, range: PixelRange): ReadFile {
  const layer = asked ?? importModel(bytes).outputs[0]!;
  const model = importModel(bytes, { outputs: [layer] });
  const port = imageInput(model);
  return {
    port,
    layer,
    features: (images) => {
      const value = model.apply({ [port.name]: asInput(images, port, range) })[layer]!;
      return value.rank === 4 ? mean(value, [2, 3]) : value;
    },
  };
}

/** The one side that images have, where it is fixed. */
function sideOf({ name, height, width }: ImageInput, wanted: number | undefined): number | undefined {
  const [h = wanted, w = wanted] = [height, width];
  if (h === w && (wanted === undefined || h === wanted)) return h;
  throw new UserError(
    "features/side",
    `input ${quoteName(name)} takes images of ${height ?? "any"} x ${width ?? "any"} (height x width), not ` +
      (wanted === undefined ? "squares of a side that is known. " : `of ${wanted} x ${wanted}. `) +
      (height === undefined || width === undefined
        ? `Give the side that it says.`
        : height === width
          ? `Leave the side out.`
          : `Export it for squares.`),
  );
}

/** Features of an image of the first of `sides` that can be traced; the error of the first where none can. */
function dimensionsOf(file: ReadFile, sides: readonly number[]): number {
  const errors: unknown[] = [];
  for (const side of sides)
    try {
      const count = file.port.batch ?? 2;
      const images = input("images", [count, 3, side, side]);
      return requireRows(file, file.features(images), count).shape[1]!;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      errors.push(error);
    }
  throw errors[0];
}

/** The features, when they are a row for each of `count` images, of `dimensions` where that is given. */
function requireRows({ layer }: ReadFile, features: Tensor, count: number, dimensions?: number): Tensor {
  const [n, d] = features.shape;
  if (features.rank === 2 && n === count && (dimensions ?? d) === d && features.dtype === "float32")
    return features;
  throw new UserError(
    "features/width",
    `value ${quoteName(layer)} of ${count} images is [${features.shape.join(",")}], not one row of ` +
      `${dimensions ?? "any number of"} features an image ([n,d], or [n,d,h,w] over space). Name another layer` +
      (dimensions === undefined ? "." : ", or give one side for all images."),
  );
}

/** In hex. */
async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
