/** @module The schema of roll-backs, as `run.json` keeps them. */
import { z } from "zod";
import type { Rollback } from "../loop/rollbacks.ts";

const Whole = z.int().nonnegative();

/** The schema of the {@link Rollback}s of a run, in the order of the images gone back to. */
export const Rollbacks: z.ZodType<readonly Rollback[]> = z
  .array(
    z.strictObject({
      stage: z.string(),
      step: Whole,
      images: z.record(z.string(), Whole),
      lrScale: z.number().positive().max(1),
    }),
  )
  .refine(
    (all) =>
      all.every(({ images }, i) =>
        Object.entries(images).every(([stage, from]) => i === 0 || from >= (all[i - 1]!.images[stage] ?? 0)),
      ),
    "not in the order of their images",
  );
