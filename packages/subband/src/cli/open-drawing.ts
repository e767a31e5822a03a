/** @module What `sample`, `export` and `evaluate` share: how what was opened draws, and what is told of its weights. */
import type { DrawChoice, DrawStep } from "../systems/draw.ts";
import { requireOptions } from "../systems/presets.ts";
import type { Drawable } from "../training/open-drawable.ts";
import type { DrawingFlags } from "./drawing-options.ts";
import { bestLine } from "./format.ts";

/** How images are drawn, all chosen. */
export interface Drawing {
  readonly chosen: DrawChoice;
  readonly steps: readonly DrawStep[];
  /** For people. */
  readonly described: readonly (readonly [what: string, how: string])[];
}

/**
 * Chooses how to draw.
 * @throws UserError `config/option` for an option that others have; what does not fit.
 */
export function drawingOf(
  { owner, options, draw }: Pick<Drawable, "owner" | "options" | "draw">,
  asked: DrawingFlags["asked"],
): Drawing {
  requireOptions("drawing", owner, options, asked);
  const chosen = draw.choose(asked);
  return { chosen, steps: draw.steps(chosen), described: draw.describe(chosen) };
}

/** The row that says where the best weights stood; none where the last were taken. */
export function weightsRows({ weights, best }: Pick<Drawable, "weights" | "best">): [string, string][] {
  return weights === "last" ? [] : [["best weights", bestLine(best)]];
}
