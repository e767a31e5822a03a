/**
 * @module Bench: megapixels a second of local denoisers on a batch of tiles against the same network in PyTorch, both with
 * normalisation folded into the weights. Before anything is timed both must agree. Memory is measured apart, in fresh
 * processes that do nothing but denoise. The authors' networks are taken where they lie beside the repository, else random
 * weights of the same shapes: time does not depend on them.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors, rng } from "onnxgrad";
import { importBfCnn } from "../packages/subband/src/interop/bf-cnn-checkpoint.ts";
import {
  type BfCnnConfig,
  conditionalConfig,
  flatConfig,
  initBfCnn,
  initBfCnnStatistics,
  lowPassConfig,
} from "../packages/subband/src/nn/bf-cnn.ts";
import type { BfCnnNetwork } from "../packages/subband/src/nn/bf-cnn-network.ts";
import { openModel } from "../packages/subband/src/restoration/model-source.ts";
import { macsPerPixel, parametersOf } from "../packages/subband/src/systems/parts/local/cost.ts";
import {
  type LocalModel,
  localModel,
  storeModel,
} from "../packages/subband/src/systems/parts/local/model.ts";
import type { DenoiseSettings } from "./denoise-child.ts";
import {
  type Bench,
  type BenchResult,
  type BenchSettings,
  interleave,
  judge,
  noPeer,
  sides,
  startPeer,
  startProcess,
  timingOf,
} from "./harness.ts";

/** Where the authors' networks may lie. */
const SHARED = fileURLToPath(new URL("../../shared/data/local-probability-models/", import.meta.url));
const TARGET = 1.2;
/** Both compute in float32, in other orders. */
const AGREEMENT = 1e-3;
/** Milliseconds that one side's part of a turn should take. */
const TURN_MS = 1000;
/** Runs after which the peak of memory is read. */
const MEMORY_RUNS = 3;
const NOISE = 25 / 255;

interface Case {
  readonly name: string;
  readonly title: string;
  /** Tiles, and pixels a side of them. */
  readonly tiles: readonly [count: number, side: number];
  /** The model, and where its weights are from. */
  model(): Promise<readonly [model: LocalModel, weights: string]>;
}

const CASES: readonly Case[] = [
  {
    name: "builtin",
    title: "the builtin U-Net",
    tiles: [4, 256],
    model: async () => [(await openModel("builtin")).model, "weights as shipped"],
  },
  {
    name: "rf13",
    title: "multi-scale 13 x 13, 2 levels",
    tiles: [4, 256],
    model: () =>
      published(
        ["low", "rf13-scale0", "rf13-scale1"],
        [lowPassConfig(1), conditionalConfig(1, 13), conditionalConfig(1, 13)],
      ),
  },
  {
    name: "flat43",
    title: "flat 43 x 43",
    tiles: [4, 128],
    model: () => published(["flat-rf43"], [flatConfig(1, 43)]),
  },
];

/** The authors' networks, the low-pass (or only) one first, then details from the finest level on; or random ones like them. */
async function published(
  files: readonly string[],
  configs: readonly BfCnnConfig[],
): Promise<[LocalModel, string]> {
  const isHere = files.every((each) => existsSync(`${SHARED}${each}.pt`));
  const networks = isHere
    ? await Promise.all(files.map((each) => importBfCnn(`${SHARED}${each}.pt`)))
    : configs.map(randomNetwork);
  const [low, ...details] = networks as [BfCnnNetwork, ...BfCnnNetwork[]];
  return [localModel(low, details), isHere ? "the authors' networks" : "random weights"];
}

export const denoiseBench: Bench = {
  name: "denoise",
  summary: "megapixels a second and memory of local denoisers against the same networks in PyTorch",
  parts: CASES.map(({ name }) => name),
  async run(report, settings) {
    const folder = mkdtempSync(join(tmpdir(), "subband-bench-"));
    for (const each of CASES)
      if (settings.only.length === 0 || settings.only.includes(each.name))
        await measure(each, join(folder, `${each.name}.safetensors`), report, settings);
    rmSync(folder, { recursive: true });
    return undefined;
  },
};

