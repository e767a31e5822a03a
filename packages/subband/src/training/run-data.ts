/**
 * @module The images of a run as it saw them: opened with its own size, channels, limit and patches, checked to be the
 * same, and divided into those it trained on and those it did not. Whoever measures a run asks here.
 */
import { UserError } from "onnxgrad";
import type { Dataset } from "../data/dataset.ts";
import type { DatasetOptions } from "../data/dataset-recipes.ts";
import { type DatasetSplit, splitDataset } from "../data/held-out.ts";
import type { ImageSource } from "../images/image-source.ts";
import { openDataset } from "../data/open-dataset.ts";
import { locateData } from "./data-place.ts";
import type { RunConfig, RunData } from "./run-config.ts";

/** Options of {@link openRunData}. */
export interface RunDataOptions extends Pick<DatasetOptions, "onProgress" | "onWarning" | "cacheDir"> {
  /** Where the images are now; default where they were. */
  readonly source?: string | undefined;
}

/** The images of a run. */
export interface RunImages extends DatasetSplit {
  readonly dataset: Dataset;
  /** Images that were never trained on; 0 in small sets and in early runs, whose `heldOut` are training images. */
  readonly heldOutCount: number;
}

/**
 * Opens the images that the run in the folder `run` is trained on.
 * @throws UserError `run/other-data` when they are no longer the same; `data/...`.
 */
export async function openRunData(
  run: string,
  { data, model: { channels, height, width } }: Pick<RunConfig, "data" | "model">,
  { source, ...options }: RunDataOptions = {},
): Promise<RunImages> {
  const { limit, patches } = data;
  const size = { height, width };
  const dataset = await openDataset(source ?? locateData(run, data), {
    ...{ ...options, size, channels, limit, patches, exclude: [run] },
  });
  return runImages(run, data, dataset);
}

/**
 * The images of a run that are open already, checked and divided.
 * @throws UserError `run/other-data`.
 */
export async function runImages(run: string, data: RunData, dataset: Dataset): Promise<RunImages> {
  if (data.fingerprint !== dataset.fingerprint)
    throw new UserError(
      "run/other-data",
      `run "${run}" was trained on other images (${data.name}, ${data.count} images; there are ${dataset.count} now), ` +
        `or another version of subband read them otherwise. Restore them, or train anew with another --out.`,
    );
  const { heldOut = 0, heldOutBy = "images" } = data;
  if (heldOut >= dataset.count)
    throw new UserError(
      "run/invalid",
      `run "${run}": heldOut is ${heldOut} of ${dataset.count} images; some must be left to train on. Restore run.json.`,
    );
  return { dataset, heldOutCount: heldOut, ...(await splitDataset(dataset, heldOut, heldOutBy)) };
}

/**
 * A part of the images of the run in the folder `run`.
 * @throws UserError `run/no-held-out` for held-out images where there are none.
 */
export function imagesOf(
  run: string,
  { dataset, training, heldOut, heldOutCount }: RunImages,
  part: "all" | "training" | "held-out",
): ImageSource {
  if (part === "all") return dataset;
  if (part === "training") return training;
  if (heldOutCount === 0)
    throw new UserError(
      "run/no-held-out",
      `run "${run}" holds no images out: it was begun with too few. Take --on training.`,
    );
  return heldOut;
}
