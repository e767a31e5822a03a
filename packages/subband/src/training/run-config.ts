/** @module The configuration kept in `run.json`: which system, on which data, for how long; validated when read back. */
import { unknownName, UserError } from "onnxgrad";
import { z } from "zod";
import type { HeldOutBy } from "../data/held-out.ts";
import type { ImageSource } from "../images/image-source.ts";
import { measureBandScaling } from "../systems/parts/band-scaling.ts";
import { local } from "../systems/local/local.ts";
import {
  defaultLocalLevels,
  greatestDetails,
  type LocalConfig,
  resolveLocalConfig,
} from "../systems/local/config.ts";
import { localUnet } from "../systems/local-unet/local-unet.ts";
import { type LocalUnetConfig, resolveLocalUnetConfig, UNET_LEVELS } from "../systems/local-unet/config.ts";
import type { DenoisingSystem, System } from "../systems/system.ts";
import { wmgm } from "../systems/wmgm/wmgm.ts";
import {
  defaultLevels,
  requireMultiple,
  resolveWmgmConfig,
  type WmgmConfig,
} from "../systems/wmgm/config.ts";
import { wmgmFaithful } from "../systems/wmgm-faithful/wmgm-faithful.ts";
import {
  defaultFaithfulLevels,
  FAITHFUL_SAMPLING,
  requireFaithfulSize,
  resolveWmgmFaithfulConfig,
  type WmgmFaithfulConfig,
} from "../systems/wmgm-faithful/config.ts";
import { measureLowRange } from "../systems/wmgm-faithful/low.ts";
import { orthogonalWavelet } from "../wavelet/wavelets.ts";
import { Count, Local, LocalUnet, Positive, Wmgm, WmgmFaithful } from "./model-schemas.ts";
import { Pace } from "./pace-schema.ts";

/** What is known of the data of a run. */
export interface RunData {
  /** As given to --data. */
  readonly source: string;
  /** Where that was: whole, and from the run's folder; absent for known data sets, and in early runs. */
  readonly path?: string | undefined;
  readonly pathFromRun?: string | undefined;
  readonly name: string;
  /** Images after skipping. */
  readonly count: number;
  /** Fingerprint of the decoded pixels: resuming on other data is refused. */
  readonly fingerprint: string;
  readonly licence: string;
  readonly credit: string;
  /** Only the first so many images were looked at. */
  readonly limit?: number | undefined;
  /** At most so many patches were cut from each picture; absent where pictures were brought to the size. */
  readonly patches?: number | undefined;
  /** Images that are never trained on, only judged by; absent in runs begun before there were any. */
  readonly heldOut?: number | undefined;
  /** What was held out whole; absent in runs begun when single images were. */
  readonly heldOutBy?: HeldOutBy | undefined;
  /** Mirrored at random. */
  readonly flip: boolean;
}

/** Configuration of every preset's system, by name. */
interface Models {
  readonly wmgm: WmgmConfig;
  readonly "wmgm-faithful": WmgmFaithfulConfig;
  readonly local: LocalConfig;
  readonly "local-unet": LocalUnetConfig;
}

/** Name of a preset whose system draws images. */
type GenerativeName = "wmgm" | "wmgm-faithful";

/** Name of a system that can be trained. */
export type PresetName = keyof Models;

/** Configuration of a run of one preset. */
interface RunConfigOf<Name extends PresetName> {
  readonly preset: Name;
  readonly data: RunData;
  /** The budget of time; absent where images were asked for. */
  readonly minutes?: number | undefined;
  /** Images that each stage sees, as planned last; without a stage that is not planned yet. */
  readonly images: Readonly<Record<string, number>>;
  /** How each stage got there; absent where it is evenly, and in runs of before there was a clock. */
  readonly pace?: Readonly<Record<string, Pace>> | undefined;
  /** The model or run whose weights it began with. */
  readonly from?: string | undefined;
  readonly model: Models[Name];
}

/** A run's configuration. */
export type RunConfig = { [Name in PresetName]: RunConfigOf<Name> }[PresetName];

const Common = {
  data: z.strictObject({
    source: z.string(),
    path: z.string().optional(),
    pathFromRun: z.string().optional(),
    name: z.string(),
    count: Count,
    fingerprint: z.string(),
    licence: z.string(),
    credit: z.string(),
    limit: Count.optional(),
    patches: Count.optional(),
    heldOut: z.int().nonnegative().optional(),
    heldOutBy: z.enum(["pictures", "images"]).optional(),
    flip: z.boolean(),
  }),
  minutes: Positive.optional(),
  images: z.record(z.string(), Count),
  pace: z.record(z.string(), Pace).optional(),
  from: z.string().optional(),
};

