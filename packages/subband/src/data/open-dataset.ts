/**
 * @module Opens a data set by name or path: a folder, a zip or tar, `cifar10` or `faces`. Decoding happens once; the
 * result is kept in the user's cache folder and opened from there until the files or the options change.
 */
import { availableParallelism } from "node:os";
import { UserError } from "onnxgrad";
import { getCifar10 } from "./cifar10.ts";
import { mapConcurrent } from "./concurrent.ts";
import { type DatasetOptions, type Recipe, recipeOf } from "./dataset-recipes.ts";
import { createDataset, type Dataset, type DatasetContents, describeSkipped } from "./dataset.ts";
import type { ImageShape, SkipReason } from "./decode-image.ts";
import { cacheFolder, cachePath, fingerprint, readCache, writeCache } from "./pixel-cache.ts";

/** Part of every cache key: raise it when the same files would decode to other pixels. */
const DECODER_VERSION = 1;
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
  const cached = await readCache(path);
  if (cached !== undefined) return createDataset(cached);

  const contents = await decodeAll(recipe, source, shape, options);
  try {
    await writeCache(path, contents);
  } catch (error) {
    options.onWarning?.(`cannot cache "${source}": ${String(error)}; it will be decoded again next time.`);
  }
  return createDataset(contents);
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
  const results: (Uint8Array | SkipReason | undefined)[] = await mapConcurrent(
    recipe.images,
    // Two a core: one decodes while another waits for the disk or hands over its result.
    2 * availableParallelism(),
    async (load) => {
      const image = await load();
      if (typeof image !== "string") bytes += image.length;
      if (bytes > MAX_BYTES)
        throw new UserError(
          "data/too-large",
          `too many images: "${source}" is over ${MAX_BYTES / 2 ** 30} GiB at ${shape.height} x ${shape.width}; ` +
            `use a smaller size or a limit.`,
        );
      options.onProgress?.({ stage, unit: "images", done: ++done, total });
      return image;
    },
  );

  const skipped: Record<string, number> = {};
  for (const result of [...recipe.skipped, ...results])
    if (typeof result === "string") skipped[result] = (skipped[result] ?? 0) + 1;
  if (bytes === 0) throw noImages(source, results.length, skipped);

  const pixels = new Uint8Array(bytes);
  let at = 0;
  for (let i = 0; i < results.length; i++) {
    const image = results[i];
    results[i] = undefined; // frees the copy as we go
    if (image === undefined || typeof image === "string") continue;
    pixels.set(image, at);
    at += image.length;
  }
  const { name, licence, credit, labels } = recipe;
  const { channels, height, width } = shape;
  return {
    name,
    channels,
    height,
    width,
    pixels,
    ...(labels && { labels }),
    licence,
    credit,
    skipped,
    fingerprint: fingerprint(pixels, labels),
  };
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
