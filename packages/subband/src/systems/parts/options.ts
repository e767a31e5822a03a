/** @module Options that several presets have. */
import { named, type Option, positive, whole } from "../options.ts";
import { orthogonalWavelet } from "../../wavelet/wavelets.ts";

/** Wavelet analyses. */
export const LEVELS: Option<number> = whole("--levels <n>", "wavelet levels", { least: 0, most: 8 });

/** Images a step. */
export const BATCH: Option<number> = whole("--batch <n>", "images a step", { least: 2 });

/** Peak learning rate. */
export const LR: Option<number> = positive(
  "--lr <rate>",
  "peak learning rate",
  "a number above 0, such as 1e-3",
);

/** Feature channels of the networks. */
export const WIDTH: Option<number> = whole(
  "--width <n>",
  "feature channels of the networks at full resolution",
  { least: 8, multipleOf: 8 },
);

/** An orthogonal wavelet. */
export const WAVELET: Option<string> = named(
  "--wavelet <name>",
  "an orthogonal wavelet: haar, dbN, symN or coifN",
  "the name of an orthogonal wavelet",
  orthogonalWavelet,
);
