/** @module The schema of a pace, as `run.json` keeps it. */
import * as z from "zod";
import type { Pace as PaceData } from "../loop/pace.ts";

export type Pace = PaceData;

const Whole = z.int().nonnegative();

/** The schema of a {@link Pace}: knots in the order of their images. */
export const Pace: z.ZodType<PaceData> = z
  .array(z.union([z.tuple([Whole, Whole]), z.tuple([Whole, Whole, z.number().min(0).max(1)])]))
  .refine(
    (knots) => knots.every(([from], i) => i === 0 || from >= knots[i - 1]![0]),
    "not in the order of their images",
  );
