/** @module What commands tell about a local model: its networks, one a line, from the low-pass band to the finest. */
import { bandUnetConfigOf } from "../nn/band-unet.ts";
import { countParameters } from "../nn/layers.ts";
import {
  levelsOf,
  type LocalModel,
  type LocalNetworkSummary,
  summarise,
  type UnetModel,
} from "../systems/parts/local/model.ts";
import { formatCount } from "./format.ts";

/** Rows for people; `names` are the files that the networks came from, in the order of {@link summarise}. */
export function modelRows(model: LocalModel, names: readonly string[] = []): [string, string][] {
  const levels = levelsOf(model);
  if (model.kind === "unet") return unetRows(model, levels);
  const networks = summarise(model);
  const parameters = networks.reduce((total, network) => total + network.parameters, 0);
  return [
    ["kind", levels === 0 ? "flat denoiser" : `multi-scale denoiser, ${levelsText(model, levels)}`],
    imagesRow(model, levels),
    ["parameters", formatCount(parameters)],
    ...networks.map((network, i): [string, string] => [label(network, levels), line(network, names[i])]),
  ];
}

function unetRows(model: UnetModel, levels: number): [string, string][] {
  const { widths, encoder, decoder } = bandUnetConfigOf(model.network);
  const blocks = `${encoder.join(", ")} down and ${decoder.join(", ")} up`;
  return [
    ["kind", `wavelet U-Net denoiser, ${levelsText(model, levels)}`],
    imagesRow(model, levels),
    ["parameters", formatCount(countParameters(model.network))],
    ["network", `widths ${widths.join(", ")} from the finest level; residual blocks ${blocks}`],
  ];
}

/** Haar goes without saying. */
function levelsText({ wavelet }: LocalModel, levels: number): string {
  return `${levels} ${levels === 1 ? "level" : "levels"}${wavelet === "haar" ? "" : ` of ${wavelet}`}`;
}

function imagesRow({ channels }: LocalModel, levels: number): [string, string] {
  const extents = levels === 0 ? "" : `, extents in multiples of ${2 ** levels}`;
  return ["images", `${channels === 1 ? "gray" : "colour"}${extents}`];
}

/** The same for programs. */
export function modelJson(model: LocalModel): Readonly<Record<string, unknown>> {
  if (model.kind === "unet") {
    const { channels, ...network } = bandUnetConfigOf(model.network);
    const parameters = countParameters(model.network);
    const { wavelet } = model;
    return { kind: "wavelet-unet", wavelet, channels, levels: levelsOf(model), parameters, network };
  }
  const networks = summarise(model);
  return {
    kind: model.details.length === 0 ? "flat" : "multi-scale",
    ...(model.details.length === 0 ? {} : { wavelet: model.wavelet }),
    channels: model.channels,
    levels: model.details.length,
    parameters: networks.reduce((total, network) => total + network.parameters, 0),
    networks,
  };
}

function label({ role, level }: LocalNetworkSummary, levels: number): string {
  if (role === "details") return `details, level ${level}`;
  return levels === 0 ? "network" : `low-pass, level ${levels}`;
}

function line(
  { kernels, receptiveField, inputs, outputs, parameters }: LocalNetworkSummary,
  name: string | undefined,
): string {
  const size = `${kernels.length} convolutions, sees ${receptiveField} x ${receptiveField}`;
  const from = name === undefined ? "" : `, from ${name}`;
  return `${inputs} -> ${outputs} channels, ${size}, ${formatCount(parameters)} parameters${from}`;
}
