/** @module The figures of an evaluation for people: a row each, a column a subject. */
import type { Figures } from "../evaluation/evaluate-subject.ts";
import { ENOUGH_FOR_DISTANCES, FEWEST_FOR_DISTANCES } from "../evaluation/feature-distances.ts";
import { distanceName, type FeatureExtractor, scaledFrom } from "../evaluation/features/feature-extractor.ts";
import type { ImageShape } from "../systems/system.ts";
import type { NamedSubject } from "./evaluate-subjects.ts";
import { formatCount, formatDuration } from "./format.ts";
import { weightsRows } from "./open-drawing.ts";
import { formatColumns, formatTable } from "./output.ts";

/** A subject and what was found. */
export interface Evaluated {
  readonly named: NamedSubject;
  readonly figures: Figures;
  /** Seconds of training; null where they are not known. */
  readonly trainedSeconds: number | null;
}

/** What distances are computed on, and the images that go in. */
export interface UsedFeatures {
  readonly extractor: FeatureExtractor;
  readonly image: ImageShape;
}

/** A figure, and what it is of a subject, if it has one. */
type Row = readonly [label: string, cell: (evaluated: Evaluated) => string | null | undefined];

/** Distances; the first is called by its features. */
function distanceRows({ extractor }: UsedFeatures): Row[] {
  return [
    [distanceName(extractor), ({ figures: { distances } }) => distances?.frechet.toPrecision(4)],
    [
      "  95 % of other images, bias off",
      ({ figures: { distances } }) =>
        distances?.interval &&
        `${distances.interval.low.toPrecision(3)}..${distances.interval.high.toPrecision(3)}`,
    ],
    ["  of infinitely many images", ({ figures: { distances } }) => distances?.extrapolated?.toPrecision(3)],
    [
      "KID",
      ({ figures: { distances } }) =>
        distances && `${distances.kid.toPrecision(3)} +- ${distances.kidStandardError.toPrecision(2)}`,
    ],
    ["  real low bands, own details", ({ figures: { halves } }) => halves?.oracles?.realLow.toPrecision(4)],
    [
      "  own low bands, nearest real details",
      ({ figures: { halves } }) => halves?.oracles?.realDetails.toPrecision(4),
    ],
    [
      "  neither, of as many images",
      ({ figures: { halves: halved } }) =>
        halved?.oracles && `${halved.oracles.neither.toPrecision(4)} (${formatCount(halved.oracles.images)})`,
    ],
    ["sliced W2", ({ figures: { distances } }) => distances?.slicedWasserstein.toPrecision(4)],
    ["precision (k = 5)", ({ figures: { distances } }) => distances?.precision.toFixed(3)],
    ["recall", ({ figures: { distances } }) => distances?.recall.toFixed(3)],
    ["density", ({ figures: { distances } }) => distances?.density.toFixed(3)],
    ["coverage", ({ figures: { distances } }) => distances?.coverage.toFixed(3)],
    ["nearest image, of real ones' own", ({ figures: { distances } }) => distances?.nearestRatio?.toFixed(3)],
  ];
}

/** How many images distances are of, where those are few. */
function fewRows(evaluated: readonly Evaluated[]): [string, string][] {
  return evaluated.flatMap(({ named, figures: { distances, generated, count } }): [string, string][] => {
    const n = Math.min(generated, count);
    if (distances === null)
      return [[named.name, `no distances: ${formatCount(n)} images, ${FEWEST_FOR_DISTANCES} are needed`]];
    if (n >= ENOUGH_FOR_DISTANCES) return [];
    const bias = distances.interval && ` by about ${distances.interval.bias.toPrecision(2)}`;
    return [
      [
        named.name,
        `${distances.name} of ${formatCount(n)} images is too large${bias ?? ""}; compare equal numbers`,
      ],
    ];
  });
}

