/**
 * @module Opens a data set by name or path: a folder, a zip or tar, `cifar10` or `faces`. Decoding happens once; the
 * result is kept in the user's cache folder and opened from there until the files or the options change.
 */
import { availableParallelism } from "node:os";
import { inSlices } from "onnxgrad";
import { UserError } from "onnxgrad/errors";
import { getCifar10 } from "./cifar10.ts";
import { mapConcurrent } from "./concurrent.ts";
import { type DatasetOptions, type Recipe, recipeOf } from "./dataset-recipes.ts";
import { createDataset, type Dataset, type DatasetContents } from "./dataset.ts";
import type { ImageShape } from "./decode-image.ts";
import type { SkipReason } from "./skip-reason.ts";
import type { SkippedFile } from "./image-folder.ts";
import type { Patches } from "./picture-patches.ts";
import { cacheFolder, cachePath, fingerprinting, readCache, writeCache } from "./pixel-cache.ts";
import {
  describeSkipped,
  describeSkippedFiles,
  type Leftovers,
  mergeLeftovers,
  tallySkipped,
} from "./skipped.ts";

/** Part of every cache key: raise it when the same files would decode to other pixels. */
const DECODER_VERSION = 5;
const MAX_SIDE = 4096;
/** The largest typed array of Node 20. */
const MAX_BYTES = 2 ** 32;

/**
 * Opens the data set `source`: a folder (with its subfolders), a .zip, .tar or .tar.gz, `cifar10` or `faces`. Images are
 * scaled to cover `size` and cropped at the centre (see decode-image), or cut into patches. Bad ones are skipped and counted by reason.
 * @throws UserError `data/missing`, `data/not-images`, `data/empty`, `data/none-left`, `data/bad-size`,
 * `data/too-large`, `data/download`.
 *
 * @example
 * const dataset = await openDataset("faces", { size: { height: 64, width: 64 } });
 */
export async function openDataset(source: string, options: DatasetOptions = {}): Promise<Dataset> {
  const shape = shapeOf(source, options);
  const native = source === "cifar10" && shape.channels === 3 && shape.height === 32 && shape.width === 32;
  if (native && options.limit === undefined) return (await getCifar10(options))[options.split ?? "train"];

  const recipe = await recipeOf(source, shape, options);
  const { limit, patches } = options;
  const identity = { ...shape, limit, patches, decoder: DECODER_VERSION, source: recipe.identity };
  const path = cachePath(options.cacheDir ?? cacheFolder(), recipe.name, identity);
  let contents = await readCache(path);
  if (contents === undefined) {
    contents = await decodeAll(recipe, source, shape, options);
    try {
      await writeCache(path, contents);
    } catch (error) {
      options.onWarning?.(`cannot cache "${source}": ${String(error)}; it will be decoded again next time.`);
    }
  }
  const leftovers = mergeLeftovers(tallySkipped(recipe.skipped), contents);
  warnOfSkipped(source, leftovers, options);
  return createDataset({ ...contents, ...leftovers });
}

/** Reasons that are no loss: what has them was never meant as data. */
const HARMLESS: ReadonlySet<string> = new Set(["not an image file"]);

function warnOfSkipped(source: string, { skipped, skippedNames }: Leftovers, options: DatasetOptions): void {
  const told = Object.entries(skipped).filter(([reason]) => !HARMLESS.has(reason));
  if (told.length === 0) return;
  const files = describeSkippedFiles({ skipped: Object.fromEntries(told), skippedNames });
  options.onWarning?.(`left out of "${source}": ${files.join("; ")}.`);
}

function shapeOf(source: string, options: DatasetOptions): ImageShape {
  const side = source === "cifar10" ? 32 : 64;
  const { height, width } = options.size ?? { height: side, width: side };
  for (const n of [height, width])
    if (!Number.isInteger(n) || n < 1 || n > MAX_SIDE)
      throw new UserError(
        "data/bad-size",
        `bad image size: ${height} x ${width}; both sides must be whole numbers in 1..${MAX_SIDE}.`,
      );
  return { channels: options.channels ?? 3, height, width };
}

