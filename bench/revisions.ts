/**
 * @module Bench: whole commands of this checkout against those of another (`--against DIR`, built), in turn: reading a
 * folder of pictures, sampling a run, restoring a picture, and one image of two runs, which is hardly more than a start. The other checkout trains the run, so both must read it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rng } from "onnxgrad";
import sharp, { type Sharp } from "sharp";
import { type Bench, interleave, judge, type Side, sides, timeRuns } from "./harness.ts";

/** A command may take 3 % longer than that of the other revision. */
const LEAST_RATIO = 0.97;
const HERE = fileURLToPath(new URL("..", import.meta.url));
/** Of the folder that is read: so many drawings, each in so many qualities of JPEG from 50 on. */
const DRAWINGS = 25;
const QUALITIES = 40;

export const revisionsBench: Bench = {
  name: "revisions",
  summary: "commands of this checkout against those of another, --against DIR",
  parts: ["read", "sample", "denoise", "start-tiny", "start-demo"],
  async run(report, { turns, only, against }) {
    if (against === undefined) return "give --against DIR, a checkout of another revision, built\n";
    if (!existsSync(join(against, "packages/subband/dist/node.js")))
      throw new Error(`"${against}" is no built checkout: run npm ci && npm run build there`);
    const folder = mkdtempSync(join(tmpdir(), "subband-bench-"));
    try {
      const commands = await prepare(folder, against);
      for (const [name, run] of Object.entries(commands)) {
        if (only.length > 0 && !only.includes(name)) continue;
        const measured = await interleave(
          wholeProcess(() => run(HERE)),
          wholeProcess(() => run(against)),
          { turns, repeats: 1 },
        );
        const { notes } = measured;
        report({ bench: "revisions", name, ...sides(measured), ...judge(measured, LEAST_RATIO), notes });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    return undefined;
  },
};

/** Makes pictures and a run in `folder`; the commands to time, by name, each a function of the checkout. */
async function prepare(
  folder: string,
  against: string,
): Promise<Readonly<Record<string, (checkout: string) => void>>> {
  const place = (name: string): string => join(folder, name);
  const pictures = place("pictures");
  mkdirSync(pictures);
  for (let i = 0; i < DRAWINGS; i++) {
    const png = await drawn(i, 640, 480).png().toBuffer();
    for (let quality = 50; quality < 50 + QUALITIES; quality++)
      await sharp(png)
        .jpeg({ quality })
        .toFile(join(pictures, `${i}-${quality}.jpg`));
  }
  await drawn(DRAWINGS, 1024, 1024).png().toFile(place("picture.png"));
  const data = ["--data", "faces", "--limit", "512", "--size", "32", "--images", "512"];
  subband(against, ["train", ...data, "--out", place("run")], place("cache"));
  const tiny = ["--data", "faces", "--limit", "64", "--size", "16", "--width", "8", "--images", "64"];
  subband(against, ["train", ...tiny, "--out", place("tiny")], place("cache"));
  subband(against, ["demo", "--images", "64", "--out", place("demo")], place("cache"));
  const one = (run: string) => (checkout: string) =>
    subband(checkout, ["sample", place(run), "-n", "1", "--out", place("one.png")], place("cache"));

  let caches = 0;
  return {
    // A cache of its own each time, so that every picture is decoded.
    read: (checkout) =>
      subband(checkout, ["data", "info", pictures, "--size", "64"], place(`cache-${caches++}`)),
    sample: (checkout) =>
      subband(checkout, ["sample", place("run"), "-n", "512", "--out", place("grid.png")], place("cache")),
    denoise: (checkout) =>
      subband(checkout, ["denoise", place("picture.png"), "--out", place("clean.png")], place("cache")),
    // Of networks of a few features and of the default ones.
    "start-tiny": one("tiny"),
    "start-demo": one("demo"),
  };
}

/** A picture of soft shapes under noise, about as hard to compress as a photograph. */
function drawn(index: number, width: number, height: number): Sharp {
  const random = rng(0, "bench-picture", index);
  const coarse = Uint8Array.from({ length: 3 * 16 * 12 }, () => 255 * random.uniform());
  const grain = Buffer.from(
    Uint8Array.from({ length: 3 * width * height }, () => 118 + 20 * random.uniform()),
  );
  return sharp(coarse, { raw: { width: 16, height: 12, channels: 3 } })
    .resize(width, height, { kernel: "cubic", fit: "fill" })
    .composite([{ input: grain, raw: { width, height, channels: 3 }, blend: "overlay" }]);
}

/** Runs a command of a checkout. @throws Error with its last words when it fails. */
function subband(checkout: string, args: readonly string[], cache: string): void {
  const bin = join(checkout, "packages/subband/bin/subband.js");
  const { status, stderr } = spawnSync(process.execPath, [bin, ...args], {
    encoding: "utf8",
    env: { ...process.env, SUBBAND_CACHE: cache },
  });
  if (status !== 0) throw new Error(`subband ${args.join(" ")} of ${checkout} failed:\n${stderr}`);
}

/** Times processes that `once` starts and waits for; their processor time is its own. */
function wholeProcess(once: () => void): Side {
  return {
    async run(repeats) {
      const before = childrenCpuMs();
      const ms = await timeRuns(once, repeats);
      return { ms, cpuMs: childrenCpuMs() - before };
    },
  };
}

/** Milliseconds of processor time of all children that have ended, by Linux's own account. */
function childrenCpuMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").replace(/^.*\)/, "").trim().split(" ");
  return 10 * (Number(fields[13]) + Number(fields[14])); // cutime and cstime, in hundredths of a second
}
