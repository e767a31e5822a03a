/**
 * @module How far a stage is, told by the images that it has seen: a line made of pieces, kept in `run.json`. Whatever
 * depends on progress (learning rates, scores, previews, whose turn it is) is a function of this line and of images, never
 * of the clock that may have drawn it, so a run can be resumed and replayed exactly.
 */

/**
 * From image `from` on, progress grows evenly and would reach 1 at image `total`. Where `progress` is given, it starts
 * again from there: the run was extended.
 */
export type Knot =
  readonly [from: number, total: number] | readonly [from: number, total: number, progress: number];

/** Knots in the order of their images; none as long as nobody knows how long the stage will take. */
export type Pace = readonly Knot[];

/** The pace of a stage that sees `images` images. */
export function evenPace(images: number): Pace {
  return [[0, images]];
}

/** The images that the stage will have seen in the end, as planned last; undefined before there is a plan. */
export function plannedImages(pace: Pace): number | undefined {
  return pace.at(-1)?.[1];
}

/** The planned images of every stage that has a plan. */
export function plannedTotals(paces: Readonly<Record<string, Pace>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(paces).flatMap(([stage, pace]) => {
      const total = plannedImages(pace);
      return total === undefined ? [] : [[stage, total] as const];
    }),
  );
}

/** The pace without what was decided after `images`: what a checkpoint of then knows of it. */
export function paceUntil(pace: Pace, images: number): Pace {
  return pace.filter(([from]) => from <= images);
}

/** Progress in [0, 1] with which the step after `images` images is made; 1 when there is none. */
export function progressAt(pace: Pace, images: number): number {
  return along(pace, images, ([from]) => from <= images);
}

/** Progress in [0, 1] with which the stage arrived at `images` images; differs from {@link progressAt} at a new start. */
export function progressBefore(pace: Pace, images: number): number {
  return along(pace, images, ([from]) => from < images);
}

/** Whether the stage ended at `images` images, be it that it was extended afterwards. */
export function endsAt(pace: Pace, images: number): boolean {
  return (
    progressBefore(pace, images) >= 1 || pace.some(([from, total]) => from === images && total <= images)
  );
}

/** Follows the knots that count. */
function along(pace: Pace, images: number, counts: (knot: Knot) => boolean): number {
  let begun = 0;
  let last: Knot | undefined;
  for (const knot of pace) {
    if (!counts(knot)) break;
    begun = knot[2] ?? (last === undefined ? 0 : piece(last, begun, knot[0]));
    last = knot;
  }
  return last === undefined ? 0 : piece(last, begun, images);
}

function piece([from, total]: Knot, begun: number, images: number): number {
  return images >= total ? 1 : begun + (1 - begun) * ((images - from) / (total - from));
}
