/**
 * @module From the name or path of a data set to how its images are had: what identifies it for the cache, its licence,
 * and one loader an image. Lists and stamps only; nothing is decoded here.
 */
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { didYouMean, UserError } from "onnxgrad/errors";
import { archiveImages, archiveKind, type ArchiveKind } from "./archive.ts";
import { getCifar10 } from "./cifar10.ts";
import type { OnProgress } from "./concurrent.ts";
import { decodeImage, drawSvg, type ImageShape, refit } from "./decode-image.ts";
import type { SkipReason } from "./skip-reason.ts";
import { FACES_COUNT, FACES_CREDIT, FACES_LICENCE, faceSvg } from "./faces.ts";
import {
  classifyName,
  fileStamp,
  listImageFolder,
  type ListOptions,
  runFolderOf,
  type SkippedFile,
} from "./image-folder.ts";
import { cutPatches, type Patches } from "./picture-patches.ts";

/** Options of opening a data set. */
export interface DatasetOptions extends ListOptions {
  /** Pixels every image is brought to. Default 64 x 64; for `cifar10` its own 32 x 32. */
  readonly size?: { readonly height: number; readonly width: number } | undefined;
  /** 3 = colour, 1 = grey. Default 3. */
  readonly channels?: 1 | 3 | undefined;
  /** Look at the first so many images only. For `faces` the number drawn, default 4096. */
  readonly limit?: number | undefined;
  /**
   * Instead of bringing each picture to `size`, cut up to so many patches of that size from it; see picture-patches.
   * Folders and archives only; `limit` counts pictures then.
   */
  readonly patches?: number | undefined;
  /** Part of `cifar10`. Default `train`. */
  readonly split?: "train" | "test" | undefined;
  /** Which `faces` are drawn. Default 0. */
  readonly seed?: number | undefined;
  /** Where decoded sets are kept. Default the cache folder of the user. */
  readonly cacheDir?: string | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Told, in one line, of what went wrong without being fatal. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Data sets known by name; a folder of the same name is written `./faces`. */
export const KNOWN_DATASETS: readonly string[] = ["cifar10", "faces"];

/** A set that can be decoded: what names it, and how its images are had. */
export interface Recipe {
  readonly name: string;
  readonly licence: string;
  readonly credit: string;
  /** Plain JSON that changes when the images change. */
  readonly identity: unknown;
  readonly stage: "decode" | "draw";
  readonly total: number | undefined;
  readonly images: AsyncIterable<Loader> | Iterable<Loader>;
  /** What was left out before anything is decoded; found anew each time, and so never cached. */
  readonly skipped: readonly SkippedFile[];
  /** Folders of runs in an archive, whose images are our own and no data; known once all `images` have been listed. */
  readonly runs?: ReadonlySet<string>;
  readonly labels?: Uint8Array;
}

/** How one file becomes an image, or several patches. */
export interface Loader {
  /** Path inside the folder or archive. */
  readonly name: string;
  /** The image in the wanted shape, or patches of a picture, or why not. */
  load(): Promise<Uint8Array | Patches | SkipReason>;
}

/** How to decode `source` to `shape`. @throws UserError `data/missing`, `data/not-images`, `data/download`. */
export async function recipeOf(source: string, shape: ImageShape, options: DatasetOptions): Promise<Recipe> {
  if (options.patches !== undefined && KNOWN_DATASETS.includes(source))
    throw new UserError(
      "data/no-patches",
      `patches of "${source}": its images are small and of one size. Give a folder or an archive of pictures.`,
    );
  if (source === "faces") return facesRecipe(shape, options);
  if (source === "cifar10") return cifar10Recipe(shape, options);

  const status = await stat(source, { bigint: true }).catch(() => undefined);
  if (status === undefined) {
    const near = didYouMean(source, KNOWN_DATASETS);
    const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
    throw new UserError(
      "data/missing",
      `no such data: "${source}".${hint} Give a folder of images, a .zip or .tar of them, or one of: ${KNOWN_DATASETS.join(", ")}.`,
    );
  }
  const own = {
    name: basename(resolve(source)),
    licence: "of the images' owners",
    credit: `images of ${basename(resolve(source))}`,
  };
  if (status.isDirectory()) {
    const { files, stamp, skipped } = await listImageFolder(source, options);
    const used = files.slice(0, options.limit);
    const images = used.map(({ name, use }): Loader => ({
      name,
      load: () => use((bytes) => decode(bytes, name, shape, options)),
    }));
    return {
      ...own,
      identity: [resolve(source), stamp],
      stage: "decode",
      total: used.length,
      images,
      skipped,
    };
  }
  const archive = status.isFile() ? await archiveKind(source) : undefined;
  if (archive === undefined)
    throw new UserError(
      "data/not-images",
      `not a folder or archive: "${source}". Give a folder of images, or a .zip, .tar or .tar.gz of them.`,
    );
  const runs = new Set<string>();
  return {
    ...own,
    identity: [resolve(source), ...fileStamp(status)],
    stage: "decode",
    total: undefined,
    images: archiveLoaders(source, archive, shape, options, runs),
    skipped: [],
    runs,
  };
}

async function* archiveLoaders(
  path: string,
  kind: ArchiveKind,
  shape: ImageShape,
  options: DatasetOptions,
  runs: Set<string>,
): AsyncGenerator<Loader> {
  let left = options.limit ?? Infinity;
  for await (const { name, use } of archiveImages(path, kind)) {
    if (classifyName(name) === "image" && left-- <= 0) return;
    const run = runFolderOf(name);
    if (run !== undefined) runs.add(run);
    yield { name, load: () => use((bytes) => decode(bytes, name, shape, options)) };
  }
}

async function decode(
  bytes: Uint8Array | SkipReason,
  name: string,
  shape: ImageShape,
  { patches }: DatasetOptions,
): Promise<Uint8Array | Patches | SkipReason> {
  if (typeof bytes === "string") return bytes;
  return patches === undefined
    ? decodeImage(bytes, shape)
    : cutPatches(bytes, shape, { most: patches, name });
}

function facesRecipe(shape: ImageShape, options: DatasetOptions): Recipe {
  const { seed = 0, limit: total = FACES_COUNT } = options;
  const side = Math.max(shape.height, shape.width);
  return {
    name: "faces",
    licence: FACES_LICENCE,
    credit: FACES_CREDIT,
    identity: ["faces", seed, total],
    stage: "draw",
    total,
    images: Array.from({ length: total }, (_, i) => ({
      name: `face ${i}`,
      load: async () => drawSvg(faceSvg(seed, i, side), shape),
    })),
    skipped: [],
  };
}

async function cifar10Recipe(shape: ImageShape, options: DatasetOptions): Promise<Recipe> {
  const whole = (await getCifar10(options))[options.split ?? "train"];
  const total = Math.min(whole.count, options.limit ?? whole.count);
  const image = (i: number): Uint8Array => whole.pixels.subarray(i * 3072, (i + 1) * 3072);
  return {
    name: whole.name,
    licence: whole.licence,
    credit: whole.credit,
    identity: whole.fingerprint,
    stage: "decode",
    total,
    images: Array.from({ length: total }, (_, i) => ({
      name: `image ${i}`,
      load: async () => refit(image(i), whole, shape),
    })),
    skipped: [],
    labels: whole.labels!.slice(0, total),
  };
}
