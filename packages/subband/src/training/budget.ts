/**
 * @module Turns a budget of minutes into a number of images for every stage, once, by timing its programs. From then on a
 * run depends on images alone, so that it can be repeated and resumed exactly.
 */
import type { Stage } from "../systems/stage.ts";
import { type RunnerOptions, StageRunner } from "./stage-runner.ts";

/** Fraction of a stage's steps that each program makes, found by asking `select` along the way. */
function programShares(stage: Stage, seed: number): ReadonlyMap<string, number> {
  const probes = 2000;
  const counts = new Map<string, number>();
  for (let step = 0; step < probes; step++) {
    const name = stage.select({
      seed,
      step,
      imagesSeen: step * stage.batch,
      progress: step / probes,
      lrScale: 1,
    });
    counts.set(name, (counts.get(name) ?? 0) + 1 / probes);
  }
  return counts;
}

/** Seconds of one step of a stage, averaged over its programs as they will be used. */
export async function measureStepSeconds(stage: Stage, options: RunnerOptions, repeats = 5): Promise<number> {
  let seconds = 0;
  for (const [name, share] of programShares(stage, options.seed)) {
    // A runner of its own for each program: its state is thrown away.
    const runner = new StageRunner({ ...stage, select: () => name }, options);
    const times: number[] = [];
    for (let i = 0; i < repeats + 2; i++) {
      const { stepMs } = await runner.step(1e9, 0);
      if (i >= 2) times.push(stepMs);
    }
    await runner.dispose();
    times.sort((a, b) => a - b);
    seconds += (share * times[Math.floor(times.length / 2)]!) / 1000;
  }
  return seconds;
}

/**
 * Images for each stage that together take the seconds left once their programs have been timed, split by the stages'
 * shares; at least one batch each.
 */
export async function imagesForSeconds(
  stages: readonly Stage[],
  options: RunnerOptions,
  secondsLeft: () => number,
): Promise<Readonly<Record<string, number>>> {
  const stepSeconds: number[] = [];
  for (const stage of stages) stepSeconds.push(await measureStepSeconds(stage, options));
  const seconds = secondsLeft();
  return Object.fromEntries(
    stages.map((stage, i) => {
      const steps = Math.max(1, Math.round((stage.share * seconds) / stepSeconds[i]!));
      return [stage.name, steps * stage.batch];
    }),
  );
}
