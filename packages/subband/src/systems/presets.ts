/** @module Every preset, the default first: the only list. */
import { unknownName, UserError } from "onnxgrad";
import { local } from "./local/preset.ts";
import { localUnet } from "./local-unet/preset.ts";
import { flagName, type Json, type Option } from "./options.ts";
import type { AnyPreset } from "./preset.ts";
import { wmgm } from "./wmgm/preset.ts";
import { wmgmFaithful } from "./wmgm-faithful/preset.ts";

/** Every preset, the default first. */
export const presets: readonly AnyPreset[] = [wmgm, wmgmFaithful, local, localUnet];

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

/** An option of training, and whose it is. */
export interface TrainingOption {
  /** Its name in requests and in runs. */
  readonly key: string;
  readonly option: Option;
  /** In the order of the list. */
  readonly presets: readonly AnyPreset[];
}

/** Every option of training, those that all presets have first. */
export function trainingOptions(all: readonly AnyPreset[] = presets): readonly TrainingOption[] {
  const found = new Map<string, { key: string; option: Option; presets: AnyPreset[] }>();
  for (const preset of all)
    for (const [key, option] of Object.entries(preset.training)) {
      const known = found.get(key);
      if (known === undefined) found.set(key, { key, option, presets: [preset] });
      else known.presets.push(preset);
    }
  return [...found.values()].sort(
    (a, b) => Number(b.presets.length === all.length) - Number(a.presets.length === all.length),
  );
}

/**
 * What was asked, read by the options of `preset`.
 * @throws UserError `config/option` for an option of other presets, or a value that it does not take.
 */
export function readOptions(
  preset: AnyPreset,
  asked: Readonly<Record<string, unknown>>,
): Readonly<Record<string, Json>> {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [key, readOption(preset, key, value)]));
}

function readOption(preset: AnyPreset, key: string, given: unknown): Json {
  const option = Object.hasOwn(preset.training, key) ? preset.training[key] : undefined;
  if (option === undefined) throw noSuchOption(preset, key);
  const value = option.read(given);
  if (value !== undefined) return value;
  throw new UserError(
    "config/option",
    `${flagName(option)}: ${JSON.stringify(given)}; give ${option.takes}.`,
  );
}

function noSuchOption({ name, training }: AnyPreset, key: string): UserError {
  const elsewhere = trainingOptions().find((each) => each.key === key);
  if (elsewhere === undefined) return unknownName(`option of preset ${name}`, key, Object.keys(training));
  const owners = elsewhere.presets.map((owner) => owner.name).join(" and ");
  return new UserError(
    "config/option",
    `${flagName(elsewhere.option)}: preset ${name} has no such option. It belongs to --preset ${owners}.`,
  );
}
