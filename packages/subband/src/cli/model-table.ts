/** @module What commands tell about a local model: its networks, one a line, from the low-pass band to the finest. */
import { type LocalModel, type LocalNetworkSummary, summarise } from "../systems/local-model.ts";
import { formatCount } from "./format.ts";

/** Rows for people; `names` are the files that the networks came from, in the order of {@link summarise}. */
export function modelRows(model: LocalModel, names: readonly string[] = []): [string, string][] {
  const levels = model.details.length;
  const networks = summarise(model);
  const parameters = networks.reduce((total, network) => total + network.parameters, 0);
  return [
    [
      "kind",
      levels === 0 ? "flat denoiser" : `multi-scale denoiser, ${levels} ${levels === 1 ? "level" : "levels"}`,
    ],
    [
      "images",
      `${model.channels === 1 ? "gray" : "colour"}${levels === 0 ? "" : `, extents in multiples of ${2 ** levels}`}`,
    ],
    ["parameters", formatCount(parameters)],
    ...networks.map((network, i): [string, string] => [label(network, levels), line(network, names[i])]),
  ];
}

/** The same for programs. */
export function modelJson(model: LocalModel): Readonly<Record<string, unknown>> {
  const networks = summarise(model);
  return {
    kind: model.details.length === 0 ? "flat" : "multi-scale",
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
