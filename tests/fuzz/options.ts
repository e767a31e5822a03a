/** @module Fuzzed command lines: every command that ends soon, with values that are not meant. */
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { captureIo } from "../../packages/subband/src/cli/capture-io.testing.ts";
import { openDataset } from "../../packages/subband/src/data/open-dataset.ts";
import { main } from "../../packages/subband/src/cli/main.ts";
import { resolveWmgmConfig } from "../../packages/subband/src/systems/wmgm/config.ts";
import { writeUntrainedRun } from "../../packages/subband/src/training/untrained-run.testing.ts";
import { pick } from "./mutations.ts";
import type { Mutation, Target } from "./target.ts";

const COMMANDS: readonly string[] = [
  "train --data photos --out new --size 16 --images 8 --dry-run",
  "train --data photos --out new --preset local-unet --size 16 --minutes 1 --dry-run",
  "sample run -n 2 --steps 2 --out grid.png --seed 3",
  "sample run -n 2 --steps 2 --sampler heun --each each --batch 1",
  "export run --out sampler.onnx --steps 2",
  "evaluate run -n 4 --json",
  "info run",
  "info builtin --json",
  "wavelets",
  "wavelets --family db",
  "data info photos --size 16",
  "denoise small.png --out clean.png --sigma 20/255 --compare other.png",
  "denoise photos --out cleaned",
  "upscale small.png --factor 2 --out large.png --samples 2 --uncertainty map.png",
  "inpaint small.png --mask mask.png --out whole.png --sigma auto",
  "deblur small.png --kernel kernel.png --out sharp.png --quiet",
];

const VALUES: readonly string[] = [
  "",
  " ",
  "-",
  "--",
  "-1",
  "0",
  "1",
  "2",
  "3.5",
  "1e9",
  "1e-9",
  "100000000",
  "99999999999999999999",
  "NaN",
  "Infinity",
  "0x10",
  "16x16",
  "25/255",
  "run",
  "photos",
  "small.png",
  "mask.png",
  "none",
  "none.png",
  "new/deep/er.png",
  "run/run.json",
  "/dev/null",
  "photos/0.png",
  "best",
  "last",
  "out.jpg",
  "out.webp",
  "out.tiff",
  "out.gif",
  "out.png",
  "haar",
  "db2",
  "bior2.2",
  "auto",
  "../x.png",
  "a\nb",
  "\u001b[2J",
  "x".repeat(300),
];

const FLAGS: readonly string[] = [
  "--json",
  "--quiet",
  "--debug",
  "--help",
  "--force",
  "--out",
  "--size",
  "--steps",
  "--seed",
  "-n",
  "--samples",
  "--sigma",
  "--model",
  "--threads",
  "--weights",
  "--tile",
  "--uncertainty",
  "--compare",
  "--channels",
  "--levels",
  "--wavelet",
  "--limit",
  "--patches",
  "--batch",
  "--lr",
  "--width",
];

const words = (bytes: Buffer): string[] => JSON.parse(bytes.toString()) as string[];
const line = (argv: readonly string[]): Buffer => Buffer.from(JSON.stringify(argv));

/** Another value of a flag, or another argument; names of commands and flags stay. */
const otherValue: Mutation = (bytes, random) => {
  const argv = words(bytes);
  const places = argv.flatMap((word, i) => (i > 0 && !/^--?[a-z]/.test(word) ? [i] : []));
  if (places.length > 0) argv[pick(places, random)] = pick(VALUES, random);
  return line(argv);
};
const moreFlags: Mutation = (bytes, random) => {
  const argv = words(bytes);
  argv.splice(
    random.below(argv.length + 1),
    0,
    pick(FLAGS, random),
    ...(random.below(2) === 0 ? [] : [pick(VALUES, random)]),
  );
  return line(argv);
};
const fewerWords: Mutation = (bytes, random) =>
  line(words(bytes).filter((_, i, all) => i !== random.below(all.length)));
const otherCommand: Mutation = (bytes, random, others) =>
  line([...words(pick(others, random)).slice(0, 2), ...words(bytes).slice(2)]);

/** Target of `npm run fuzz -- --only options`. */
export const target: Target = {
  name: "options",
  about: "command lines of all commands that end soon, with values that are not meant",
  mutations: [otherValue, otherValue, otherValue, otherValue, moreFlags, fewerWords, otherCommand],
  structured: true,
  seconds: 60,
  megabytes: 2500,
  async seeds() {
    return COMMANDS.map((command) => ({ name: "argv.json", bytes: line(command.split(" ")) }));
  },
  async setUp(folder) {
    const template = join(folder, "template");
    const photos = join(template, "photos");
    mkdirSync(photos, { recursive: true });
    const draw = (
      name: string,
      red: number,
      size = { width: 32, height: 24 },
      dot?: Buffer,
    ): Promise<unknown> =>
      sharp({ create: { ...size, channels: 3, background: { r: red, g: red >> 1, b: 9 } } })
        .composite(dot === undefined ? [] : [{ input: dot }])
        .png()
        .toFile(join(template, name));
    for (let i = 0; i < 6; i++) await draw(`photos/${i}.png`, 40 * i);
    await draw("small.png", 200);
    await draw("other.png", 205);
    const white = { create: { width: 3, height: 3, channels: 3, background: "white" } } as const;
    const dot = await sharp(white).png().toBuffer();
    await draw("mask.png", 0, { width: 32, height: 24 }, dot);
    await draw("kernel.png", 0, { width: 5, height: 5 }, dot);
    const size = { width: 16, height: 16 };
    const { fingerprint } = await openDataset(photos, { size, cacheDir: join(folder, "cache") });
    writeUntrainedRun(join(template, "run"), {
      preset: "wmgm",
      options: { levels: 1, batch: 64, lr: 1e-3, width: 16 },
      data: {
        source: "photos",
        name: "photos",
        count: 6,
        fingerprint,
        licence: "none",
        credit: "none",
        flip: true,
      },
      images: { low: 1, detail: 1 },
      model: resolveWmgmConfig(
        { channels: 3, height: 16, width: 16, levels: 1, baseWidth: 16 },
        { lowMean: [0, 0, 0], lowStd: [0.4, 0.4, 0.4], detailRms: [Array.from({ length: 9 }, () => 0.1)] },
      ),
    });
  },
  async read(path) {
    const argv = words(readFileSync(path));
    // What trains, downloads or takes minutes by design is not begun.
    if (argv.includes("train") && !argv.includes("--dry-run")) argv.push("--dry-run");
    if (["demo", "study", "get", "cifar10"].some((word) => argv.includes(word))) return "left out";
    const home = process.cwd();
    rmSync("work", { recursive: true, force: true });
    cpSync("template", "work", { recursive: true });
    process.chdir("work");
    try {
      const io = captureIo();
      const code = await main(argv, io);
      const complaint = complaintOf(code, io.err);
      if (complaint !== undefined)
        throw new Error(`${complaint}: subband ${JSON.stringify(argv)}: exit ${code}: ${io.err}`);
      return `exit ${code}`;
    } finally {
      process.chdir(home);
    }
  },
};

/** What is wrong with how a command ended. */
function complaintOf(code: number, err: string): string | undefined {
  if (![0, 1, 2].includes(code)) return "no known exit code";
  if (/internal(?!\/)/.test(err)) return "internal";
  if (code !== 0 && err.trim() === "") return "failed in silence";
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(err)) return "control characters";
  return undefined;
}