/** The schema of a run's configuration: one member a preset. */
export const RunConfig: z.ZodType<RunConfig> = z.discriminatedUnion("preset", [
  z.strictObject({ preset: z.literal("wmgm"), ...Common, model: Wmgm }),
  z.strictObject({ preset: z.literal("wmgm-faithful"), ...Common, model: WmgmFaithful }),
  z.strictObject({ preset: z.literal("local"), ...Common, model: Local }),
  z.strictObject({ preset: z.literal("local-unet"), ...Common, model: LocalUnet }),
]);

/** What the options of every preset come to; the rest is the preset's. */
export interface ModelOptions {
  readonly levels?: number | undefined;
  /** Images a step. */
  readonly batch?: number | undefined;
  readonly lr?: number | undefined;
  /** Feature channels of the networks at full resolution. */
  readonly baseWidth?: number | undefined;
  /** Of preset `local`: side of the square that the networks of details see. */
  readonly receptiveField?: number | undefined;
  /** Of preset `local`: noise on the low-pass band beside details; see `LocalConfig`. */
  readonly augmentConditions?: boolean | undefined;
  /** Of preset `local`: the noisy low-pass band beside details, too; see `LocalConfig`. */
  readonly noisyCondition?: boolean | undefined;
  /** Of preset `local`: a diffusion of the low-pass band, for sampling; see `LocalConfig`. */
  readonly edmLow?: boolean | undefined;
  /** Of the local denoisers: name of their orthogonal wavelet; default `haar`. */
  readonly wavelet?: string | undefined;
}

/** Options that only some presets have. */
type OwnOption = "receptiveField" | "augmentConditions" | "noisyCondition" | "edmLow" | "wavelet";

/** A system that can be trained by name. */
interface Preset<Model> {
  /** One phrase for help texts. */
  readonly summary: string;
  /** Options that other presets lack. */
  readonly own: readonly OwnOption[];
  /** Fills in all defaults for the images to train on, and measures what it needs of them. @throws UserError `config/size`. */
  resolve(options: ModelOptions, dataset: ImageSource): Model;
  /** The options that `model` was resolved from, or would be. */
  chosen(model: Model): ChosenOptions;
}

/** The options that a model was resolved from; those that its preset lacks are absent. */
export type ChosenOptions = Required<Pick<ModelOptions, "batch" | "lr" | "baseWidth">> &
  Pick<ModelOptions, OwnOption>;

/** How samples are drawn. */
interface SamplingChoice {
  readonly sampler: string;
  readonly steps: number;
}

/** A preset whose system draws images. */
export interface GenerativePreset<Model> extends Preset<Model> {
  /** How samples are drawn unless asked otherwise. */
  readonly sampling: SamplingChoice;
  system(model: Model): System;
}

/** A preset whose system denoises. */
export interface DenoisingPreset<Model> extends Preset<Model> {
  denoiser(model: Model): DenoisingSystem;
}

type PresetOf<Name extends PresetName> = Name extends GenerativeName
  ? GenerativePreset<Models[Name]>
  : DenoisingPreset<Models[Name]>;

/** Images whose bands are measured, at most. */
const SCALING_IMAGES = 10_000;

/** Reads `count` images from all over a data set, whose neighbours may be alike, one at a time into the same array. */
function reader(dataset: ImageSource, count: number): (index: number) => Float32Array {
  const image = new Float32Array(dataset.channels * dataset.height * dataset.width);
  return (index) => {
    dataset.read(Math.floor((index * dataset.count) / count), false, image, 0);
    return image;
  };
}

/** The options that were given. */
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}

