/**
 * @module Puts imported networks together to a local model: which of them is the low-pass network, and which level the
 * others belong to, by their shapes, their names and, where names do not tell, the order in which they were given.
 */
import { basename } from "node:path";
import { UserError } from "onnxgrad";
import { type BfCnnNetwork, checkedConfigOf } from "../nn/bf-cnn-network.ts";
import { localModel, type PyramidModel, roleOf } from "../systems/parts/local/model.ts";

/** A network and the path of the file it came from. */
export interface NamedNetwork {
  readonly name: string;
  readonly network: BfCnnNetwork;
}

/** A model and where its networks came from. */
export interface AssembledModel {
  readonly model: PyramidModel;
  /** Names from the low-pass network to that of the finest details. */
  readonly names: readonly string[];
}

/** `rf13-scale0.pt` is of scale 0, the finest. */
const SCALE = /scale[-_]?(\d{1,2})(?!\d)/i;

/**
 * One network c -> c, alone or with conditional networks 4c -> 3c from the coarsest level to the finest. Scale numbers in
 * all the names of these (`scale0` the finest) count more than their order.
 * @throws UserError `local/networks` when a part is missing or comes twice; `local/channels`.
 */
export function assembleLocal(given: readonly NamedNetwork[]): AssembledModel {
  const roles = given.map((each) => ({ ...each, ...roleOf(checkedConfigOf(each.network)) }));
  const low = roles.filter(({ role }) => role === "low");
  const details = roles.filter(({ role }) => role === "details");
  const [first, second] = low;
  if (first === undefined)
    throw new UserError(
      "local/networks",
      `"${details[0]?.name ?? ""}" denoises details given their low-pass band, and nothing here makes that band. Give the ` +
        `low-pass network too: subband import low.pt rf13-scale1.pt rf13-scale0.pt`,
    );
  if (second !== undefined)
    throw new UserError(
      "local/networks",
      `"${first.name}" and "${second.name}" both denoise images or low-pass bands; a model has one of them. Import them ` +
        `one by one.`,
    );
  const finestFirst = byScale(details) ?? details.toReversed();
  return {
    model: localModel(
      first.network,
      finestFirst.map(({ network }) => network),
    ),
    names: [first.name, ...finestFirst.map(({ name }) => name).reverse()],
  };
}

/** Finest first, when every name has a scale number. */
function byScale<T extends NamedNetwork>(details: readonly T[]): T[] | undefined {
  const scales = new Map<number, T>();
  for (const each of details) {
    const scale = SCALE.exec(basename(each.name))?.[1];
    if (scale === undefined) return undefined;
    const other = scales.get(Number(scale));
    if (other !== undefined)
      throw new UserError(
        "local/networks",
        `"${other.name}" and "${each.name}" are both of scale ${Number(scale)}; a model has one network a scale.`,
      );
    scales.set(Number(scale), each);
  }
  const missing = details.findIndex((_, i) => !scales.has(i));
  if (missing >= 0)
    throw new UserError(
      "local/networks",
      `no network of scale ${missing} among ${details.map(({ name }) => `"${name}"`).join(", ")}: scales go from 0, the ` +
        `finest, without gaps.`,
    );
  return details.map((_, i) => scales.get(i)!);
}
