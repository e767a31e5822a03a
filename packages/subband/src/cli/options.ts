/** @module Values of options, parsed for every command alike; a bad one is wrong usage. */
import { type Command, InvalidArgumentError } from "commander";

/** Pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** `64` is 64 x 64, `64x48` is 64 wide and 48 high. */
export function parseSize(text: string): Size {
  const [, width, height = width] = /^(\d{1,5})(?:x(\d{1,5}))?$/i.exec(text.trim()) ?? [];
  if (width === undefined || Number(width) < 1 || Number(height) < 1)
    throw new InvalidArgumentError("Give pixels: 64, or WIDTHxHEIGHT as in 64x48.");
  return { height: Number(height), width: Number(width) };
}

/** A whole number of at least 1. */
export function parsePositive(text: string): number {
  const value = parseCount(text);
  if (value < 1) throw new InvalidArgumentError("Give a whole number of at least 1.");
  return value;
}

/** A whole number of at least 0. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text.trim()) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("Give a whole number of at least 0.");
  return value;
}

/** Adds examples below the help text of a command, one line each. */
export function addExamples(command: Command, lines: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
}
