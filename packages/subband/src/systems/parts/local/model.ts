/**
 * @module A trained local model, of one of two kinds. A pyramid is a denoiser of the coarsest low-pass band and, level by
 * level, conditional denoisers of the details (Kadkhodaie et al. 2023); with no levels the low-pass band is the image, and
 * the model a flat denoiser. A U-Net denoises the bands of all levels together. Here too is the form of both as named
 * tensors and metadata, for files of any kind.
 */
import { isNdArray, type NamedArray, type NdArray, printableJson, treeLeaves, UserError } from "onnxgrad";
import { type BandUnetParams, bandUnetConfigOf } from "../../../nn/band-unet.ts";
import { type BfCnnConfig, receptiveFieldOf } from "../../../nn/bf-cnn.ts";
import { type BfCnnNetwork, checkedConfigOf, configOf } from "../../../nn/bf-cnn-network.ts";
import { requireFinite } from "../../../nn/finite-weights.ts";
import { countParameters } from "../../../nn/layers.ts";
import { isOrthogonal, orthogonalWavelet, wavelet } from "../../../wavelet/wavelets.ts";

/** What a network of a model does: denoises the low-pass band (or image), or details beside their low-pass band. */
export type LocalRole = "low" | "details";

/** A trained model, as arrays. */
export type LocalModel = PyramidModel | UnetModel;

/** One network a band: the low-pass band first, then the details of each level beside the band that is denoised already. */
export interface PyramidModel {
  readonly kind: "pyramid";
  /** Name of the orthogonal wavelet; `haar` for a flat model, which has none. */
  readonly wavelet: string;
  readonly channels: 1 | 3;
  /** Of the low-pass band of the coarsest level, normalised to the range of the image. */
  readonly low: BfCnnNetwork;
  /** Of the details of each level, the finest first; none in a flat model. */
  readonly details: readonly BfCnnNetwork[];
}

/** One network for the bands of all levels. */
export interface UnetModel {
  readonly kind: "unet";
  /** Name of the orthogonal wavelet. */
  readonly wavelet: string;
  readonly channels: 1 | 3;
  readonly network: BandUnetParams;
}

