/** @module What `sample`, `export` and `evaluate` share: how they are asked to draw, and what is opened for that. */
import type { DrawChoice, DrawStep } from "../systems/draw.ts";
import type { Json } from "../systems/options.ts";
import { requireOptions } from "../systems/presets.ts";
import type { Drawable } from "../training/open-drawable.ts";

/** What decides how images are drawn. */
export interface DrawingFlags {
  /** `last` or `best`. */
  readonly weights?: string | undefined;
  /** Options of presets, read. */
  readonly asked: Readonly<Record<string, Json>>;
}

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
