/**
 * @module What `subband train` can be asked about presets, made of their own options. Imported for that command only, since
 * presets bring the systems along.
 */
import type { Command } from "commander";
import { flagName, type Json } from "../systems/options.ts";
import type { AnyPreset } from "../systems/preset.ts";
import { DEFAULT_PRESET, presets, trainingOptions, type TrainingOption } from "../systems/presets.ts";

/** Adds `--preset`, `--from`, and the options of every preset, each group under a heading. */
export function addPresetOptions(command: Command): void {
  const beginners = names(presets.filter(({ from }) => from !== undefined));
  command
    .option("--preset <name>", `which system (default: ${DEFAULT_PRESET.name}); see below`)
    .option("--from <model>", `${beginners}: begin with the weights of a model, of a run, or of builtin`);
  const options = trainingOptions();
  for (const heading of new Set(options.map(headingOf))) {
    command.optionsGroup(heading);
    for (const each of options.filter((other) => headingOf(other) === heading))
      command.option(each.option.flag, helpOf(each));
  }
  const width = Math.max(...presets.map(({ name }) => name.length));
  const rows = presets.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  command.addHelpText("after", `\nPresets:\n${rows.join("\n")}`);
}

/** What was typed for options of presets, by key, not read yet. */
export function typedOptions(flags: Readonly<Record<string, unknown>>): readonly TypedOption[] {
  return trainingOptions().flatMap((each) => {
    const given = flags[attributeOf(flagName(each.option))];
    return given === undefined ? [] : [{ ...each, given }];
  });
}

/** An option that was typed. */
export interface TypedOption extends TrainingOption {
  readonly given: unknown;
}

/** Where commander puts a flag: `--edm-low` is `edmLow`. */
function attributeOf(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function headingOf({ presets: owners }: TrainingOption): string {
  if (owners.length === presets.length) return "Options of every preset:";
  return `Options of ${names(owners)}:`;
}

/** `preset local`, `presets local and local-unet`. */
function names(of: readonly AnyPreset[]): string {
  return `${of.length === 1 ? "preset" : "presets"} ${of.map(({ name }) => name).join(" and ")}`;
}

/** Its help, with the default of each preset: "(default: 64; wmgm-faithful 128)". */
function helpOf({ key, option, presets: owners }: TrainingOption): string {
  const [first, ...others] = owners.map((owner) => ({ owner, value: defaultOf(owner, key) }));
  if (first!.value === false) return option.help;
  const different = others.filter(({ value }) => value !== first!.value);
  const listed = different.map(({ owner, value }) => `${owner.name} ${String(value)}`).join(", ");
  return `${option.help} (default: ${String(first!.value)}${listed === "" ? "" : `; ${listed}`})`;
}

/** What a preset chooses, of images of two sizes. */
function defaultOf(preset: AnyPreset, key: string): Json {
  const [small, large] = [64, 256].map(
    (side) => preset.choose({}, { channels: 3, height: side, width: side })[key]!,
  );
  return small === large ? small! : "by size";
}
