/** @module Every preset, the default first: the only list. */
import { unknownName, UserError } from "onnxgrad";
import { local } from "./local/preset.ts";
import { localUnet } from "./local-unet/preset.ts";
import { flagName, type Json, listed, type Option, type Options } from "./options.ts";
import type { AnyPreset } from "./preset.ts";
import { sgm } from "./sgm/preset.ts";
import { wmgm } from "./wmgm/preset.ts";
import { wmgmFaithful } from "./wmgm-faithful/preset.ts";
import { wsgm } from "./wsgm/preset.ts";

/** Every preset, the default first. */
export const presets: readonly AnyPreset[] = [wmgm, wmgmFaithful, sgm, wsgm, local, localUnet];

/** What a run is of unless asked otherwise. */
export const DEFAULT_PRESET: AnyPreset = presets[0]!;

/** The preset called `name`. @throws UserError `unknown/preset` with a suggestion. */
export function presetNamed(name: string): AnyPreset {
  const found = presets.find((each) => each.name === name);
  if (found) return found;
  throw unknownName(
    "preset",
    name,
    presets.map((each) => each.name),
  );
}

/** Options of training, or of drawing. */
export type OptionKind = "training" | "drawing";

/** An option, and whose it is. */
export interface PresetOption {
  /** Its name in requests and in runs. */
  readonly key: string;
  readonly option: Option;
  /** In the order of the list. */
  readonly presets: readonly AnyPreset[];
}

/** Every option of a kind, those that all presets have first. */
export function presetOptions(
  kind: OptionKind,
  all: readonly AnyPreset[] = presets,
): readonly PresetOption[] {
  const found = new Map<string, { key: string; option: Option; presets: AnyPreset[] }>();
  for (const preset of all)
    for (const [key, option] of Object.entries(preset[kind])) {
      const known = found.get(key);
      if (known === undefined) found.set(key, { key, option, presets: [preset] });
      else known.presets.push(preset);
    }
  return [...found.values()].sort(
    (a, b) => Number(b.presets.length === all.length) - Number(a.presets.length === all.length),
  );
}

/**
 * What was asked of a training, read by the options of `preset`.
 * @throws UserError `config/option` for an option of other presets, or a value that it does not take.
 */
export function readOptions(
  preset: AnyPreset,
  asked: Readonly<Record<string, unknown>>,
): Readonly<Record<string, Json>> {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  requireOptions("training", `preset ${preset.name}`, preset.training, Object.fromEntries(given));
  return Object.fromEntries(given.map(([key, value]) => [key, readOption(preset.training[key]!, value)]));
}

function readOption(option: Option, given: unknown): Json {
  const value = option.read(given);
  if (value !== undefined) return value;
  throw new UserError(
    "config/option",
    `${flagName(option)}: ${JSON.stringify(given)}; give ${option.takes}.`,
  );
}

/**
 * Refuses what of `asked` is no option of `owner`, which has `options`.
 * @throws UserError `config/option` for an option of other presets, `unknown/...` for one of none.
 */
export function requireOptions(
  kind: OptionKind,
  owner: string,
  options: Options,
  asked: Readonly<Record<string, unknown>>,
): void {
  const key = Object.keys(asked).find((each) => !Object.hasOwn(options, each));
  if (key === undefined) return;
  const elsewhere = presetOptions(kind).find((each) => each.key === key);
  if (elsewhere === undefined) throw unknownName(`option of ${owner}`, key, Object.keys(options));
  const owners = listed(elsewhere.presets.map(({ name }) => name));
  throw new UserError(
    "config/option",
    `${flagName(elsewhere.option)}: ${owner} has no such option. It belongs to --preset ${owners}.`,
  );
}
