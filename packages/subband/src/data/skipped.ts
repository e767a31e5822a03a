/** @module What a data set left out: counted by reason, and the first of each reason by name. */
import { printableJson } from "onnxgrad/errors";
import type { SkippedFile } from "./image-folder.ts";

/** Count of images or files left out, by reason. */
export type Skipped = Readonly<Record<string, number>>;

/** The first {@link MOST_NAMES} of each reason. */
export type SkippedNames = Readonly<Record<string, readonly string[]>>;

/** Files of one reason that are kept by name. */
export const MOST_NAMES = 100;
/** Files of one reason that a line of text names. */
const SHOWN = 3;

/** Counts and names of what was left out, in the order given. */
export interface Leftovers {
  readonly skipped: Skipped;
  readonly skippedNames: SkippedNames;
}

/** Counts files by reason and keeps the first names. */
export function tallySkipped(files: readonly SkippedFile[]): Leftovers {
  const skipped: Record<string, number> = {};
  const skippedNames: Record<string, string[]> = {};
  for (const { name, reason } of files) {
    skipped[reason] = (skipped[reason] ?? 0) + 1;
    const names = (skippedNames[reason] ??= []);
    if (names.length < MOST_NAMES) names.push(name);
  }
  return { skipped, skippedNames };
}

/** What a data set left out. */
export function leftoversOf({
  skipped,
  skippedNames = {},
}: Partial<Leftovers> & Pick<Leftovers, "skipped">): Leftovers {
  return { skipped, skippedNames };
}

/** What both left out, the first one's reasons and names first. */
export function mergeLeftovers(first: Leftovers, second: Partial<Leftovers>): Leftovers {
  const skipped: Record<string, number> = { ...first.skipped };
  const skippedNames: Record<string, readonly string[]> = { ...first.skippedNames };
  for (const [reason, count] of Object.entries(second.skipped ?? {})) {
    skipped[reason] = (skipped[reason] ?? 0) + count;
    const names = [...(skippedNames[reason] ?? []), ...(second.skippedNames?.[reason] ?? [])];
    skippedNames[reason] = names.slice(0, MOST_NAMES);
  }
  return { skipped, skippedNames };
}

/** `3 animated, 1 empty file`, or `none`: what a data set left out, for one line of output. */
export function describeSkipped(skipped: Skipped): string {
  const parts = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

/** `2 corrupt or truncated: "a.jpg", "b.jpg"` for each reason; of many files the first three, and how many more. */
export function describeSkippedFiles({ skipped, skippedNames = {} }: Partial<Leftovers>): string[] {
  return Object.entries(skipped ?? {}).map(([reason, count]) => {
    const shown = (skippedNames[reason] ?? []).slice(0, SHOWN);
    if (shown.length === 0) return `${count} ${reason}`;
    const more = count > shown.length ? ` and ${count - shown.length} more` : "";
    return `${count} ${reason}: ${shown.map((name) => printableJson(name)).join(", ")}${more}`;
  });
}
