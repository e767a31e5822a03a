/**
 * @module What commands can be asked about presets, made of their own options: of training, or of drawing. Imported for
 * those commands only, since presets bring the systems along.
 */
import type { Command } from "commander";
import { flagName, type Json, listed } from "../systems/options.ts";
import type { AnyPreset } from "../systems/preset.ts";
import {
  DEFAULT_PRESET,
  type OptionKind,
  type PresetOption,
  presetOptions,
  presets,
} from "../systems/presets.ts";

/** Adds `--preset`, `--from`, and the options of training of every preset. */
export function addTrainingOptions(command: Command): void {
  const beginners = names(presets.filter(({ from }) => from !== undefined));
  command
    .option("--preset <name>", `which system (default: ${DEFAULT_PRESET.name}); see below`)
    .option("--from <model>", `${beginners}: begin with the weights of a model, of a run, or of builtin`);
  addOptions(command, "training", helpOf);
  const width = Math.max(...presets.map(({ name }) => name.length));
  const rows = presets.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  command.addHelpText("after", `\nPresets:\n${rows.join("\n")}`);
}

/** Adds the options of drawing of every preset. */
export function addDrawingOptions(command: Command): void {
  addOptions(command, "drawing", ({ option }) => option.help);
}

/** Adds options of every preset, each group under a heading. */
function addOptions(command: Command, kind: OptionKind, help: (option: PresetOption) => string): void {
  const options = presetOptions(kind);
  for (const heading of new Set(options.map(headingOf))) {
    command.optionsGroup(heading);
    for (const each of options.filter((other) => headingOf(other) === heading))
      command.option(each.option.flag, help(each));
  }
}

/**
 * What was typed for options of presets, read; `refuse` is called with one line for the first that is wrong.
 * @throws UserError of options that are names, and whatever `refuse` throws.
 */
export function readTyped(
  kind: OptionKind,
  flags: object,
  refuse: (message: string) => never,
): Readonly<Record<string, Json>> {
  const found: Record<string, Json> = {};
  for (const { key, option } of presetOptions(kind)) {
    const given = (flags as Readonly<Record<string, unknown>>)[attributeOf(flagName(option))];
    if (given === undefined) continue;
    const wrong = () => refuse(`${flagName(option)}: ${JSON.stringify(given)}; give ${option.takes}.`);
    found[key] = option.read(given) ?? wrong();
  }
  return found;
}

/** Where commander puts a flag: `--edm-low` is `edmLow`. */
function attributeOf(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function headingOf({ presets: owners }: PresetOption): string {
  if (owners.length === presets.length) return "Options of every preset:";
  return `Options of ${names(owners)}:`;
}

/** `preset local`, `presets sgm, wsgm and local`. */
function names(of: readonly AnyPreset[]): string {
  return `${of.length === 1 ? "preset" : "presets"} ${listed(of.map(({ name }) => name))}`;
}

/** Its help, with the default of each preset: "(default: 64; wmgm-faithful 128)". */
function helpOf({ key, option, presets: owners }: PresetOption): string {
  const [first, ...others] = owners.map((owner) => ({ owner, value: defaultOf(owner, key) }));
  if (first!.value === false) return option.help;
  const different = others.filter(({ value }) => value !== first!.value);
  const exceptions = different.map(({ owner, value }) => `${owner.name} ${String(value)}`).join(", ");
  return `${option.help} (default: ${String(first!.value)}${exceptions === "" ? "" : `; ${exceptions}`})`;
}

/** What a preset chooses, of images of two sizes. */
function defaultOf(preset: AnyPreset, key: string): Json {
  const [small, large] = [64, 256].map(
    (side) => preset.choose({}, { channels: 3, height: side, width: side })[key]!,
  );
  return small === large ? small! : "by size";
}
