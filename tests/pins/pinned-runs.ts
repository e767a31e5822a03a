/** @module The tiny runs that are pinned: every preset, its levels and its own options, and how each is sampled. */
import { join } from "node:path";
import { rng } from "onnxgrad";
import sharp from "sharp";

/** A run and what is drawn from it, as the command line is told it. */
export interface PinnedRun {
  /** Options of `train`; 12 images in batches of 4 are 3 steps of every stage (6 of WMGM's details, which take half). */
  readonly train: readonly string[];
  /** Width and height of the pictures to train on. */
  readonly size: readonly [width: number, height: number];
  /** Options of `sample`, once for each sampling; those of generators are exported, too. */
  readonly samplings: readonly (readonly string[])[];
}

/** Every sampler with a schedule: the deterministic and the stochastic ones. */
const SAMPLERS = ["ddpm", "ddim", "euler", "heun", "edm", "dpmpp2m", "reverse-sde"];
const by = (sampler: string, ...more: string[]): string[] => ["--sampler", sampler, "--steps", "3", ...more];
const ASCENT = ["--sampler", "ascent", "--beta", "0.5"];
const budget = ["--images", "12", "--batch", "4"];
const tiny = ["--width", "8", ...budget];

/** Every pinned run, by name. */
export const PINNED_RUNS: Readonly<Record<string, PinnedRun>> = {
  wmgm: {
    train: ["--levels", "1", ...tiny],
    size: [16, 8],
    samplings: [...SAMPLERS.map((name) => by(name)), by("heun", "--weights", "best")],
  },
  "wmgm, no levels": { train: ["--levels", "0", ...tiny], size: [8, 16], samplings: [[]] },
  "wmgm, options": {
    train:
      "--levels 2 --channels 1 --width 8 --no-flip --limit 60 --seed 7 --lr 3e-4 --judged bands --noise-at input"
        .split(" ")
        .concat(budget),
    size: [24, 16],
    samplings: [by("ddpm", "--seed", "5"), by("heun", "--temperature", "0.7")],
  },
  "wmgm-faithful": {
    train: ["--preset", "wmgm-faithful", ...tiny],
    size: [32, 32],
    samplings: [by("ddpm")],
  },
  sgm: {
    train: ["--preset", "sgm", ...tiny],
    size: [12, 8],
    samplings: [...SAMPLERS.map((name) => by(name)), by("heun", "--weights", "best")],
  },
  "sgm, options": {
    train: ["--preset", "sgm", "--unet", "improved", "--formulation", "flow", "--channels", "1", ...tiny],
    size: [8, 8],
    samplings: [[]],
  },
  wsgm: {
    train: ["--preset", "wsgm", "--levels", "2", ...tiny],
    size: [16, 8],
    samplings: [...SAMPLERS.map((name) => by(name)), by("ddpm", "--steps-of", "total")],
  },
  "wsgm, as released": {
    train: ["--preset", "wsgm", "--levels", "1", "--formulation", "ou", ...tiny],
    size: [16, 16],
    samplings: [by("ddpm"), by("ddpm", "--times", "uniform")],
  },
  local: {
    train: ["--preset", "local", "--levels", "1", "--rf", "5", "--lr", "0.03", ...tiny],
    size: [16, 8],
    samplings: [[], ...SAMPLERS.map((name) => by(name)), ASCENT, by("heun", "--weights", "best")],
  },
  "local, no levels": {
    train: ["--preset", "local", "--levels", "0", "--rf", "5", "--channels", "1", "--lr", "0.03", ...tiny],
    size: [12, 8],
    samplings: [[], ASCENT],
  },
  "local, a prior": {
    train: [
      "--preset",
      "local",
      "--levels",
      "1",
      "--rf",
      "9",
      "--edm-low",
      "--augment-conditions",
      "--lr",
      "0.03",
      ...tiny,
    ],
    size: [24, 16],
    samplings: [[], by("edm"), by("heun", "--blind"), ["--size", "16x24", "--details-beta", "0.3"]],
  },
  "local, options": {
    train: [
      ..."--preset local --levels 1 --rf 5 --noisy-condition --wavelet db2".split(" "),
      ..."--patches 3 --size 16x12".split(" "),
      ...tiny,
    ],
    size: [32, 24],
    samplings: [],
  },
  "local-unet": {
    train: ["--preset", "local-unet", "--levels", "2", ...tiny],
    size: [16, 8],
    samplings: [[], by("ddpm")],
  },
  "local-unet, options": {
    train: ["--preset", "local-unet", "--levels", "1", "--wavelet", "db2", "--seed", "3", ...tiny],
    size: [16, 16],
    samplings: [by("heun")],
  },
};

/** Pictures in a train of their own: a number that only integer arithmetic goes into, the same on every machine. */
export async function drawPictures(folder: string, [width, height]: PinnedRun["size"]): Promise<void> {
  for (let picture = 0; picture < 64; picture++) {
    const random = rng(0, "pinned-picture", picture);
    const [right, down, checked, ...start] = [7, 9, 60, 100, 100, 100].map((most) => random.below(most));
    const pixels = Uint8Array.from({ length: 3 * width * height }, (_, at) => {
      const [x, y, channel] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width), at % 3];
      return start[channel]! + ((right! * x + down! * y + ((x >> 2) & 1) * checked!) % 156);
    });
    await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(
      join(folder, `${String(picture).padStart(2, "0")}.png`),
    );
  }
}
