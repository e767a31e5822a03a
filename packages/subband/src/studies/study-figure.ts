/**
 * @module The figure of a denoising study, after Figure 3 of Kadkhodaie et al. (2023): PSNR out against PSNR in, one line
 * a method; beside it the same as differences from one method, since lines that are 0.3 dB apart look alike on 30 dB.
 */
import { unknownName } from "onnxgrad";
import { lineChart, type Series } from "./line-chart.ts";
import type { StudyRow } from "./local-study.ts";
import { meansOf } from "./study-tables.ts";

/** Differences beyond this are cut off, dB: those within 1 dB are what is looked for. */
const MOST_DIFFERENCE = 4;

/**
 * The figure as SVG text; differences are from the method `reference`.
 * @throws UserError `unknown/method`.
 */
export function studyFigure(rows: readonly StudyRow[], reference: string): string {
  const means = meansOf(rows);
  const base = means.get(reference);
  if (base === undefined) throw unknownName("method", reference, [...means.keys()]);
  const peers = new Set(rows.filter(({ isPeer }) => isPeer).map(({ method }) => method));
  const series = (less: (sigma: number) => number): Series[] =>
    [...means].map(([name, levels]) => ({
      name,
      dashed: peers.has(name),
      points: [...levels]
        .map(([sigma, { psnrIn, psnrOut }]) => [psnrIn, psnrOut - less(sigma)] as const)
        .toSorted(([a], [b]) => a - b),
    }));
  const marks = [...base].map(([sigma, { psnrIn }]) => [psnrIn, String(sigma)] as const);
  const axes = { xLabel: "PSNR in (dB)", marks, marksLabel: "noise deviation, of 255" };
  return lineChart([
    { title: "Denoising", yLabel: "PSNR out (dB)", series: series(() => 0), ...axes },
    {
      title: `Against ${reference}`,
      yLabel: `difference of PSNR out (dB), within ±${MOST_DIFFERENCE}`,
      yLimits: [-MOST_DIFFERENCE, MOST_DIFFERENCE],
      series: series((sigma) => base.get(sigma)!.psnrOut),
      ...axes,
    },
  ]);
}
