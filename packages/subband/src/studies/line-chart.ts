/**
 * @module Line charts as SVG: panels side by side on a light background, one legend for all, lines told apart by colour
 * and by marker, axes with round numbers. Plain text, no dependency.
 */

/** A line; the same name has the same colour in every panel. */
export interface Series {
  readonly name: string;
  /** Ascending in x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly dashed?: boolean;
}

/** One chart. */
export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Named places on the x axis, told above the chart. */
  readonly marks?: readonly (readonly [x: number, label: string])[];
  readonly marksLabel?: string;
  /** What the y axis shows at most: lines are cut there. */
  readonly yLimits?: readonly [low: number, high: number];
}

/** Okabe and Ito's colours, told apart by most people, less yellow, and three more. */
const COLOURS = [
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#56B4E9",
  "#E69F00",
  "#000000",
  "#7A5195",
  "#8C6D31",
  "#7F7F7F",
] as const;

const PLOT = { width: 430, height: 340 };
const MARGIN = { top: 84, right: 24, bottom: 58, left: 70 };
const LEGEND = { line: 24, key: 42, letter: 8.2 };
const FONT = "font-family=\"'DejaVu Sans', 'Segoe UI', Helvetica, Arial, sans-serif\"";

/** The whole picture as SVG text. */
export function lineChart(panels: readonly Panel[]): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const outer = MARGIN.left + PLOT.width + MARGIN.right;
  const longest = Math.max(...names.map((name) => name.length));
  const width = panels.length * outer + LEGEND.key + Math.ceil(longest * LEGEND.letter) + MARGIN.right;
  const height = Math.max(
    MARGIN.top + PLOT.height + MARGIN.bottom,
    MARGIN.top + names.length * LEGEND.line + 20,
  );
  const dashed = new Set(
    panels.flatMap(({ series }) => series.filter((each) => each.dashed).map(({ name }) => name)),
  );
  const legend = names.map((name, i) => {
    const y = MARGIN.top + 12 + i * LEGEND.line;
    const x = panels.length * outer;
    return (
      `<g>${polyline(
        [
          [x, y],
          [x + 34, y],
        ],
        i,
        dashed.has(name),
      )}${marker(x + 17, y, i)}` + `${text(x + LEGEND.key, y + 5, name, { size: 14 })}</g>\n`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${FONT}>\n` +
    `<rect width="100%" height="100%" fill="#ffffff"/>\n` +
    panels
      .map(
        (panel, i) =>
          `<g transform="translate(${i * outer + MARGIN.left} ${MARGIN.top})">\n${draw(panel, names, `plot${i}`)}</g>\n`,
      )
      .join("") +
    `${legend.join("")}</svg>\n`
  );
}

/** Round numbers that cover `low`..`high`, about `count` of them. */
export function roundTicks(low: number, high: number, count: number): number[] {
  const rough = Math.max(high - low, 1e-9) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((each) => each >= rough * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: Math.max(1, last - first) + 1 }, (_, i) => round((first + i) * step));
}

function draw(panel: Panel, names: readonly string[], id: string): string {
  const points = panel.series.flatMap((each) => each.points);
  const values = (of: 0 | 1) => points.map((point) => point[of]);
  const [lowest, highest] = panel.yLimits ?? [-Infinity, Infinity];
  const within = (v: number) => Math.min(highest, Math.max(lowest, v));
  const xs = roundTicks(Math.min(...values(0)), Math.max(...values(0)), 8);
  const ys = roundTicks(within(Math.min(...values(1))), within(Math.max(...values(1))), 7);
  const scale = (ticks: readonly number[], from: number, to: number) => (v: number) =>
    round(from + ((v - ticks[0]!) / (ticks.at(-1)! - ticks[0]!)) * (to - from));
  const x = scale(xs, 0, PLOT.width);
  const y = scale(ys, PLOT.height, 0);
  const line = (x1: number, y1: number, x2: number, y2: number, stroke: string) =>
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${stroke}"/>`;
  const { marks = [], marksLabel = "" } = panel;
  return [
    text(PLOT.width / 2, -58, panel.title, { size: 16, anchor: "middle", bold: true }),
    `<clipPath id="${id}"><rect x="-8" y="-8" width="${PLOT.width + 16}" height="${PLOT.height + 16}"/></clipPath>`,
    ...xs.map((v) => line(x(v), 0, x(v), PLOT.height, "#e6e6e6")),
    ...ys.map((v) => line(0, y(v), PLOT.width, y(v), v === 0 ? "#8a8a8a" : "#e6e6e6")),
    `<rect width="${PLOT.width}" height="${PLOT.height}" fill="none" stroke="#8a8a8a"/>`,
    ...xs.map((v) => text(x(v), PLOT.height + 20, label(v), { size: 13, anchor: "middle" })),
    ...ys.map((v) => text(-9, y(v) + 5, label(v), { size: 13, anchor: "end" })),
    text(PLOT.width / 2, PLOT.height + 44, panel.xLabel, { size: 14, anchor: "middle" }),
    `<g transform="translate(-48 ${PLOT.height / 2}) rotate(-90)">${text(0, 0, panel.yLabel, { size: 14, anchor: "middle" })}</g>`,
    text(PLOT.width / 2, -30, marksLabel, { size: 12, anchor: "middle", fill: "#555555" }),
    ...marks.flatMap(([v, name]) => [
      line(x(v), -5, x(v), 0, "#8a8a8a"),
      text(x(v), -11, name, { size: 12, anchor: "middle", fill: "#555555" }),
    ]),
    `<g clip-path="url(#${id})">`,
    ...panel.series.map(({ name, points: at, dashed }) => {
      const i = names.indexOf(name);
      const places = at.map(([px, py]) => [x(px), y(py)] as const);
      const drawn = places.map(([px, py]) => marker(px, py, i)).join("");
      return `<g class="series"><title>${escaped(name)}</title>${polyline(places, i, dashed)}${drawn}</g>`;
    }),
    "</g>",
    "",
  ].join("\n");
}

function polyline(points: readonly (readonly [number, number])[], i: number, dashed = false): string {
  const dash = dashed ? ' stroke-dasharray="6 4"' : "";
  return `<polyline points="${points.map((p) => p.join(",")).join(" ")}" fill="none" stroke="${colour(i)}" stroke-width="2"${dash}/>`;
}

/** Circle, square, triangle, diamond, by turns. */
function marker(x: number, y: number, i: number): string {
  const paths = ["", "M-4-4h8v8h-8z", "M0-5l5 9h-10z", "M0-5.5l5.5 5.5-5.5 5.5-5.5-5.5z"];
  const path = paths[i % paths.length]!;
  return path === ""
    ? `<circle cx="${x}" cy="${y}" r="4" fill="${colour(i)}"/>`
    : `<path transform="translate(${x} ${y})" d="${path}" fill="${colour(i)}"/>`;
}

interface TextStyle {
  readonly size: number;
  readonly anchor?: "start" | "middle" | "end";
  readonly bold?: boolean;
  readonly fill?: string;
}

function text(x: number, y: number, content: string, style: TextStyle): string {
  const { size, anchor = "start", bold = false, fill = "#1a1a1a" } = style;
  return `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}"${bold ? ' font-weight="bold"' : ""} fill="${fill}">${escaped(content)}</text>`;
}

const colour = (i: number): string => COLOURS[i % COLOURS.length]!;
const round = (v: number): number => Number(v.toFixed(6));
const label = (v: number): string => String(v).replace("-", "−");
const escaped = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