/** Every preset, the default first. */
export const presets: { readonly [Name in PresetName]: PresetOf<Name> } = {
  wmgm: {
    summary: "diffusion on the coarsest low band, one generator for all details",
    own: [],
    sampling: { sampler: "dpmpp2m", steps: 8 },
    resolve(options, dataset) {
      const { channels, height, width } = dataset;
      const levels = options.levels ?? defaultLevels(height, width);
      requireMultiple(height, width, levels);
      const count = Math.min(dataset.count, SCALING_IMAGES);
      const shape = { channels, height, width, levels };
      const scaling = measureBandScaling({ count, ...shape }, reader(dataset, count));
      return resolveWmgmConfig({ ...given(options), ...shape }, scaling);
    },
    chosen: ({ low }) => ({ batch: low.batch, lr: low.lr, baseWidth: low.width }),
    system: wmgm,
  },
  "wmgm-faithful": {
    summary: "WMGM as released by its authors, defects included: a baseline",
    own: [],
    sampling: FAITHFUL_SAMPLING,
    resolve(options, dataset) {
      const { channels, height, width, count } = dataset;
      const levels = options.levels ?? defaultFaithfulLevels(height, width);
      const shape = { channels, height, width, levels };
      requireFaithfulSize(height, width, levels);
      // Over all images: the released normalisation goes by the extremes.
      const range = measureLowRange({ count, ...shape }, reader(dataset, count));
      return resolveWmgmFaithfulConfig({ ...options, ...shape }, { range, images: count });
    },
    chosen: ({ detail }) => ({
      batch: detail.batch,
      lr: detail.lr.generator,
      baseWidth: detail.generatorWidth,
    }),
    system: wmgmFaithful,
  },
  local: {
    summary: "local denoisers of the wavelet bands as published, or of images (--levels 0)",
    own: ["receptiveField", "augmentConditions", "noisyCondition", "edmLow", "wavelet"],
    resolve({ baseWidth: features, edmLow, ...options }, dataset) {
      const { channels, height, width, count } = dataset;
      const levels = options.levels ?? defaultLocalLevels(dataset);
      requireMultiple(height, width, levels);
      const shape = { channels, height, width, levels };
      const wavelet = orthogonalWavelet(options.wavelet ?? "haar");
      const measured = { ...shape, wavelet, count: Math.min(count, SCALING_IMAGES) };
      return resolveLocalConfig(
        {
          ...options,
          ...shape,
          features,
          edmLow: edmLow === true ? measureBandScaling(measured, reader(dataset, measured.count)) : undefined,
        },
        greatestDetails(measured, reader(dataset, measured.count)),
      );
    },
    chosen: ({
      batch,
      lr,
      features,
      receptiveField,
      augmentConditions,
      noisyCondition,
      edmLow,
      wavelet,
    }) => ({
      batch,
      lr,
      baseWidth: features,
      receptiveField,
      augmentConditions,
      noisyCondition,
      edmLow: edmLow !== undefined,
      wavelet,
    }),
    denoiser: local,
  },
  "local-unet": {
    summary: "one denoiser of all wavelet bands, fine to coarse and back",
    own: ["wavelet"],
    resolve(options, { channels, height, width }) {
      const levels = options.levels ?? UNET_LEVELS;
      if (levels === 0)
        throw new UserError(
          "config/levels",
          "levels: 0; a U-Net over wavelet bands has at least 1. For a flat denoiser take --preset local.",
        );
      requireMultiple(height, width, levels);
      return resolveLocalUnetConfig({ ...options, channels, height, width, levels });
    },
    chosen: ({ batch, lr, widths, wavelet }) => ({ batch, lr, baseWidth: widths[0]!, wavelet }),
    denoiser: localUnet,
  },
};

/** What a configuration is of. */
type Configured = Pick<RunConfig, "preset" | "model">;

/** Names of options as they are typed. */
const FLAGS: Readonly<Record<OwnOption, string>> = {
  receptiveField: "--rf",
  augmentConditions: "--augment-conditions",
  noisyCondition: "--noisy-condition",
  edmLow: "--edm-low",
  wavelet: "--wavelet",
};

/**
 * The model of `preset` for the images to train on, with all defaults.
 * @throws UserError `config/option` for an option of another preset; `config/...`, `nn/...`.
 */
export function resolveModel(name: PresetName, options: ModelOptions, dataset: ImageSource): unknown {
  const preset = presets[name];
  for (const option of Object.keys(FLAGS) as OwnOption[])
    if (options[option] !== undefined && !preset.own.includes(option))
      throw new UserError(
        "config/option",
        `${FLAGS[option]}: preset ${name} has no such option. It belongs to --preset ${ownersOf(option)}.`,
      );
  return preset.resolve(options, dataset);
}

function ownersOf(option: OwnOption): string {
  const owners = Object.entries(presets).filter(([, { own }]) => own.includes(option));
  return owners.map(([name]) => name).join(" and ");
}

/** The preset called `name`. @throws UserError `unknown/preset` with a suggestion. */
export function presetNamed(name: string): PresetName {
  if (!Object.hasOwn(presets, name)) throw unknownName("preset", name, Object.keys(presets));
  return name as PresetName;
}

/** The options that the model of a configuration was resolved from. */
export function chosenOptions({ preset, model }: Configured): ChosenOptions {
  return (presets[preset] as Preset<unknown>).chosen(model);
}

/** How samples of a run are drawn unless asked otherwise. @throws UserError `run/denoiser`. */
export function samplingOf({ preset }: Pick<RunConfig, "preset">): SamplingChoice {
  return generative(preset).sampling;
}

/** The generative system that a configuration describes. @throws UserError `run/denoiser` when it is none. */
export function systemOf({ preset, model }: Configured): System {
  return generative(preset).system(model);
}

/** The system that a configuration describes, whatever it learns. */
export function trainedSystemOf({ preset, model }: Configured): System | DenoisingSystem {
  const found = presets[preset] as GenerativePreset<unknown> | DenoisingPreset<unknown>;
  return "denoiser" in found ? found.denoiser(model) : found.system(model);
}

function generative(name: PresetName): GenerativePreset<unknown> {
  const found = presets[name] as GenerativePreset<unknown> | DenoisingPreset<unknown>;
  if ("system" in found) return found;
  throw new UserError(
    "run/denoiser",
    `a run of preset ${name} is a denoiser. Use subband denoise, or subband sample; this is for runs of ` +
      `${Object.keys(presets)
        .filter((each) => "system" in presets[each as PresetName])
        .join(", ")}.`,
  );
}