async function decodeAll(
  recipe: Recipe,
  source: string,
  shape: ImageShape,
  options: DatasetOptions,
): Promise<DatasetContents> {
  const { stage, total } = recipe;
  let done = 0;
  let bytes = 0;
  const results: Result[] = await mapConcurrent(
    recipe.images,
    // Two a core: one decodes while another waits for the disk or hands over its result.
    2 * availableParallelism(),
    async ({ name, load }) => {
      const loaded = await load();
      const found = loaded instanceof Uint8Array ? { pixels: loaded } : loaded;
      if (typeof found !== "string") bytes += found.pixels.length;
      if (bytes > MAX_BYTES)
        throw new UserError(
          "data/too-large",
          `too many images: "${source}" is over ${MAX_BYTES / 2 ** 30} GiB at ${shape.height} x ${shape.width}; ` +
            `use a smaller size or a limit.`,
        );
      options.onProgress?.({ stage, unit: "images", done: ++done, total });
      return { name, found };
    },
  );

  const used = withoutRuns(results, recipe.runs ?? new Set());
  const leftovers = tallySkipped(used.skipped);
  if (used.images.length === 0)
    throw noImages(source, results.length, mergeLeftovers(tallySkipped(recipe.skipped), leftovers).skipped);
  results.length = 0; // so that joining frees images as it goes
  const { name, licence, credit, labels } = recipe;
  const { channels, height, width } = shape;
  const { pixels, pictures } = joined(used.images, channels * height * width);
  return {
    name,
    channels,
    height,
    width,
    pixels,
    ...(labels && { labels }),
    ...(pictures && { pictures }),
    licence,
    credit,
    ...leftovers,
    fingerprint: await inSlices(fingerprinting(pixels, labels)),
  };
}

/** What became of one file. */
interface Result {
  readonly name: string;
  readonly found: Found | SkipReason;
}

/** An image, or the patches of a picture. */
type Found = { readonly pixels: Uint8Array } | Patches;

/** Images and left-out files apart; what lies in the folder of a run is left out as that one folder. */
function withoutRuns(
  results: readonly Result[],
  runs: ReadonlySet<string>,
): { readonly images: Found[]; readonly skipped: readonly SkippedFile[] } {
  const images: Found[] = [];
  const skipped: SkippedFile[] = [...runs].map((name) => ({ name, reason: "folder of a run" }));
  for (const { name, found } of results)
    if ([...runs].some((run) => run === "." || name.startsWith(`${run}/`))) continue;
    else if (typeof found === "string") skipped.push({ name, reason: found });
    else images.push(found);
  return { images, skipped };
}

/** All pixels in a row and, of patches, the number of each one's picture. Empties `images`. */
function joined(
  images: Found[],
  imageSize: number,
): { readonly pixels: Uint8Array; readonly pictures?: Uint32Array } {
  const pixels = new Uint8Array(images.reduce((total, image) => total + image.pixels.length, 0));
  const numbers = new Map<string, number>();
  const pictures: number[] = [];
  let at = 0;
  images.reverse();
  for (let image = images.pop(); image !== undefined; image = images.pop()) {
    pixels.set(image.pixels, at); // popped, its copy is free to go
    at += image.pixels.length;
    if (!("picture" in image)) continue;
    const number = numbers.get(image.picture) ?? numbers.size;
    numbers.set(image.picture, number);
    for (let n = image.pixels.length / imageSize; n > 0; n--) pictures.push(number);
  }
  return { pixels, ...(numbers.size > 0 && { pictures: Uint32Array.from(pictures) }) };
}

function noImages(source: string, tried: number, skipped: Record<string, number>): UserError {
  const formats = "JPEG, PNG, WebP, AVIF, GIF or TIFF";
  const reasons = Object.keys(skipped).length === 0 ? "it is empty" : `skipped: ${describeSkipped(skipped)}`;
  return tried === 0
    ? new UserError("data/empty", `no images in "${source}": ${reasons}. Put ${formats} files there.`)
    : new UserError(
        "data/none-left",
        `no usable image in "${source}": ${reasons}. Put ${formats} files there.`,
      );
}
