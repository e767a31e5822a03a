/** @module How far a training is, beside its arrays: the counters that a checkpoint keeps as text. */
import { UserError } from "onnxgrad";

/** When a stage's weights were best, and how good. */
export interface BestMoment {
  readonly imagesSeen: number;
  /** See `StageScore`: lower is better. */
  readonly score: number;
}

/** How far a stage is. */
export interface StageProgress {
  readonly step: number;
  readonly imagesSeen: number;
  /** Where the best weights stood; absent before the first score. */
  readonly best?: BestMoment;
}

/** How far all stages are. */
export interface Progress {
  /** Of every stage that has begun. */
  readonly stages: Readonly<Record<string, StageProgress>>;
  /** Factor on every learning rate. */
  readonly lrScale: number;
  readonly rollbacks: number;
}

/** @throws UserError `train/mismatch` when the text is not that of a {@link Progress}. */
export function parseProgress(text: string | undefined): Progress {
  try {
    const value = JSON.parse(text ?? "") as Progress;
    const whole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
    const good =
      Object.values(value.stages).every(
        ({ step, imagesSeen, best }) =>
          whole(step) &&
          whole(imagesSeen) &&
          (best === undefined || (whole(best.imagesSeen) && Number.isFinite(best.score))),
      ) &&
      value.lrScale > 0 &&
      whole(value.rollbacks);
    if (good) return value;
  } catch {
    // Falls through to the error below.
  }
  throw new UserError(
    "train/mismatch",
    "checkpoint: its progress record is missing or damaged. It was made by another version; choose another --out.",
  );
}
