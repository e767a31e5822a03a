/** @module The rows of a denoising study as CSV, and as Markdown tables for the docs. */
import { UserError, unknownName } from "onnxgrad";
import type { StudyRow } from "./local-study.ts";

/** Noise levels at which gains are stated, of 255, where they were measured. */
const GAIN_SIGMAS: readonly number[] = [25, 50, 100];

/** Columns of the CSV, and what stands in them. */
const COLUMNS: readonly (readonly [name: string, cell: (row: StudyRow) => string])[] = [
  ["method", ({ method }) => method],
  ["picture", ({ picture }) => picture.replaceAll(/[,"\n]/g, "_")],
  ["sigma", ({ sigma }) => String(sigma)],
  ["psnr_in", ({ psnrIn }) => psnrIn.toFixed(4)],
  ["psnr_out", ({ psnrOut }) => psnrOut.toFixed(4)],
  ["psnr_clipped", ({ psnrClipped }) => psnrClipped.toFixed(4)],
  ["ssim", (row) => row.ssim.toFixed(5)],
  ["mac_per_pixel", ({ macsPerPixel }) => macsPerPixel?.toFixed(0) ?? ""],
  ["parameters", ({ parameters }) => parameters?.toFixed(0) ?? ""],
  ["ms", ({ ms }) => ms.toFixed(1)],
];

/** Two methods, the first to be better. */
export interface Gain {
  readonly ours: string;
  readonly theirs: string;
}

/** Means of one method at one noise level, over the pictures. */
export interface Mean {
  readonly psnrIn: number;
  readonly psnrOut: number;
  readonly psnrClipped: number;
  readonly ssim: number;
}

/** One line a row, with a header. */
export function toCsv(rows: readonly StudyRow[]): string {
  const lines = rows.map((row) => COLUMNS.map(([, cell]) => cell(row)).join(","));
  return [COLUMNS.map(([name]) => name).join(","), ...lines, ""].join("\n");
}

/** Means over the pictures: by method, in the order of the rows, then by noise level. */
export function meansOf(rows: readonly StudyRow[]): ReadonlyMap<string, ReadonlyMap<number, Mean>> {
  const groups = new Map<string, Map<number, StudyRow[]>>();
  for (const row of rows) {
    const method = groups.get(row.method) ?? new Map<number, StudyRow[]>();
    method.set(row.sigma, [...(method.get(row.sigma) ?? []), row]);
    groups.set(row.method, method);
  }
  const mean = (group: readonly StudyRow[], of: (row: StudyRow) => number) =>
    group.reduce((total, row) => total + of(row), 0) / group.length;
  const summary = (group: readonly StudyRow[]): Mean => ({
    psnrIn: mean(group, ({ psnrIn }) => psnrIn),
    psnrOut: mean(group, ({ psnrOut }) => psnrOut),
    psnrClipped: mean(group, ({ psnrClipped }) => psnrClipped),
    ssim: mean(group, ({ ssim }) => ssim),
  });
  return new Map(
    [...groups].map(([name, levels]) => [
      name,
      new Map([...levels].map(([sigma, group]) => [sigma, summary(group)])),
    ]),
  );
}

/** PSNR, structural similarity and cost of each method, and the gains asked for, as Markdown. */
export function toMarkdown(rows: readonly StudyRow[], gains: readonly Gain[]): string {
  const means = meansOf(rows);
  const sigmas = [...(means.values().next().value?.keys() ?? [])];
  const table = (of: (mean: Mean) => number, digits: number) => {
    const best = new Map(
      sigmas.map((sigma) => [
        sigma,
        Math.max(...[...means.values()].map((levels) => Number(of(levels.get(sigma)!).toFixed(digits)))),
      ]),
    );
    const lines = [...means].map(([name, levels]) => [
      name,
      ...sigmas.map((sigma) => {
        const text = of(levels.get(sigma)!).toFixed(digits);
        return Number(text) === best.get(sigma) ? `**${text}**` : text;
      }),
    ]);
    return lines;
  };
  const head = ["sigma, of 255", ...sigmas.map(String)];
  const [levels] = means.values();
  const noisy = ["PSNR in", ...sigmas.map((sigma) => levels!.get(sigma)!.psnrIn.toFixed(2))];
  return [
    "PSNR out, dB; floats, nothing is clipped:\n",
    markdownTable(head, [noisy, ...table(({ psnrOut }) => psnrOut, 2)]),
    "PSNR out, dB, clipped to [0, 1]:\n",
    markdownTable(
      head,
      table(({ psnrClipped }) => psnrClipped, 2),
    ),
    "Structural similarity:\n",
    markdownTable(
      head,
      table(({ ssim }) => ssim, 3),
    ),
    "Cost:\n",
    costTable(rows),
    ...(gains.length === 0
      ? []
      : ["Gain in PSNR, dB (mean over pictures of the difference):\n", gainTable(rows, gains)]),
  ].join("\n");
}

/** Mean difference of PSNR out at {@link GAIN_SIGMAS} and the least at any level, with the ratio of operations. */
export function gainTable(rows: readonly StudyRow[], gains: readonly Gain[]): string {
  const means = meansOf(rows);
  const known = [...means.keys()];
  const sigmas = [...(means.get(known[0]!)?.keys() ?? [])];
  const stated = sigmas.filter((sigma) => GAIN_SIGMAS.includes(sigma));
  const lines = gains.map(({ ours, theirs }) => {
    const [a, b] = [ours, theirs].map((name) => {
      const found = means.get(name);
      if (found === undefined) throw unknownName("method", name, known);
      return found;
    });
    const difference = (sigma: number) => a!.get(sigma)!.psnrOut - b!.get(sigma)!.psnrOut;
    const worst = sigmas.reduce((low, sigma) => (difference(sigma) < difference(low) ? sigma : low));
    const macs = (name: string) => rows.find(({ method }) => method === name)?.macsPerPixel;
    const [mine, other] = [macs(ours), macs(theirs)];
    return [
      `${ours} over ${theirs}`,
      ...stated.map((sigma) => signed(difference(sigma))),
      `${signed(difference(worst))} at ${worst}`,
      mine === undefined || other === undefined ? "" : `${(mine / other).toFixed(2)}x`,
    ];
  });
  return markdownTable(["", ...stated.map((sigma) => `sigma ${sigma}`), "least", "operations"], lines);
}

/** @throws UserError `study/gain` unless the text is two names with a comma between. */
export function parseGain(text: string): Gain {
  const [ours = "", theirs = "", ...more] = text.split(",").map((name) => name.trim());
  if (ours === "" || theirs === "" || more.length > 0)
    throw new UserError("study/gain", `gain: "${text}". Give two methods, as in --gain ours,faithful.`);
  return { ours, theirs };
}

function costTable(rows: readonly StudyRow[]): string {
  const lines = [...new Set(rows.map(({ method }) => method))].map((name) => {
    const group = rows.filter(({ method }) => method === name);
    const times = group.map(({ ms, pixels }) => (1000 * ms) / pixels).toSorted((a, b) => a - b);
    const [{ parameters, macsPerPixel }] = group as [StudyRow];
    return [
      name,
      parameters?.toLocaleString("en-US") ?? "",
      macsPerPixel === undefined ? "" : (macsPerPixel / 1000).toFixed(1),
      times[Math.floor(times.length / 2)]!.toFixed(2),
    ];
  });
  return markdownTable(["method", "parameters", "thousand MAC a pixel", "s a megapixel, median"], lines);
}

function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  return [
    row(head),
    `|${head.map((_, i) => (i === 0 ? "---|" : "---:|")).join("")}\n`,
    ...lines.map(row),
  ].join("");
}

const signed = (v: number): string => `${v < 0 ? "-" : "+"}${Math.abs(v).toFixed(2)}`;
