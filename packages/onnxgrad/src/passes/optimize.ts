/** @module The ordered list of passes that every graph goes through before it is lowered. */
import { atOnce } from "../slices.ts";
import type { Tensor } from "../trace/tensor.ts";
import { arithmeticIdentities } from "./arithmetic-identities.ts";
import { commonSubexpressions } from "./common-subexpressions.ts";
import { concatOfSplit } from "./concat-of-split.ts";
import { mergeShapeChanges } from "./merge-shape-changes.ts";
import { rewriting, type Rule } from "./rewrite.ts";
import { verify } from "./verify.ts";

/** Factories, since a rule may remember what it has seen. Nodes that nothing uses vanish by not being reached. */
const PASSES: readonly (() => Rule)[] = [
  () => mergeShapeChanges,
  () => concatOfSplit,
  () => arithmeticIdentities,
  commonSubexpressions,
];

/** Whether to verify the graph after each pass; default false. */
export interface OptimizeOptions {
  readonly debug?: boolean;
}

/** Applies all passes, twice, since later ones open work for earlier ones; `debug` verifies the graph after each. */
export function optimize(outputs: readonly Tensor[], options: OptimizeOptions = {}): Tensor[] {
  return atOnce(optimizing(outputs, options));
}

/** {@link optimize} in pieces. */
export function* optimizing(
  outputs: readonly Tensor[],
  { debug = false }: OptimizeOptions = {},
): Generator<void, Tensor[]> {
  let current = [...outputs];
  for (let round = 0; round < 2; round++)
    for (const pass of PASSES) {
      current = yield* rewriting(current, pass());
      if (debug) verify(current);
    }
  return current;
}
