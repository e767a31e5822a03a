/** @module Values of options, parsed for every command alike; a bad one is wrong usage. */
import { type Command, InvalidArgumentError } from "commander";
import { type Extent, extentOf } from "../systems/options.ts";
import { formatCount } from "./format.ts";

/** `64` is 64 x 64, `64x48` is 64 wide and 48 high. */
export function parseSize(text: string): Extent {
  const size = extentOf(text);
  if (size === undefined) throw new InvalidArgumentError("Give pixels: 64, or WIDTHxHEIGHT as in 64x48.");
  return size;
}

/** A path: any text but none. */
export function parsePath(text: string): string {
  if (text === "") throw new InvalidArgumentError("Give a path.");
  return text;
}

/** A whole number of at least 1. */
export function parsePositive(text: string): number {
  return parseWhole(text, 1);
}

/** A whole number of at least 0. */
export function parseCount(text: string): number {
  return parseWhole(text, 0);
}

/** Steps of a sampler, or samples of a picture: nobody waits for more. */
export function parseSteps(text: string): number {
  return parseWhole(text, 1, 10_000);
}

/** Threads inside one operation: a few more than there are cores do no harm, a billion end the process. */
export function parseThreads(text: string): number {
  return parseWhole(text, 1, MOST_THREADS);
}

/** More than any machine has cores. */
const MOST_THREADS = 1024;

/** Digits only: no sign, no exponent, no hexadecimals. */
function parseWhole(text: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (/^\d+$/.test(text.trim()) && value >= least && value <= most) return value;
  const bound = most < Number.MAX_SAFE_INTEGER || value > most ? ` and at most ${formatCount(most)}` : "";
  throw new InvalidArgumentError(`Give a whole number of at least ${least}${bound}.`);
}

/** Adds examples below the help text of a command, one line each. */
export function addExamples(command: Command, lines: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
}
