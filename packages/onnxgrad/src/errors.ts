/** @module Errors of the project. A `UserError` is one clear line: what is wrong, the allowed set, the remedy. */

/**
 * A mistake the user can mend. The message is one line: `kind: value`, what was expected, and the remedy. Names that it
 * quotes may come out of files: whatever is no text to read in it is written out, see {@link printable}.
 * Command lines print it without a stack and exit with 1.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
  /** Stable machine-readable reason, for callers that branch on it, e.g. `data/empty`. */
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(printable(message.replaceAll(/[^\S\n]*\n\s*/g, " ")), options);
    this.code = code;
  }
}

/** A wrongly built graph: the message names the operation, its shapes, the module path and the remedy. */
export class GraphError extends UserError {
  override readonly name: string = "GraphError";
  constructor(message: string, options?: ErrorOptions) {
    super("graph", message, options);
  }
}

/** Throws `internal: message` when `condition` is false: a bug of ours, never a mistake of the user. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal: ${message}`);
}

/**
 * What a terminal would obey rather than show, or a reader would not see: control characters (of which escape sequences
 * are made), line separators, invisible and reordering characters, halves of surrogate pairs.
 */
const UNPRINTABLE =
  /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** The text with everything that a terminal would obey instead of showing written as `\n`, `\t`, `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0)!;
    if (character === "\n") return String.raw`\n`;
    if (character === "\t") return String.raw`\t`;
    if (code < 256) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 65_536 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** The value as JSON whose text is printable too, by JSON's own escapes: a program reads what was there. */
export function printableJson(value: unknown): string {
  const unit = (character: string, i: number) =>
    `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, i) => unit(character, i)).join(""),
  );
}

/** Longest name that {@link quoteName} gives whole. */
const LONGEST_NAME = 120;

/** A name that somebody else chose (out of a file, of a file) as a message shows it: in quotes, printable, not endless. */
export function quoteName(name: string): string {
  const characters = printable(name.slice(0, LONGEST_NAME));
  return `"${characters}${name.length > LONGEST_NAME ? "..." : ""}"`;
}

/** The entry of `known` nearest to `word` by edit distance, or undefined when none is near enough to suggest. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `unknown <kind>: "<word>". Did you mean "x"? Known: a, b, c.` as a {@link UserError}. */
export function unknownName(kind: string, word: string, known: readonly string[]): UserError {
  const near = didYouMean(word, known);
  const hint = near === undefined ? "" : ` Did you mean ${quoteName(near)}?`;
  return new UserError(
    `unknown/${kind.replaceAll(" ", "-")}`,
    `unknown ${kind}: ${quoteName(word)}.${hint} Known: ${known.map(printable).join(", ")}.`,
  );
}

/** Levenshtein distance by the two-row dynamic programme. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitute));
    }
    previous = row;
  }
  return previous[b.length]!;
}
