/**
 * @module What commands print: results on stdout, as lines for people or as one JSON object; notes on stderr. Names out
 * of files come along, so whatever a terminal would obey instead of showing is written out here, where text leaves.
 */
import { printable, printableJson } from "onnxgrad/errors";
import type { Context } from "./context.ts";

/** The result of a command, told twice. */
export interface Result {
  /** For people. */
  readonly lines: readonly string[];
  /** For programs, with `--json`: printed alone as the last line of stdout. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** Prints what a command did, in the way the user asked for; with `--quiet` only for programs. */
export function emit(context: Context, result: Result): void {
  if (context.json || !context.quiet) answer(context, result);
}

/** Prints what a command was asked to find out: its answer, which `--quiet` does not suppress. */
export function answer(context: Context, { lines, json }: Result): void {
  const text = context.json ? printableJson(withInfinities(json)) : lines.map(printable).join("\n");
  if (text !== "") context.stdout.write(`${text}\n`);
}

/** The same with `"Infinity"`, `"-Infinity"` and `"NaN"` for the numbers that JSON has no form for. */
export function withInfinities(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(withInfinities);
  if (typeof value !== "object" || value === null || "toJSON" in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withInfinities(inner)]));
}

/** Tells people something that is no result: a warning, what to do next. */
export function note(context: Context, line: string): void {
  if (!context.quiet) complain(context, line);
}

/** Tells what is wrong with what was opened, where something is. */
export function tellWarning(
  tell: (line: string) => void,
  { warning }: { readonly warning?: string | undefined },
): void {
  if (warning !== undefined) tell(`warning: ${warning}`);
}

/** Tells people what went wrong, even with `--quiet`. */
export function complain(context: Context, line: string): void {
  context.stderr.write(`${printable(line)}\n`);
}

/** Rows of equal length as lines, numbers below each other, two spaces between columns. */
export function formatColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) => row.map((cell, i) => cell.padStart(widths[i]!)).join("  "));
}

/** `[["images", "4,096"], ["size", "64 x 64"]]` as lines with the values below each other. */
export function formatTable(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd());
}
