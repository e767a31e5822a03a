/** @module Where a command puts the one file that it makes of a run, or of several: in one, beside its own files, or elsewhere. */
import { UserError } from "onnxgrad/errors";
import { checkFilePlan } from "./file-plan.ts";
import { readsAt } from "./planned-reads.ts";

/** What is made of runs. */
export type RunOutput = "statistics" | "sampler";

/** How its files may end, and what is said of any other name. */
const KINDS: Readonly<
  Record<RunOutput, { readonly code: string; readonly endings: RegExp; readonly told: string }>
> = {
  statistics: {
    code: "evaluate/name",
    endings: /\.csv$/i,
    told: "the band statistics are written as CSV. Give --out a name that ends with .csv.",
  },
  sampler: {
    code: "export/name",
    endings: /\.(?:onnx|ort)$/i,
    told: "the sampler is written as ONNX. Give --out a name that ends with .onnx, or - for stdout.",
  },
};

/**
 * Refuses a place that is taken or cannot be written, and another format's name.
 * @throws UserError `file/...`; `evaluate/name`, `export/name`.
 */
export function requirePlaceFor(kind: RunOutput, about: string | readonly string[], out: string): void {
  const reads = [about].flat().flatMap((run) => readsAt(run, "the run"));
  checkFilePlan({ reads, writes: [{ path: out, what: "--out" }], about });
  const { code, endings, told } = KINDS[kind];
  if (!endings.test(out)) throw new UserError(code, `"${out}": ${told}`);
}
