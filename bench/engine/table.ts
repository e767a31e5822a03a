/** @module The closing table of the engine bench: a line a workload. */
import type { Measured } from "../harness.ts";

/** What is known of one workload. */
export interface TableRow {
  readonly name: string;
  readonly train: Measured;
  readonly forward: Measured;
  /** Peak resident bytes of training. */
  readonly peak: { readonly ours: number; readonly theirs: number | undefined };
  readonly compileSeconds: number;
  /** JavaScript's share of a training step, 0..1. */
  readonly share: number;
}

const HEADER = [
  "",
  "train ms: ours",
  "PyTorch",
  "ratio",
  "forward ms: ours",
  "PyTorch",
  "ratio",
  "MB: ours",
  "PyTorch",
  "compile s",
  "JS %",
];

/** Milliseconds and ratios are those of the best runs, medians in brackets; `!` marks a busy machine. */
export function formatTable(rows: readonly TableRow[]): string {
  const both = (value: { readonly best: number; readonly median: number } | undefined, places: number) =>
    value === undefined ? "-" : `${value.best.toFixed(places)} (${value.median.toFixed(places)})`;
  const timings = (measured: Measured) => [
    both(measured.ours, 1),
    both(measured.theirs, 1),
    both(measured.ratio, 2) + (measured.quiet ? "" : " !"),
  ];
  const megabytes = (bytes: number | undefined) => (bytes === undefined ? "-" : (bytes / 1e6).toFixed(0));
  const cells = [
    HEADER,
    HEADER.map(() => "---"),
    ...rows.map(({ name, train, forward, peak, compileSeconds, share }) => [
      name,
      ...timings(train),
      ...timings(forward),
      megabytes(peak.ours),
      megabytes(peak.theirs),
      compileSeconds.toFixed(2),
      (100 * share).toFixed(1),
    ]),
  ];
  const widths = HEADER.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const lines = cells.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |\n`,
  );
  return `Best (median); ratio: PyTorch's time over ours${rows.every(({ train, forward }) => train.quiet && forward.quiet) ? "" : "; !: machine busy"}.\n${lines.join("")}`;
}