/** Tensors by name, and metadata, as a file holds them. */
export interface StoredModel {
  readonly tensors: ReadonlyMap<string, NamedArray>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a network is, for people and for metadata. */
export interface LocalNetworkSummary extends BfCnnConfig {
  /** `low`, or `details` and the level: 1 is the finest. */
  readonly role: LocalRole;
  readonly level: number;
  readonly receptiveField: number;
  readonly parameters: number;
}

/** Raised when an older reader would misread the file. */
const FORMAT = "subband-local-1";

/** What the channels of a network say about it. */
export interface NetworkRole {
  readonly role: LocalRole;
  /** Of the images it is for. */
  readonly channels: 1 | 3;
  /** It sees details beside the noisy low-pass band, too; see {@link hasNoisyCondition}. */
  readonly noisyCondition: boolean;
}

/**
 * The role of a network by its channels.
 * @throws UserError `local/channels` when they belong to neither role.
 */
export function roleOf({ inputs, outputs }: BfCnnConfig): NetworkRole {
  for (const channels of [1, 3] as const) {
    if (inputs === channels && outputs === channels) return { role: "low", channels, noisyCondition: false };
    for (const noisyCondition of [false, true])
      if (inputs === (noisyCondition ? 5 : 4) * channels && outputs === 3 * channels)
        return { role: "details", channels, noisyCondition };
  }
  throw new UserError(
    "local/channels",
    `not a network of a local model: ${inputs} channels in and ${outputs} out. Known: 1 to 1, 3 to 3, 4 to 3 (low-pass ` +
      `band and details to details), 5 to 3 (the noisy low-pass band between them), 12 to 9, 15 to 9.`,
  );
}

/**
 * Puts the networks of a pyramid together.
 * @throws UserError `local/channels` when one has another role or other channels; `nn/bf-cnn`, `nn/not-finite`;
 * `unknown/wavelet`, `wavelet/biorthogonal`.
 */
export function localModel(low: BfCnnNetwork, details: readonly BfCnnNetwork[], name = "haar"): PyramidModel {
  const { role, channels } = roleOf(checkedConfigOf(low));
  if (role !== "low")
    throw new UserError(
      "local/channels",
      "the network for the low-pass band denoises details. Give it as details.",
    );
  const roles = details.map((network) => roleOf(checkedConfigOf(network)));
  for (const [i, found] of roles.entries()) {
    if (found.role !== "details" || found.channels !== channels)
      throw new UserError(
        "local/channels",
        `the network for the details of level ${i + 1} is for ${found.role} of ${found.channels} channels; the low-pass ` +
          `band has ${channels}.`,
      );
    if (found.noisyCondition !== roles[0]!.noisyCondition)
      throw new UserError(
        "local/channels",
        `the networks for the details of levels 1 and ${i + 1} differ in whether they see the noisy low-pass band. Give ` +
          `networks of one kind.`,
      );
  }
  return {
    kind: "pyramid",
    wavelet: details.length === 0 ? "haar" : orthogonalWavelet(name),
    ...{ channels, low, details },
  };
}

/**
 * The model of a U-Net.
 * @throws UserError `nn/band-unet`, `nn/not-finite`; `local/channels` when its images are neither gray nor colour;
 * `unknown/wavelet`, `wavelet/biorthogonal`.
 */
export function unetModel(network: BandUnetParams, name = "haar"): UnetModel {
  const { channels } = bandUnetConfigOf(network);
  if (channels !== 1 && channels !== 3)
    throw new UserError("local/channels", `a network for images of ${channels} channels. Known: 1, 3.`);
  const arrays = treeLeaves<NdArray>(network as never, isNdArray);
  requireFinite(arrays.map(({ name: of, leaf }) => [of, leaf]));
  return { kind: "unet", wavelet: orthogonalWavelet(name), channels, network };
}

/**
 * The model as a pyramid, for what needs its conditional networks.
 * @throws UserError `local/kind` for a U-Net; `what` names the use.
 */
export function requirePyramid(model: LocalModel, what: string): PyramidModel {
  if (model.kind === "pyramid") return model;
  throw new UserError(
    "local/kind",
    `${what} takes a multi-scale model with one network a band; this one is a U-Net. Train one with --preset local.`,
  );
}

/** Whether the networks of the details see the low-pass band before it was denoised, too, between it and the details. */
export function hasNoisyCondition({ details: [finest] }: PyramidModel): boolean {
  return finest !== undefined && roleOf(configOf({ ...finest.params, ...finest.statistics })).noisyCondition;
}

/**
 * Refuses models that see noisy low-pass bands, for what makes details where there are none.
 * @throws UserError `local/condition`; `what` names the use.
 */
export function requireCleanCondition(model: LocalModel, what: string): void {
  if (model.kind === "pyramid" && hasNoisyCondition(model))
    throw new UserError(
      "local/condition",
      `${what} takes a model that sees details beside a clean low-pass band; this one needs the noisy one, too. Train ` +
        `one without --noisy-condition.`,
    );
}

/**
 * Refuses wavelets other than Haar, for what takes a low-pass band to be means of blocks.
 * @throws UserError `local/wavelet`; `what` names the use.
 */
export function requireHaar(model: LocalModel, what: string): void {
  if (model.wavelet !== "haar")
    throw new UserError(
      "local/wavelet",
      `${what} takes a model of the Haar wavelet; this one is of ${model.wavelet}. Train one without --wavelet.`,
    );
}

/** Levels of the wavelet transform, 0 for a flat model: extents of images are multiples of 2 to this power. */
export function levelsOf(model: LocalModel): number {
  return model.kind === "unet" ? model.network.levels.length : model.details.length;
}

/**
 * How far images are continued by mirroring before they are denoised, a multiple of 2^levels, so that pixels do not see
 * the opposite border through the transform: 0 for Haar, whose blocks see none.
 */
export function mirrorMargin(model: LocalModel): number {
  if (model.wavelet === "haar") return 0;
  return wavelet(model.wavelet).decLo.length * 2 ** levelsOf(model);
}

/** The networks of a pyramid, from the low-pass band to the finest details. */
export function summarise({ low, details }: PyramidModel): LocalNetworkSummary[] {
  const of = (network: BfCnnNetwork, role: LocalRole, level: number): LocalNetworkSummary => {
    const config = checkedConfigOf(network);
    const parameters = countParameters(network.params);
    return { role, level, ...config, receptiveField: receptiveFieldOf(config.kernels), parameters };
  };
  const levels = details.map((network, i) => of(network, "details", i + 1));
  return [of(low, "low", details.length), ...levels.reverse()];
}

/**
 * The model as tensors and metadata. Tensors of a pyramid are called `low.params.weights.0`,
 * `details.0.statistics.deviations.3`, ...; of a U-Net `unet.levels.0.encoder.1.first`, `unet.exit`, ...
 */
export function storeModel(model: LocalModel, metadata: Readonly<Record<string, string>> = {}): StoredModel {
  const tree = model.kind === "unet" ? { unet: model.network } : { low: model.low, details: model.details };
  return {
    tensors: namedArrays(tree),
    metadata: { ...metadata, format: FORMAT, architecture: architectureOf(model) },
  };
}

/** The arrays of a tree by their dotted names. */
export function namedArrays(tree: object): Map<string, NdArray> {
  return new Map(treeLeaves<NdArray>(tree as never, isNdArray).map(({ name, leaf }) => [name, leaf]));
}

/**
 * The model that {@link storeModel} stored.
 * @throws UserError `local/format` when these are other tensors, or bands of a wavelet that is not known; `nn/bf-cnn`,
 * `nn/not-finite`, `local/channels`.
 */
export function restoreModel({ tensors, metadata }: StoredModel): LocalModel {
  if (metadata["format"] !== FORMAT)
    throw new UserError(
      "local/format",
      metadata["format"]?.startsWith("subband-local-") === true
        ? `format ${printableJson(metadata["format"])} is of a newer version of subband. Update it.`
        : "not a local model. Make one with subband import.",
    );
  const name = storedWavelet(metadata["architecture"]);
  const left = new Map(tensors);
  const model = left.has("unet.exit") ? unetModel(takeUnet(left, "unet"), name) : takePyramid(left, name);
  const [stranger] = left.keys();
  if (stranger !== undefined || metadata["architecture"] !== architectureOf(model))
    throw new UserError(
      "local/format",
      "the tensors are not those of the stated architecture: the model is damaged.",
    );
  return model;
}

type Arrays = Map<string, NdArray>;

/** The wavelet in the text of an architecture; what else is in there is compared as a whole. */
function storedWavelet(architecture: string | undefined): string {
  const [, name] = /"wavelet":"([^"]*)"/.exec(architecture ?? "") ?? [];
  if (name === undefined || isOrthogonal(name)) return name ?? "haar";
  throw new UserError(
    "local/format",
    `a model of the wavelet ${printableJson(name)}, which is not known here as an orthogonal one. Update subband.`,
  );
}

