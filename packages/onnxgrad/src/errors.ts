/** @module Errors of the project. A `UserError` is one clear line: what is wrong, the allowed set, the remedy. */

/**
 * A mistake the user can mend. The message is one line: `kind: value`, what was expected, and the remedy.
 * Command lines print it without a stack and exit with 1.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
  /** Stable machine-readable reason, for callers that branch on it, e.g. `data/empty`. */
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
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
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  return new UserError(
    `unknown/${kind.replaceAll(" ", "-")}`,
    `unknown ${kind}: "${word}".${hint} Known: ${known.join(", ")}.`,
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
