/**
 * @module A whole training run: opens the data and the run directory, resolves or takes up the configuration, trains, and
 * keeps metrics and preview grids. The command line adds only words and a progress bar.
 */
import { join, resolve } from "node:path";
import { type Backend, inSlices, unknownName, UserError } from "onnxgrad";
import { type Dataset, requireImages } from "../data/dataset.ts";
import type { DatasetOptions } from "../data/dataset-recipes.ts";
import { splitDataset, wholePicturesCount } from "../data/held-out.ts";
import { openDataset } from "../data/open-dataset.ts";
import { type Leftovers, leftoversOf } from "../data/skipped.ts";
import type { Json } from "../systems/options.ts";
import type { AnyPreset } from "../systems/preset.ts";
import { DEFAULT_PRESET, presetNamed, readOptions, presetOptions } from "../systems/presets.ts";
import type { System } from "../systems/system.ts";
import { hasCheckpoint, loadCheckpoint } from "./checkpoint.ts";
import { locateData, placeOf } from "./data-place.ts";
import { folderHost } from "./folder-host.ts";
import { type MetricsLog, openMetricsLog } from "./metrics-log.ts";
import { resumedConfig } from "./resume-request.ts";
import { isRun, openRunForTraining, runPaths, writeRun } from "./run-directory.ts";
import { readRunFile } from "./run-file.ts";
import { newBudget, pacesOf, timeBudget } from "../loop/budget.ts";
import { plannedTotals } from "../loop/pace.ts";
import { drawPreview } from "./preview.ts";
import { courseOfRun } from "./replay.ts";
import { runImages } from "./run-data.ts";
import { RunConfig, systemOf } from "./run-config.ts";
import type { TrainEvent } from "../loop/host.ts";
import { train, type TrainSummary } from "../loop/trainer.ts";
import { startingArrays, withStartingModel } from "./starting-model.ts";
import { versions } from "./versions.ts";

/** What a training is asked for; what is left out is chosen. */
export interface TrainRequest {
  readonly out: string;
  /** Folder, archive, or the name of a known data set. A run that exists knows its own. */
  readonly data?: string | undefined;
  /** Name of a preset; default the first. */
  readonly preset?: string | undefined;
  /** Options of the preset, by name, e.g. `{ levels: 2, width: 32 }`; what is left out has a default. */
  readonly options?: Readonly<Record<string, Json | undefined>> | undefined;
  /** Pixels; default 64 x 64, for `cifar10` 32 x 32. */
  readonly size?: { readonly height: number; readonly width: number } | undefined;
  readonly channels?: 1 | 3 | undefined;
  /**
   * Budget: wall-clock minutes, set-up included; or images that every stage sees; or those of another run (its folder), at
   * its pace. Default 15 minutes.
   */
  readonly minutes?: number | undefined;
  readonly images?: number | undefined;
  readonly replay?: string | undefined;
  /** Model or run of a denoiser whose weights to begin with; what is left out here follows from it. */
  readonly from?: string | undefined;
  readonly seed?: number | undefined;
  readonly flip?: boolean | undefined;
  /** Use the first so many images only. */
  readonly limit?: number | undefined;
  /** Cut up to so many patches of `size` from each picture, instead of bringing it to `size`. */
  readonly patches?: number | undefined;
}

/** What a request has, to tell what it has not: whoever writes JavaScript is warned by no compiler. */
const FIELDS: Readonly<Record<keyof TrainRequest, true>> = {
  ...{ out: true, data: true, preset: true, options: true, size: true, channels: true, minutes: true },
  ...{ images: true, replay: true, from: true, seed: true, flip: true, limit: true, patches: true },
};

/** @throws UserError `train/request` for a field that is none. */
function requireFields(request: TrainRequest): void {
  const strange = Object.keys(request).find((key) => !Object.hasOwn(FIELDS, key));
  if (strange === undefined) return;
  if (presetOptions("training").every(({ key }) => key !== strange))
    throw unknownName("field of a training request", strange, Object.keys(FIELDS));
  throw new UserError(
    "train/request",
    `${strange}: no field of a training request, but an option of the preset. Give options: { ${strange}: ... }.`,
  );
}

