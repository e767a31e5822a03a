import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { loadCheckpoint } from "../training/checkpoint.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-train-"));
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(...argv: string[]): Promise<Outcome> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

const json = ({ out }: Pick<Outcome, "out">): Record<string, unknown> =>
  JSON.parse(out.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;

const FACES = ["--data", "faces", "--limit", "32"];
/** Both stages, small: at one level, so that there are details. */
const TINY = [...FACES, "--size", "16", "--levels", "1", "--width", "16", "--batch", "8", "--threads", "1"];
/** The low band alone: quicker to compile. */
const LOW_ONLY = [
  ...FACES,
  "--size",
  "8",
  "--levels",
  "0",
  "--width",
  "16",
  "--batch",
  "8",
  "--threads",
  "1",
];
const path = (name: string): string => join(dir, name);

describe("subband train, then sample", () => {
  test(
    "trains both stages, tells what it did and what to type next, and samples from the run",
    { timeout: 180_000 },
    async () => {
      const trained = await run("train", ...TINY, "--out", path("faces"), "--images", "24");
      expect(trained.code, trained.err).toBe(0);
      expect(trained.err).toContain(`training ${path("faces")}: wmgm on 32 images of faces, `);
      expect(trained.out).toMatch(/^trained +detail 24 images, low 24 images$/m);
      expect(trained.out).toMatch(/^time +\d+ s$/m);
      expect(trained.out).toMatch(/^of the steps +[\d.]+ % reading data, [\d.]+ % drawing noise$/m);
      expect(trained.out).toMatch(/^peak memory +[\d.]+ MB$/m);
      expect(trained.out).toContain(`samples       ${path("faces/samples")}\n`);
      expect(trained.out.trimEnd().split("\n").at(-1)).toBe(`Sample with:  subband sample ${path("faces")}`);
      expect(readdirSync(path("faces/samples"))).toContain("100.png");

      const again = await run("train", ...TINY, "--out", path("faces"), "--images", "24");
      expect(again.code, again.err).toBe(0);
      expect(again.out.split("\n").slice(0, 3)).toEqual([
        `${path("faces")} is complete: detail 24 images, low 24 images.`,
        `Sample with:  subband sample ${path("faces")}`,
        `Extend with:  subband train --out ${path("faces")} --images 48`,
      ]);

      const grid = path("grids/grid.png");
      const each = path("each");
      const sampled = await run(
        "sample",
        path("faces"),
        "-n",
        "5",
        "--steps",
        "3",
        "--batch",
        "2",
        "--seed",
        "9",
        "--out",
        grid,
        "--each",
        each,
        "--json",
      );
      expect(sampled.code, sampled.err).toBe(0);
      const told = json(sampled);
      expect(told).toMatchObject({
        n: 5,
        seed: 9,
        sampler: "dpmpp2m",
        steps: 3,
        nfeLow: 3,
        nfeDetail: 1,
        batch: 2,
        grid,
        each,
      });
      expect(told["msPerImage"]).toBeGreaterThan(0);
      const { data, info } = await sharp(grid).raw().toBuffer({ resolveWithObject: true });
      // Three images a row, eight times as large, 2 pixels between and around them.
      expect([info.width, info.height]).toEqual([3 * 128 + 4 * 2, 2 * 128 + 3 * 2]);
      expect(readdirSync(each).sort()).toEqual([
        "00000.png",
        "00001.png",
        "00002.png",
        "00003.png",
        "00004.png",
      ]);
      const fourth = await sharp(join(each, "00003.png")).raw().toBuffer();
      const at = (x: number, y: number): number[] => [
        ...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3),
      ];
      expect(at(2 + 4, 2 + 130 + 4)).toEqual([...fourth.subarray(0, 3)]); // row 1, column 0

      const lines = await run("sample", path("faces"), "-n", "2", "--sampler", "heun", "--steps", "2");
      expect(lines.out).toMatch(/^network calls +3 \+ 1 an image/m);
      expect(lines.out).toMatch(/^time +[\d.]+ ms an image at batch 2$/m);
      expect(lines.out).toMatch(new RegExp(`^grid +${path("faces/grid.png")}$`, "m"));
      expect(existsSync(path("faces/grid.png"))).toBe(true);

      const wrong = await run("sample", path("faces"), "--sampler", "huen");
      expect(wrong).toMatchObject({ code: 1 });
      expect(wrong.err).toMatch(/^error: unknown sampler: "huen"\. Did you mean "heun"\?/);
    },
  );

  test("--dry-run prints configuration, parameters, GMAC and memory, and touches nothing", async () => {
    const { code, out, err } = await run(
      "train",
      ...TINY,
      "--out",
      path("dry"),
      "--minutes",
      "3",
      "--dry-run",
    );
    expect(code, err).toBe(0);
    expect(existsSync(path("dry"))).toBe(false);
    expect(out).toMatch(
      /^configuration +"preset": "wmgm", "data": "faces", "size": "16x16", .*"seed": 0; all of it: --verbose$/m,
    );
    expect(out.split("\n").length).toBeLessThan(12);
    expect(out).toMatch(/^budget +3 minutes, shared by the clock$/m);
    expect(out).toMatch(/^denoiser +[\d,]+ parameters, [\d.]+ GMAC a call$/m);
    expect(out).toMatch(/^generator +[\d,]+ parameters, [\d.e-]+ GMAC an image$/m);
    expect(out).toMatch(/^discriminator +[\d,]+ parameters, in training only$/m);
    expect(out).toMatch(/^sampling +[\d.]+ GMAC an image, dpmpp2m in 8 steps$/m);
    expect(out).toMatch(/^memory, estimated +[\d.]+ MB: state /m);

    const whole = await run("train", ...TINY, "--out", path("dry"), "--dry-run", "--verbose", "--quiet");
    expect(whole.out).toMatch(/^configuration$\n^\{$/m); // asked for, so not even --quiet suppresses it
    expect(JSON.parse(whole.out.slice(whole.out.indexOf("\n{\n")))).toMatchObject({
      seed: 0,
      preset: "wmgm",
    });

    const told = json(
      await run("train", ...TINY, "--out", path("dry"), "--images", "80", "--dry-run", "--json"),
    );
    expect(told).toMatchObject({
      dryRun: true,
      exists: false,
      seed: 0,
      config: { model: { low: { batch: 8 } } },
    });
    const { networks, sampling } = told as unknown as {
      networks: { name: string; parameters: number; steps: { calls: number; gmac: number }[] }[];
      sampling: { gmacPerImage: number };
    };
    const [generator, discriminator, denoiser] = networks;
    expect(discriminator!.steps).toEqual([]);
    expect([denoiser!, generator!].map(({ steps }) => steps.map(({ calls }) => calls))).toEqual([[8], [1]]);
    expect(sampling.gmacPerImage).toBeCloseTo(8 * denoiser!.steps[0]!.gmac + generator!.steps[0]!.gmac, 12);
    // What the checkpoint of the same networks holds.
    const { tensors } = (await loadCheckpoint(path("faces")))!;
    const held = (prefix: string): number =>
      [...tensors].reduce((sum, [name, { data }]) => sum + (name.startsWith(prefix) ? data.length : 0), 0);
    expect(networks.map(({ name, parameters }) => [name, parameters])).toEqual([
      ["generator", held("detail.params.")],
      ["discriminator", held("detail.critic.")],
      ["denoiser", held("low.params.")],
    ]);

    const known = await run("train", "--out", path("faces"), "--dry-run");
    expect(known.err).toBe(`${path("faces")} exists: this is its own configuration\n`);
    expect(known.out).toMatch(/^budget +detail 24 images, low 24 images$/m);
  });

  test("demo composes both, and a second time samples anew", async () => {
    // The run is there already: the demo's own budget would take minutes.
    const { code, out, err } = await run("demo", "--out", path("faces"), "--json");
    expect(code, err).toBe(0);
    expect(json({ out })).toMatchObject({
      train: { nothingToDo: true, finished: true },
      sample: { n: 64, grid: path("faces/grid.png") },
    });
    const more = await run("demo", "--out", path("faces"), "--images", "32", "--threads", "1");
    expect(more.code, more.err).toBe(0);
    expect(more.out).toMatch(/^trained +detail 32 images, low 32 images$/m);
    expect(more.out.trimEnd().split("\n").at(-1)).toBe(`Look at  ${path("faces/grid.png")}`);
  });
});

describe("subband train, interrupted", () => {
  test(
    "Ctrl-C finishes the step, saves and says how to resume; meanwhile a second trainer is refused",
    { timeout: 180_000 },
    async () => {
      const out = path("interrupted");
      const argv = ["train", ...LOW_ONLY, "--out", out, "--images", "1000000", "--save-seconds", "0.2"];
      const module = new URL("./main.ts", import.meta.url).href;
      const code = `import { main, processIo } from ${JSON.stringify(module)};
      process.exitCode = await main(${JSON.stringify(argv)}, processIo());`;
      const child = spawn(
        process.execPath,
        ["--import", "tsx", "--conditions=@subband/source", "--input-type=module", "-e", code],
        { stdio: ["ignore", "pipe", "pipe"], cwd: fileURLToPath(new URL("../..", import.meta.url)) },
      );
      const printed = { out: "", err: "" };
      child.stdout.on("data", (piece) => (printed.out += String(piece)));
      child.stderr.on("data", (piece) => (printed.err += String(piece)));
      const ended = once(child, "close");
      const alive = (): boolean => child.exitCode === null;
      while (alive() && !existsSync(join(out, "state.safetensors"))) await sleep(50);

      const second = await run("train", ...LOW_ONLY, "--out", out, "--images", "1000000");
      expect(second.code, second.err).toBe(1);
      expect(second.err).toMatch(
        new RegExp(`^error: run in use: "${out}" is being trained by process ${child.pid} on `),
      );

      child.kill("SIGINT");
      expect(await ended, printed.err).toEqual([130, null]);
      expect(printed.err).toContain(
        "stopping: this step is finished and saved first; Ctrl-C again stops at once\n",
      );
      expect(printed.out).toMatch(/^stopped +low [\d,]+ images$/m);
      const resume = `subband train --data faces --out ${out} --threads 1`;
      expect(printed.out.trimEnd().split("\n").at(-1)).toBe(`Saved. Resume with:  ${resume}`);

      // The very command that it names, stopped before its first step.
      const saved = JSON.parse((await loadCheckpoint(out))!.metadata["progress"]!) as {
        stages: { low: { imagesSeen: number } };
      };
      const io = captureIo({ signal: AbortSignal.abort() });
      expect(await main([...resume.split(" ").slice(1), "--json"], io), io.err).toBe(0);
      expect(json(io)).toMatchObject({
        resumed: true,
        finished: false,
        imagesSeen: { low: saved.stages.low.imagesSeen },
      });
      expect(io.err).toContain(`resuming ${out}: `);
    },
  );

  test("numbers that stop being finite: three warnings, then one line, exit code 1, and the last state intact", async () => {
    const out = path("diverged");
    const { code, err } = await run("train", ...LOW_ONLY, "--out", out, "--images", "4000", "--lr", "1e30");
    expect(code).toBe(1);
    const lines = err.trimEnd().split("\n");
    expect(
      lines.filter((line) => line.startsWith("warning: numbers stopped being finite in stage low")),
    ).toHaveLength(3);
    expect(lines.at(-1)).toMatch(
      /^error: training diverged in stage "low" at step \d+, the 4th time\. .*--lr\.$/,
    );
    for (const [name, { data }] of (await loadCheckpoint(out))!.tensors)
      expect(data.every(Number.isFinite), name).toBe(true);
  });
});

describe("subband train, asked for what cannot be", () => {
  const USAGE: readonly [string[], string][] = [
    [["--levels", "9"], '--levels: "9"; give a whole number of at least 0 and at most 8.'],
    [["--levels", "1.5"], '--levels: "1.5"; give a whole number of at least 0 and at most 8.'],
    [["--minutes", "0"], '--minutes: "0"; give a number above 0.'],
    [["--minutes", "soon"], '--minutes: "soon"; give a number above 0.'],
    [["--images", "0"], '--images: "0"; give a whole number of at least 1.'],
    [["--batch", "1"], '--batch: "1"; give a whole number of at least 2.'],
    [["--lr", "-1"], '--lr: "-1"; give a number above 0, such as 1e-3.'],
    [["--width", "20"], '--width: "20"; give a multiple of 8.'],
    [["--seed", "x"], '--seed: "x"; give a whole number of at least 0.'],
    [["--limit", "1"], '--limit: "1"; give a whole number of at least 2.'],
    [["--channels", "2"], '--channels: "2"; give 1 (grey) or 3 (colour).'],
    [
      ["--threads", "0"],
      "option '--threads <n>' argument '0' is invalid. Give a whole number of at least 1 and at most 1,024.",
    ],
    [
      ["--device", "gpu"],
      "option '--device <name>' argument 'gpu' is invalid. Allowed choices are auto, cpu, webgpu, cuda.",
    ],
    [["--save-seconds", "-1"], '--save-seconds: "-1"; give a number above 0.'],
    [["--minutes", "1", "--images", "8"], '--images: "8"; give either --minutes or --images, not both.'],
    [["--levls", "1"], 'unknown option: "--levls". Did you mean "--levels"?'],
  ];
  test.each(USAGE)("%j is wrong usage", async (options, message) => {
    const { code, err } = await run("train", "--data", "faces", "--out", path("none"), ...options);
    expect({ code, err }).toEqual({ code: 2, err: `error: ${message} See: subband train --help\n` });
    expect(existsSync(path("none"))).toBe(false);
  });

  test("a preset nobody knows, sizes that do not divide, no data, one image, folders that cannot be", async () => {
    const one = path("one");
    mkdirSync(one);
    await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } }).toFile(
      join(one, "a.png"),
    );
    mkdirSync(path("empty"));
    mkdirSync(path("occupied"));
    writeFileSync(path("occupied/letter.txt"), "");
    const cases: readonly [string[], RegExp][] = [
      [
        ["--data", "faces", "--preset", "wgmm"],
        /^unknown preset: "wgmm"\. Did you mean "wmgm"\? Known: wmgm/,
      ],
      [
        ["--data", "faces", "--size", "20", "--levels", "3"],
        /^size: 20x20 does not fit 3 wavelet levels .* Use --size 24x24 /,
      ],
      [[], /^no data: ".*none" is no run yet\. Give --data: /],
      [["--data", "faces", "--images", "runs/none"], /^no such run: "runs\/none"\./],
      [["--data", "fases"], /^no such data: "fases"\. Did you mean "faces"\?/],
      [["--data", one, "--size", "8"], /^too few images: "one" has 1; at least 2 are needed\./],
      [["--data", path("empty")], /^no images in ".*empty"/],
      [
        ["--data", "faces", "--out", path("occupied")],
        /^folder in use: ".*occupied" is no run and holds other things/,
      ],
      [["--data", "faces", "--out", "/proc/run"], /^not writable: "\/proc\/run"/],
      [["--data", "faces", "--out", join(one, "a.png")], /^not writable: ".*a\.png" \(EEXIST\)/],
    ];
    for (const [options, message] of cases) {
      const { code, err } = await run("train", "--out", path("none"), ...options);
      expect(code, options.join(" ")).toBe(1);
      expect(err, options.join(" ")).toMatch(/^error: [^\n]*\n$/);
      expect(err.slice("error: ".length), options.join(" ")).toMatch(message);
    }
  });

  test("sampling from what is no run, or has learned nothing yet", async () => {
    expect((await run("sample", path("nowhere"))).err).toMatch(/^error: no such run: /);
    const begun = path("begun");
    mkdirSync(begun);
    writeFileSync(join(begun, "run.json"), readFileSync(path("faces/run.json")));
    const { code, err } = await run("sample", begun);
    expect({ code, err }).toEqual({
      code: 1,
      err: `error: nothing saved yet: run "${begun}" has no checkpoint. Train it first: subband train --out ${begun}\n`,
    });
  });
});
