/**
 * @module A trained multi-scale local model: a denoiser of the coarsest low-pass band and, level by level, conditional
 * denoisers of the details (Kadkhodaie et al. 2023). With no levels the low-pass band is the image, and the model a flat
 * denoiser. Here too is its form as named tensors and metadata, for files of any kind.
 */
import { isNdArray, type NamedArray, type NdArray, treeLeaves, UserError } from "onnxgrad";
import { type BfCnnConfig, receptiveFieldOf } from "../nn/bf-cnn.ts";
import { type BfCnnNetwork, checkedConfigOf } from "../nn/bf-cnn-network.ts";
import { countParameters } from "../nn/layers.ts";

/** What a network of a model does: denoises the low-pass band (or image), or details beside their low-pass band. */
export type LocalRole = "low" | "details";

/** A trained model, as arrays. */
export interface LocalModel {
  readonly channels: 1 | 3;
  /** Of the low-pass band of the coarsest level, normalised to the range of the image. */
  readonly low: BfCnnNetwork;
  /** Of the details of each level, the finest first; none in a flat model. */
  readonly details: readonly BfCnnNetwork[];
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

/**
 * The role of a network by its channels, and those of the images it is for.
 * @throws UserError `local/channels` when they belong to neither role.
 */
export function roleOf({ inputs, outputs }: BfCnnConfig): { role: LocalRole; channels: 1 | 3 } {
  for (const channels of [1, 3] as const) {
    if (inputs === channels && outputs === channels) return { role: "low", channels };
    if (inputs === 4 * channels && outputs === 3 * channels) return { role: "details", channels };
  }
  throw new UserError(
    "local/channels",
    `not a network of a local model: ${inputs} channels in and ${outputs} out. Known: 1 to 1, 3 to 3, 4 to 3 (low-pass ` +
      `band and details to details), 12 to 9.`,
  );
}

/**
 * Puts networks together.
 * @throws UserError `local/channels` when one has another role or other channels; `nn/bf-cnn`, `nn/not-finite`.
 */
export function localModel(low: BfCnnNetwork, details: readonly BfCnnNetwork[]): LocalModel {
  const { role, channels } = roleOf(checkedConfigOf(low));
  if (role !== "low")
    throw new UserError(
      "local/channels",
      "the network for the low-pass band denoises details. Give it as details.",
    );
  for (const [i, network] of details.entries()) {
    const found = roleOf(checkedConfigOf(network));
    if (found.role !== "details" || found.channels !== channels)
      throw new UserError(
        "local/channels",
        `the network for the details of level ${i + 1} is for ${found.role} of ${found.channels} channels; the low-pass ` +
          `band has ${channels}.`,
      );
  }
  return { channels, low, details };
}

/** Levels of the wavelet transform, 0 for a flat model: extents of images are multiples of 2 to this power. */
export function levelsOf({ details }: LocalModel): number {
  return details.length;
}

/** The networks of a model, from the low-pass band to the finest details. */
export function summarise({ low, details }: LocalModel): LocalNetworkSummary[] {
  const of = (network: BfCnnNetwork, role: LocalRole, level: number): LocalNetworkSummary => {
    const config = checkedConfigOf(network);
    const parameters = countParameters(network.params);
    return { role, level, ...config, receptiveField: receptiveFieldOf(config.kernels), parameters };
  };
  const levels = details.map((network, i) => of(network, "details", i + 1));
  return [of(low, "low", details.length), ...levels.reverse()];
}

/** The model as tensors (`low.params.weights.0`, `details.0.statistics.deviations.3`, ...) and metadata. */
export function storeModel(model: LocalModel, metadata: Readonly<Record<string, string>> = {}): StoredModel {
  const { low, details } = model;
  const leaves = treeLeaves<NdArray>({ low, details } as never, isNdArray);
  return {
    tensors: new Map(leaves.map(({ name, leaf }) => [name, leaf])),
    metadata: { ...metadata, format: FORMAT, architecture: architectureOf(model) },
  };
}

/**
 * The model that {@link storeModel} stored.
 * @throws UserError `local/format` when these are other tensors; `nn/bf-cnn`, `nn/not-finite`, `local/channels`.
 */
export function restoreModel({ tensors, metadata }: StoredModel): LocalModel {
  if (metadata["format"] !== FORMAT)
    throw new UserError(
      "local/format",
      metadata["format"]?.startsWith("subband-local-") === true
        ? `format ${JSON.stringify(metadata["format"])} is of a newer version of subband. Update it.`
        : "not a local model. Make one with subband import.",
    );
  const left = new Map(tensors);
  const series = (prefix: string): NdArray[] => {
    const found: NdArray[] = [];
    for (let array; (array = left.get(`${prefix}.${found.length}`)) !== undefined; found.push(array))
      left.delete(`${prefix}.${found.length}`);
    return found;
  };
  const network = (prefix: string): BfCnnNetwork => ({
    params: { weights: series(`${prefix}.params.weights`), gains: series(`${prefix}.params.gains`) },
    statistics: { deviations: series(`${prefix}.statistics.deviations`) },
  });
  const low = network("low");
  const details: BfCnnNetwork[] = [];
  while (left.has(`details.${details.length}.params.weights.0`))
    details.push(network(`details.${details.length}`));
  const model = localModel(low, details);
  const [stranger] = left.keys();
  if (stranger !== undefined || metadata["architecture"] !== architectureOf(model))
    throw new UserError(
      "local/format",
      "the tensors are not those of the stated architecture: the model is damaged.",
    );
  return model;
}

/** Complete and canonical: equal models of equal size have equal text. */
function architectureOf(model: LocalModel): string {
  const networks = summarise(model).map(({ role, level, inputs, outputs, width, kernels }) => ({
    role,
    level,
    inputs,
    outputs,
    width,
    kernels,
  }));
  return JSON.stringify({ system: "local", wavelet: "haar", channels: model.channels, networks });
}
