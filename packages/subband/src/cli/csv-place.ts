/** @module Where the figures of an evaluation go: a CSV, in its run or elsewhere. */
import { UserError } from "onnxgrad/errors";
import { checkFilePlan } from "./file-plan.ts";
import { readsAt } from "./planned-reads.ts";

/**
 * Refuses another format's name, and a place that is taken or cannot be written.
 * @throws UserError `evaluate/name`, `file/...`.
 */
export function requireCsvPlace(run: string, out: string): void {
  checkFilePlan({ reads: readsAt(run, "the run"), writes: [{ path: out, what: "--out" }], about: run });
  if (!/\.csv$/i.test(out))
    throw new UserError(
      "evaluate/name",
      `"${out}": the band statistics are written as CSV. Give --out a name that ends with .csv.`,
    );
}