async function measure(
  { name, title, model: make, tiles: [count, side] }: Case,
  file: string,
  report: (result: BenchResult) => void,
  { turns, threads }: BenchSettings,
): Promise<void> {
  const [model, weights] = await make();
  const metadata = writeTensors(file, model, [count, 1, side, side]);

  const ours = startOurs();
  const settings: DenoiseSettings = { tensors: file, metadata, threads, write: true };
  const { compileMs } = (await ours.setup(settings)) as { readonly compileMs: number };
  const peer = startPeer("torch_denoise.py", ["torch", "numpy"]);
  const answer = await peer?.setup({ tensors: file, threads });
  if (answer !== undefined && !((answer["difference"] as number) <= AGREEMENT))
    throw new Error(`${name}: outputs differ by ${String(answer["difference"])}`);
  const { median } = timingOf((await ours.run(2)).ms);
  const repeats = Math.max(1, Math.min(20, Math.round(TURN_MS / median)));
  const measured = await interleave(ours, peer, { turns, repeats });
  ours.stop();
  peer?.stop();

  const megapixels = (count * side ** 2) / 1e6;
  const gflop = (2 * macsPerPixel(model) * megapixels) / 1e3;
  const rates = (ms: number) =>
    `${((1000 * megapixels) / ms).toFixed(2)} megapixels/s, ${((1000 * gflop) / ms).toFixed(0)} GFLOP/s`;
  const best = answer?.["best"] as string | undefined;
  const memory = await peaks({ ...settings, write: false }, best);
  report({
    bench: "denoise",
    name: `${name}: ${title}, ${count} tiles of ${side} x ${side}, ${(parametersOf(model) / 1e6).toFixed(2)} M parameters`,
    ...sides(measured),
    ...judge(measured, TARGET),
    figures: {
      megapixelsPerSecond: (1000 * megapixels) / measured.ours!.best,
      ...(measured.theirs && { peerMegapixelsPerSecond: (1000 * megapixels) / measured.theirs.best }),
      peakBytes: memory.ours,
      ...(memory.peer !== undefined && { peerPeakBytes: memory.peer }),
    },
    notes: [
      `ours, best: ${rates(measured.ours!.best)}`,
      ...(measured.theirs === undefined ? [] : [`peer, best: ${rates(measured.theirs.best)}`]),
      ...measured.notes,
      `${threads} threads; ${weights}; compiled in ${compileMs.toFixed(0)} ms`,
      `peak resident: ours ${megabytes(memory.ours)}` +
        (memory.peer === undefined ? "" : `, peer ${megabytes(memory.peer)}`),
      ...(answer === undefined
        ? [noPeer("python3-torch libopenblas0-pthread")]
        : [
            `${String(answer["versions"])}, ${best}: the fastest of ${Object.entries(
              answer["trials"] as object,
            )
              .map(([form, ms]) => `${form} ${(ms as number).toFixed(0)}`)
              .join(", ")} ms`,
            `outputs agree to ${(answer["difference"] as number).toExponential(1)}`,
          ]),
    ],
  });
}

const startOurs = () =>
  startProcess(process.execPath, [
    ...process.execArgv,
    fileURLToPath(new URL("denoise-child.ts", import.meta.url)),
  ]);

/** Peak resident bytes of a process a side that only denoises. */
async function peaks(
  settings: DenoiseSettings,
  only: string | undefined,
): Promise<{ readonly ours: number; readonly peer: number | undefined }> {
  const ours = startOurs();
  await ours.setup(settings);
  await ours.run(MEMORY_RUNS);
  const { peakBytes: mine } = await ours.ask("memory");
  ours.stop();
  const peer = only === undefined ? undefined : startPeer("torch_denoise.py", ["torch", "numpy"]);
  await peer?.setup({ tensors: settings.tensors, threads: settings.threads, only });
  await peer?.run(MEMORY_RUNS);
  const other = await peer?.ask("memory");
  peer?.stop();
  return { ours: mine as number, peer: other?.["peakBytes"] as number | undefined };
}

/** Writes the model and tiles of the range of pictures, with noise; gives the model's metadata, which peers do not read. */
function writeTensors(
  file: string,
  model: LocalModel,
  shape: readonly number[],
): Readonly<Record<string, string>> {
  const { tensors, metadata } = storeModel(model);
  const random = rng(0, "bench-denoise");
  const size = shape.reduce((a, b) => a * b);
  const data = Float32Array.from({ length: size }, () => 0.5 + NOISE * random.normal());
  writeFileSync(
    file,
    encodeSafetensors({ tensors: new Map(tensors).set("noisy", { shape, data }), metadata: {} }),
  );
  return metadata;
}

/** Random weights that keep the size of the signal. */
function randomNetwork(config: BfCnnConfig, index: number): BfCnnNetwork {
  const params = initBfCnn(rng(0, "bench-denoise-weights", index), config);
  const gains = params.gains.map(({ shape, data }) => ({ shape, data: data.map(() => 1) }));
  return { params: { ...params, gains }, statistics: initBfCnnStatistics(params) };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
