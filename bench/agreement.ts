/** @module What both sides of a bench must agree on before anything is timed, and what they agreed on as notes. */

/** Outputs of a network may differ by this much: float32 sums in another order. */
const OUTPUT_TOLERANCE = 1e-4;
/** Losses of the first steps, relative. */
const LOSS_TOLERANCE = 1e-3;

/** What a PyTorch peer answers to `setup`. */
export interface PeerAnswer {
  readonly versions: string;
  /** Memory layout that it took, and milliseconds of a step in each. */
  readonly layout: string;
  readonly trials: Readonly<Record<string, number>>;
  readonly parameters: Readonly<Record<string, number>>;
  /** Largest distance of each network's output from ours. */
  readonly differences: Readonly<Record<string, number>>;
  /** Losses of the first steps. */
  readonly losses: readonly Readonly<Record<string, number>>[];
}

/** What both sides agree on, as notes. @throws Error where they do not. */
export function agreement(
  answer: Readonly<Record<string, unknown>>,
  parameters: Readonly<Record<string, number>>,
  losses: readonly Readonly<Record<string, number>>[],
): string[] {
  const theirs = answer as unknown as PeerAnswer;
  for (const [name, count] of Object.entries(theirs.parameters))
    if (parameters[name] !== count)
      throw new Error(`${name}: ${parameters[name]} parameters here, ${count} in the peer`);
  for (const [name, difference] of Object.entries(theirs.differences))
    if (!(difference <= OUTPUT_TOLERANCE))
      throw new Error(`${name}: outputs differ by ${difference}, at most ${OUTPUT_TOLERANCE} is allowed`);
  let worst = 0;
  theirs.losses.forEach((step, i) => {
    for (const [name, value] of Object.entries(step)) {
      const relative = Math.abs(losses[i]![name]! / value - 1);
      if (!(relative <= LOSS_TOLERANCE))
        throw new Error(`step ${i}, ${name}: ${losses[i]![name]} here, ${value} in the peer`);
      worst = Math.max(worst, relative);
    }
  });
  const trials = Object.entries(theirs.trials).map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`);
  const outputs = Object.entries(theirs.differences).map(([name, d]) => `${name} ${d.toExponential(1)}`);
  return [
    `${theirs.versions}, ${theirs.layout} (${trials.join(", ")})`,
    `same parameter counts; network outputs differ by at most ${outputs.join(", ")}; losses of ${theirs.losses.length} steps by ${worst.toExponential(1)} relative`,
  ];
}
