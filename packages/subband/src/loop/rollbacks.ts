/**
 * @module Where a training went back to after its numbers had stopped being finite, kept in `run.json`. The clock decides
 * what was saved last; from then on the factor on the learning rates is a function of this list and of images, so a run
 * that has rolled back can be resumed and replayed exactly. What was given up is not repeated.
 */

/** One roll-back. */
export interface Rollback {
  /** Where the numbers stopped being finite: the stage, and its steps by then. */
  readonly stage: string;
  readonly step: number;
  /** Images that each stage had seen in the state that was gone back to. */
  readonly images: Readonly<Record<string, number>>;
  /** Factor on the learning rates from there on, in (0, 1]. */
  readonly lrScale: number;
}

/** How many of the roll-backs have happened where stages have seen so many images: places never go backwards. */
export function rollbacksBy(rollbacks: readonly Rollback[], seen: Readonly<Record<string, number>>): number {
  return rollbacks.filter(({ images }) =>
    Object.entries(images).every(([stage, from]) => from <= (seen[stage] ?? 0)),
  ).length;
}

/** The factor on the learning rates of the step of `stage` after `images` images; 1 before any roll-back. */
export function lrScaleAt(rollbacks: readonly Rollback[], stage: string, images: number): number {
  return rollbacks.findLast((each) => (each.images[stage] ?? 0) <= images)?.lrScale ?? 1;
}

/**
 * The roll-backs of a training that goes back once more, to the images of `next`. The first `happened` count for good, even
 * if their places are behind that one, as a damaged checkpoint makes them; and so do those under which the state was made
 * that is gone back to. Others were to come in a run that was followed, and is followed no longer.
 */
export function withRollback(
  rollbacks: readonly Rollback[],
  happened: number,
  next: Rollback,
): readonly Rollback[] {
  const now = (stage: string) => next.images[stage] ?? 0;
  const kept = rollbacks.filter(
    ({ images }, i) => i < happened || Object.entries(images).some(([stage, from]) => from < now(stage)),
  );
  const until = ({ images, ...rollback }: Rollback): Rollback => ({
    ...rollback,
    images: Object.fromEntries(
      Object.entries(images).map(([stage, from]) => [stage, Math.min(from, now(stage))]),
    ),
  });
  return [...kept.map(until), next];
}
