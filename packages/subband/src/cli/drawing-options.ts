/**
 * @module How `sample`, `evaluate` and `export` are asked to draw. What presets declare for it is imported when one of them
 * runs, since presets bring the systems along.
 */
import type { Command } from "commander";
import type { Json } from "../systems/options.ts";

/** What decides how images are drawn. */
export interface DrawingFlags {
  /** `last` or `best`. */
  readonly weights?: string | undefined;
  /** Options of presets, read. */
  readonly asked: Readonly<Record<string, Json>>;
}

/** The option that tells the weights of a run apart, for `command.option(...)`. */
export const WEIGHTS_OPTION = [
  "--weights <name>",
  "last, or best: of the moment with the best score (default: last)",
] as const;

/** Adds the options of drawing that presets declare, to a command that is about to be parsed. */
export async function complete(command: Command): Promise<void> {
  const { addDrawingOptions } = await import("./preset-options.ts");
  addDrawingOptions(command);
}

/** The flags of `command` with what was typed for options of presets; what cannot be read is wrong usage. */
export async function withDrawing<F extends object>(
  command: Command,
  flags: F,
): Promise<F & Pick<DrawingFlags, "asked">> {
  const { readTyped } = await import("./preset-options.ts");
  return { ...flags, asked: readTyped("drawing", flags, (message) => command.error(message)) };
}