/** How a run is carried out; without influence on what comes out. */
export interface RunSettings {
  /** Seconds between checkpoints; default 60. */
  readonly saveSeconds?: number | undefined;
  /** Fractions of the training after which a grid of samples is drawn. */
  readonly previews?: readonly number[];
  /** The clock that a budget of minutes goes by, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/** What a run tells while it goes on. */
export interface RunListener {
  readonly onData?: DatasetOptions["onProgress"];
  readonly onWarning?: (message: string) => void;
  /** Called once, before the first step. */
  readonly onStart?: (start: RunStart) => void;
  readonly onEvent?: (event: TrainEvent) => void;
  /** A grid of samples has been written. */
  readonly onPreview?: (path: string) => void;
}

/** What is known before the first step. */
export interface RunStart {
  readonly config: RunConfig;
  readonly seed: number;
  readonly system: System;
  readonly resumed: boolean;
  /** What the data left out. */
  readonly leftovers: Leftovers;
}

/** Fractions of the training at which a preview is drawn. */
const PREVIEWS = [0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1];

/** Minutes of training when neither minutes nor images are asked for. */
export const DEFAULT_MINUTES = 15;

/** Opens the data that a request names. @throws UserError `data/...`, `config/size`, `train/no-data`. */
export async function openTrainingData(request: TrainRequest, listener: RunListener = {}): Promise<Dataset> {
  if (request.data === undefined)
    throw new UserError(
      "train/no-data",
      `no data: "${request.out}" is no run yet. Give --data: a folder of images, an archive of them, cifar10 or faces.`,
    );
  // Before the data are read; the model of a run that exists is of its size.
  if (request.size !== undefined && !isRun(request.out)) {
    const preset = presetOf(request);
    const options = readOptions(preset, request.options ?? {});
    preset.choose(options, { ...request.size, channels: request.channels ?? 3 });
  }
  const dataset = await openDataset(request.data, {
    size: request.size,
    channels: request.channels,
    limit: request.limit,
    patches: request.patches,
    exclude: [request.out],
    onProgress: listener.onData,
    onWarning: listener.onWarning,
  });
  requireImages(dataset, 2);
  return dataset;
}

/** The configuration of a request, all defaults filled in, save for the images of its budget. */
export async function resolveRunConfig(request: TrainRequest, dataset: Dataset): Promise<RunConfig> {
  const preset = presetOf(request);
  const asked = readOptions(preset, request.options ?? {});
  const heldOut = await wholePicturesCount(dataset);
  const { training } = await splitDataset(dataset, heldOut);
  const options = preset.choose(asked, training);
  const model = await inSlices(preset.resolve(options, training, asked));
  return RunConfig.parse({
    preset: preset.name,
    options,
    data: {
      source: request.data,
      ...(request.data !== undefined && placeOf(request.data, request.out)),
      name: dataset.name,
      count: dataset.count,
      fingerprint: dataset.fingerprint,
      licence: dataset.licence,
      credit: dataset.credit,
      ...(request.limit === undefined ? {} : { limit: request.limit }),
      ...(request.patches === undefined ? {} : { patches: request.patches }),
      heldOut,
      heldOutBy: "pictures",
      flip: request.flip ?? true,
    },
    ...(request.images === undefined && request.replay === undefined
      ? { minutes: request.minutes ?? DEFAULT_MINUTES }
      : {}),
    images: {},
    ...(request.from === undefined ? {} : { from: resolve(request.from) }),
    model,
  });
}

/** What a training would do. */
export interface RunPlan {
  readonly config: RunConfig;
  readonly seed: number;
  /** Whether `out` holds a run, whose configuration this is. */
  readonly exists: boolean;
  /** Size of the decoded images. */
  readonly dataBytes: number;
  /** What the data left out. */
  readonly leftovers: Leftovers;
}

/** Resolves a request as {@link trainRun} would, touching nothing; images of a budget in minutes stay unknown. */
export async function planRun(asked: TrainRequest, listener: RunListener = {}): Promise<RunPlan> {
  requireFields(asked);
  const known = isRun(asked.out) ? readRunFile(asked.out) : undefined;
  const request = known === undefined ? await newRequest(asked) : asked;
  const resumed = known === undefined ? undefined : resumedConfig(request, known);
  const dataset = await openTrainingData(
    resumed === undefined ? request : sameData(request, resumed),
    listener,
  );
  if (resumed !== undefined) await runImages(request.out, resumed.data, dataset);
  return {
    config: resumed ?? withBudget(await resolveRunConfig(request, dataset), request),
    seed: known?.seed ?? request.seed ?? 0,
    exists: known !== undefined,
    dataBytes: dataset.pixels.length,
    leftovers: leftoversOf(dataset),
  };
}

/**
 * Trains as asked. If `out` already holds a run, it is taken up where it stopped, with its own configuration; a larger
 * budget extends it.
 * @throws UserError for bad requests, data, or directories, `run/contradiction`, and `train/diverged`.
 */
export async function trainRun(
  asked: TrainRequest,
  backend: Backend,
  listener: RunListener = {},
  signal?: AbortSignal,
  { saveSeconds, previews = PREVIEWS, now = () => performance.now() }: RunSettings = {},
): Promise<TrainSummary & { readonly config: RunConfig }> {
  const began = now();
  requireFields(asked);
  const opened = openRunForTraining(asked.out);
  let log: MetricsLog | undefined;
  try {
    const known = isRun(asked.out) ? readRunFile(asked.out) : undefined;
    const request = known === undefined ? await newRequest(asked) : asked;
    const resumed = known === undefined ? undefined : resumedConfig(request, known);
    const dataset = await openTrainingData(
      resumed === undefined ? request : sameData(request, resumed),
      listener,
    );
    const seed = known?.seed ?? request.seed ?? 0;
    let config = resumed ?? (await resolveRunConfig(request, dataset));
    if (resumed !== undefined && request.data !== undefined) {
      const { data: source, out } = request;
      const { path: _, pathFromRun: __, ...data } = config.data;
      config = { ...config, data: { ...data, source, ...placeOf(source, out) } };
    }
    const system = systemOf(config);
    // A run that was begun before images were held out goes on with all of them, in the same order.
    const { training, heldOut } = await runImages(request.out, config.data, dataset);
    const options = { backend, dataset: training, heldOut, seed, flip: config.data.flip };
    if (known === undefined) config = withBudget(config, request);
    const time = timeBudget(config, known, system.stages, began);
    let { secondsUsed } = known ?? {};
    const write = (imagesSeen: Readonly<Record<string, number>>) =>
      writeRun(request.out, {
        versions: known?.versions ?? { ...versions() },
        seed,
        imagesSeen,
        ...(secondsUsed && { secondsUsed }),
        config,
      });
    // A run that has a checkpoint needs the model no longer that it began with.
    const isBegun = config.from === undefined || (await loadCheckpoint(request.out)) !== undefined;
    const given = isBegun ? undefined : await startingArrays(system, config.from!);
    // What is left of more time is told first, together with that time: they must not come apart in a crash.
    if (time?.extended !== true) write(known?.imagesSeen ?? {});
    listener.onStart?.({
      ...{ config, seed, system, resumed: known !== undefined, leftovers: leftoversOf(dataset) },
    });

    const paths = runPaths(request.out);
    let seen: Record<string, number> = {};
    let savedImages = known?.imagesSeen ?? {};
    /** The log as it was when each stage had seen so many images. */
    const logAt = (progress: Readonly<Record<string, number>>): MetricsLog => {
      seen = { ...progress };
      log?.close();
      log = openMetricsLog(
        paths.metrics,
        (record) => Number(record["images"]) <= (progress[String(record["stage"])] ?? 0),
      );
      return log;
    };
    /** The log of a training from its beginning; a process that was killed before it saved may have left lines. */
    const newLog = (): MetricsLog => openMetricsLog(paths.metrics, () => false);
    const host = folderHost(request.out, {
      now,
      signal,
      previews,
      onWarning: listener.onWarning,
      async preview(tensors, done) {
        const path = join(paths.samples, `${String(Math.round(100 * done)).padStart(3, "0")}.png`);
        try {
          await drawPreview(path, tensors, { backend, system, heldOut, seed });
        } catch (error) {
          // A picture is not worth the training: whether the disk is full is seen again when that is saved.
          if (!(error instanceof UserError)) throw error;
          return listener.onWarning?.(`no preview: ${error.message}`);
        }
        listener.onPreview?.(path);
      },
      tell(event) {
        if (event.kind === "resumed") logAt(event.progress);
        else if (event.kind === "step") {
          const { stage, step, imagesSeen, metrics } = event;
          (log ??= newLog()).append({ stage, step, images: imagesSeen, ...metrics });
          seen[stage] = imagesSeen;
        } else if (event.kind === "score") {
          const { stage, step, imagesSeen, metrics, best } = event;
          log?.append({ stage, step, images: imagesSeen, ...metrics, best });
        } else if (event.kind === "rollback") {
          const { stage, step, lrScale, progress, rollbacks, followed } = event;
          const open = followed ? (log ??= newLog()) : logAt(progress);
          open.append({ stage, images: progress[stage], rollback: step, lrScale });
          if (!followed) {
            config = { ...config, rollbacks };
            write(savedImages);
          }
        } else if (event.kind === "paced") {
          config = { ...config, pace: event.paces, images: plannedTotals(event.paces) };
          write(savedImages);
        } else if (event.kind === "saved") {
          log?.sync();
          secondsUsed = event.used;
          savedImages = { ...seen };
          write(savedImages);
        }
        listener.onEvent?.(event);
      },
    });
    const summary = await train(host, {
      ...options,
      stages: system.stages,
      ...(given && { given }),
      images: config.images,
      // How the stages got to where they are: of a run that is extended, its pace of before.
      paces: pacesOf(known?.config ?? config),
      ...(config.rollbacks && { rollbacks: config.rollbacks }),
      ...(time && { time }),
      ...(saveSeconds === undefined ? {} : { saveSeconds }),
    });
    return { ...summary, config };
  } catch (error) {
    if (!hasCheckpoint(asked.out)) opened.abandon();
    throw error;
  } finally {
    log?.close();
    opened.release();
  }
}

function presetOf({ preset }: TrainRequest): AnyPreset {
  return preset === undefined ? DEFAULT_PRESET : presetNamed(preset);
}

/** The request for a new run, with what follows from the model and the run that it names: looked at before any data. */
async function newRequest(asked: TrainRequest): Promise<TrainRequest> {
  if (asked.replay !== undefined) readRunFile(asked.replay);
  return withStartingModel(asked);
}

/** A new configuration with the budget that was asked for. */
function withBudget(config: RunConfig, { images, replay }: TrainRequest): RunConfig {
  const { stages } = systemOf(config);
  const course = replay === undefined ? undefined : courseOfRun(replay, stages);
  return { ...config, ...newBudget({ images, course }, config.minutes, stages) };
}

/** The request for the data of a known run: its size, its limit, and its source unless another is named. */
function sameData(request: TrainRequest, { preset, options, data, model }: RunConfig): TrainRequest {
  const { height, width, channels } = model;
  return {
    ...request,
    data: request.data ?? locateData(request.out, data),
    size: { height, width },
    channels,
    preset,
    options,
    limit: data.limit,
    patches: data.patches,
  };
}