/** Takes the pyramid's tensors out of `left`. */
function takePyramid(left: Arrays, name: string): PyramidModel {
  const low = takeBfCnn(left, "low");
  const details: BfCnnNetwork[] = [];
  while (left.has(`details.${details.length}.params.weights.0`))
    details.push(takeBfCnn(left, `details.${details.length}`));
  return localModel(low, details, name);
}

/** Takes the tensors under `prefix` out of `left`, as a bias-free CNN; its shapes are not looked at. */
export function takeBfCnn(left: Arrays, prefix: string): BfCnnNetwork {
  const series = (name: string) => takeSeries(left, `${prefix}.${name}`);
  return {
    params: { weights: series("params.weights"), gains: series("params.gains") },
    statistics: { deviations: series("statistics.deviations") },
  };
}

/** Takes the tensors under `prefix` out of `left`, as a band U-Net; shapes are not looked at. */
export function takeUnet(left: Arrays, prefix: string): BandUnetParams {
  const levels: BandUnetParams["levels"][number][] = [];
  for (let at; (at = `${prefix}.levels.${levels.length}`), left.has(`${at}.entry`);) {
    const blocks = (name: string) => {
      const found: { first: NdArray; bias: NdArray; second: NdArray }[] = [];
      for (let block; (block = `${at}.${name}.${found.length}`), left.has(`${block}.first`);)
        found.push({
          first: take(left, `${block}.first`),
          bias: take(left, `${block}.bias`),
          second: take(left, `${block}.second`),
        });
      return found;
    };
    levels.push({
      entry: take(left, `${at}.entry`),
      ...(left.has(`${at}.down`) ? { down: take(left, `${at}.down`) } : {}),
      encoder: blocks("encoder"),
      ...(left.has(`${at}.up`) ? { up: take(left, `${at}.up`) } : {}),
      decoder: blocks("decoder"),
    });
  }
  return { levels, exit: take(left, `${prefix}.exit`) };
}

function takeSeries(left: Arrays, prefix: string): NdArray[] {
  const found: NdArray[] = [];
  while (left.has(`${prefix}.${found.length}`)) found.push(take(left, `${prefix}.${found.length}`));
  return found;
}

function take(left: Arrays, name: string): NdArray {
  const found = left.get(name);
  if (found === undefined)
    throw new UserError("local/format", `the tensor "${name}" is missing: the model is damaged.`);
  left.delete(name);
  return found;
}

/** Complete and canonical: equal models of equal size have equal text. */
function architectureOf(model: LocalModel): string {
  if (model.kind === "unet") {
    const { channels, ...network } = bandUnetConfigOf(model.network);
    return JSON.stringify({ system: "local-unet", wavelet: model.wavelet, channels, ...network });
  }
  const networks = summarise(model).map(({ role, level, inputs, outputs, width, kernels }) => ({
    role,
    level,
    inputs,
    outputs,
    width,
    kernels,
  }));
  return JSON.stringify({ system: "local", wavelet: model.wavelet, channels: model.channels, networks });
}