const ROWS: readonly Row[] = [
  ["images", ({ figures }) => formatCount(figures.generated)],
  [
    "network calls (low band + details)",
    ({ figures: { cost } }) => cost && `${callsText(cost.nfeLow)} + ${callsText(cost.nfeDetail)}`,
  ],
  [
    "specks",
    ({ figures: { specks } }) => (specks && !Number.isNaN(specks.ratio) ? specks.ratio.toFixed(3) : null),
  ],
  ...[1, 2, 3, 4, 5, 6, 7].map((level): Row => [
    `blockiness, ${2 ** level} pixels`,
    ({ figures }) => figures.blockiness?.[level - 1]?.ratio.toFixed(3),
  ]),
  ["radial error", ({ figures }) => figures.radialSpectrumError.toFixed(4)],
  [
    "  of real images among themselves",
    ({ figures }) => figures.radialSpectrumFloor?.toFixed(4) ?? "not measured, there is one",
  ],
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((level): Row => [
    `spread, level ${level}`,
    ({ figures }) => figures.spread?.[level - 1]?.toFixed(3),
  ]),
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((level): Row => [
    `calibration LH, HL, HH, level ${level}`,
    ({ figures: { halves } }) =>
      halves?.calibration
        ?.filter((band) => band.level === level)
        .map(({ ratio }) => ratio.toFixed(2))
        .join(", ") || undefined,
  ]),
  ["parameters", ({ figures: { cost } }) => cost && formatCount(cost.parameters)],
  ["GMAC an image", ({ figures: { cost } }) => cost?.gmac?.toPrecision(3)],
  ["ms an image, alone", ({ figures: { cost } }) => cost?.msAlone.toFixed(1)],
  ["ms an image, in batches of 64", ({ figures: { cost } }) => cost?.msPerImage.toFixed(1)],
  [
    "training",
    ({ trainedSeconds }) => (trainedSeconds === null ? undefined : formatDuration(trainedSeconds)),
  ],
];

/** The lines; `compared` says with what, `written` where things are. */
export function evaluationLines(
  evaluated: readonly Evaluated[],
  compared: string,
  features: UsedFeatures | undefined,
  written: readonly (readonly [what: string, where: string])[],
): string[] {
  const rows = [
    ...(features ? distanceRows(features) : []),
    ...ROWS,
    ...(evaluated.length > 1 ? bandRows(evaluated) : []),
  ]
    .map(([label, cell]) => ({ label, cells: evaluated.map(cell) }))
    .filter(({ cells }) => cells.some((cell) => typeof cell === "string"));
  const table = columns([
    ...(evaluated.length > 1 ? [["", ...evaluated.map(({ named }) => named.name)]] : []),
    ...rows.map(({ label, cells }) => [label, ...cells.map((cell) => cell ?? "-")]),
  ]);
  return [
    ...formatTable([
      ["compared with", compared],
      ...howDrawn(evaluated),
      ...(features === undefined ? [] : [["features", featuresText(features)] as const]),
      ...fewRows(evaluated),
    ]),
    "",
    ...table,
    ...(evaluated.length === 1 ? ["", ...formatColumns(bandTable(evaluated[0]!.figures))] : []),
    ...(written.length === 0 ? [] : ["", ...formatTable(written)]),
  ];
}

function featuresText({ extractor, image }: UsedFeatures): string {
  const { name, dimensions, side } = extractor;
  const from = scaledFrom(extractor, image);
  const scaled = from && `, images scaled from ${from.width} x ${from.height} to ${side} x ${side}`;
  return `${name}, ${formatCount(dimensions)} a picture${scaled ?? ""}`;
}

/** How each run draws; its name before each row where there are several subjects. */
function howDrawn(evaluated: readonly Evaluated[]): [string, string][] {
  return evaluated.flatMap(({ named }) =>
    named.kind === "run"
      ? [...named.drawing.described, ...weightsRows(named.opened)].map(([what, how]): [string, string] => [
          evaluated.length === 1 ? what : `${named.name}: ${what}`,
          how,
        ])
      : [],
  );
}

function bandRows(evaluated: readonly Evaluated[]): Row[] {
  const names = evaluated.flatMap(({ figures }) => figures.bands.map(bandName));
  return [...new Set(names)].map((name) => [
    `std ratio ${name}`,
    ({ figures }) => figures.bands.find((band) => bandName(band) === name)?.stdRatio.toFixed(3),
  ]);
}

const bandName = ({ level, band }: Figures["bands"][number]): string => `${band}, level ${level}`;

/** Header of {@link bandTable}, and of the CSV. */
const BAND_HEADER = [
  "level",
  "band",
  "std generated",
  "std real",
  "ratio",
  "kurtosis generated",
  "kurtosis real",
];

/** All bands of a subject, under a header. */
export function bandTable({ bands }: Pick<Figures, "bands">): string[][] {
  const rows = bands.map(({ level, band, generated, real, stdRatio }) => [
    String(level),
    band,
    ...[generated.std, real.std, stdRatio, generated.kurtosis, real.kurtosis].map((v) => v.toFixed(4)),
  ]);
  return [BAND_HEADER, ...rows];
}

/** Whole where it is whole: loops that stop by themselves take calls that are not. */
function callsText(calls: number): string {
  return Number.isInteger(calls) ? String(calls) : calls.toFixed(1);
}

/** Rows of equal length: names to the left, numbers below each other. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([label]) => label!.length));
  const numbers = formatColumns(rows.map((row) => row.slice(1)));
  return rows.map(([label], i) => `${label!.padEnd(width)}  ${numbers[i]!}`.trimEnd());
}
