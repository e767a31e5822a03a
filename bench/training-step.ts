/**
 * @module Bench: one training step of the default WMGM, and of the U-Nets of SGM and WSGM, at CIFAR-10's size against the
 * same networks, losses and optimiser in PyTorch. WMGM's sizes come from the preset. Before anything is timed both sides
 * must agree: parameter counts, the output of every network on copied weights, and the losses of the first steps.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, constant, type Feed, narrow, rng, type State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { conditionalDiscriminator } from "../packages/subband/src/nn/conditional-discriminator.ts";
import { detailGenerator } from "../packages/subband/src/nn/detail-generator.ts";
import { scoreUnet } from "../packages/subband/src/nn/score-unet.ts";
import { declaredFeeds, type Stage, type StageProgram } from "../packages/subband/src/systems/stage.ts";
import { judgedOf } from "../packages/subband/src/systems/wmgm/detail-stage.ts";
import { wmgm } from "../packages/subband/src/systems/wmgm/wmgm.ts";
import { resolveWmgmConfig, type WmgmConfig } from "../packages/subband/src/systems/wmgm/config.ts";
import { defaultLevels } from "../packages/subband/src/systems/wmgm/config.ts";
import { agreement } from "./agreement.ts";
import {
  type Bench,
  type BenchResult,
  type BenchSettings,
  inProcess,
  interleave,
  judge,
  noPeer,
  sides,
  startPeer,
} from "./harness.ts";
import { UNET_STEPS } from "./iddpm-unets.ts";
import { startState, writePeerTensors } from "./start-state.ts";

const SIZE = 32;
/** Programs by the fraction of their stage at which they are the ones to run. */
const PROGRAMS = [
  { stage: "low", program: "step", peer: "low", progress: 0.3 },
  { stage: "detail", program: "score", peer: "score", progress: 0.3 },
  { stage: "detail", program: "adversarial", peer: "adversarial", progress: 0.9 },
] as const;
/** Steps whose losses are compared. */
const STEPS = 3;
const REPEATS = 3;

/** The preset's configuration for CIFAR-10, with band scales near those measured there. */
export function benchConfig(size: number = SIZE): WmgmConfig {
  const levels = defaultLevels(size, size);
  const detailRms = Array.from({ length: levels }, () => Array.from({ length: 9 }, () => 0.1));
  return resolveWmgmConfig(
    { channels: 3, height: size, width: size },
    { lowMean: [0, 0, 0], lowStd: [0.45, 0.45, 0.45], detailRms },
  );
}

/** Random pixels, and what the stage feeds at this fraction of its training. */
export function benchFeeds(
  stage: Stage,
  { inputs }: StageProgram,
  progress: number,
): Readonly<Record<string, Feed>> {
  const shape = inputs["pixels"] as readonly number[];
  const normals = rng(1, "bench-pixels").fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
  const pixels = normals.map((x) => Math.tanh(x / 2));
  const context = { seed: 1, step: 1, imagesSeen: 0, progress, lrScale: 1 };
  return { pixels, ...declaredFeeds({ inputs }, stage.feeds(context, { pixels })) };
}

/** Output of every network on the stage's own feeds, by the name of its parameters. */
async function networkOutputs(
  stage: Stage,
  state: State,
  feeds: Readonly<Record<string, Feed>>,
  shapes: Readonly<Record<string, readonly number[]>>,
  threads: number,
): Promise<Readonly<Record<string, Float32Array>>> {
  const names = stage.name === "low" ? ["noise", "cNoise"] : ["jitter1", "noise1", "augmentation1"];
  const inputs = Object.fromEntries(names.map((name) => [name, shapes[name]!]));
  const program = await compile(node({ threads }), { state, inputs }, (args) => {
    const { params, critic } = args.state as never as Record<"params" | "critic", never>;
    if (stage.name === "low") return { params: scoreUnet(params, args["noise"]!, args["cNoise"]!) };
    const low = args["jitter1"]!;
    const level = constant(1, [1]);
    const detail = detailGenerator(params, {
      low,
      noise: narrow(args["noise1"]!, 0, 0, low.shape[0]!),
      level,
      augmentation: args["augmentation1"]!,
    });
    const judged = judgedOf({ level: 1, low }, detail, { ...benchConfig(), ...benchConfig().detail });
    return { params: detail, critic: conditionalDiscriminator(critic, judged, level) };
  });
  const outputs = await program.run(declaredFeeds({ inputs }, feeds) as never);
  await program.dispose();
  return outputs as Readonly<Record<string, Float32Array>>;
}

/** A training step of ours with what its peer needs to repeat it. */
interface Subject {
  readonly title: string;
  readonly target: number;
  readonly state: State;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly feeds: Readonly<Record<string, Feed>>;
  readonly build: (args: never) => unknown;
  /** Outputs of the networks on the feeds, by the name of their parameters. */
  readonly expected: Readonly<Record<string, Float32Array>>;
  readonly outputShapes: Readonly<Record<string, readonly number[]>>;
  /** Name of the peer's program and the configuration that it builds its networks from. */
  readonly peer: { readonly program: string; readonly model: unknown };
}

/** The default WMGM's programs. */
async function* wmgmSubjects(threads: number): AsyncGenerator<Subject> {
  const model = benchConfig();
  for (const { stage: stageName, program: programName, peer, progress } of PROGRAMS) {
    const stage = wmgm(model).stages.find(({ name }) => name === stageName)!;
    const description = stage.programs[programName]!;
    const shapes = description.inputs as Readonly<Record<string, readonly number[]>>;
    const feeds = benchFeeds(stage, description, progress);
    const state = startState(stage.begin({ seed: 1, arrays: new Map() }));
    const expected = await networkOutputs(stage, state, feeds, shapes, threads);
    const [n, , h, w] = shapes[stageName === "low" ? "noise" : "jitter1"] as [number, number, number, number];
    const outputShapes = Object.fromEntries(
      Object.entries(expected).map(([name, { length }]) => {
        // The image has twice the extents of its bands.
        const halvings = name === "critic" ? model.detail.criticWidths.length - 2 : 0;
        const extents = [h >> halvings, w >> halvings] as const;
        return [name, [n, length / (n * extents[0] * extents[1]), ...extents]];
      }),
    );
    yield {
      title: `${stageName} ${programName}: batch ${stage.batch}`,
      target: 0.7,
      ...{
        state,
        inputs: shapes,
        feeds,
        build: description.build as Subject["build"],
        expected,
        outputShapes,
      },
      peer: { program: peer, model },
    };
  }
}

/** The U-Nets of SGM and WSGM. */
async function* unetSubjects(threads: number): AsyncGenerator<Subject> {
  for (const { name, batch, network, emaDecay, inputs, ...step } of UNET_STEPS) {
    const feeds = step.feeds();
    const state = startState(step.initialState());
    const seen = { noise: inputs["noise"]!, cNoise: inputs["cNoise"]! };
    const forward = await compile(node({ threads }), { state, inputs: seen }, (args) => ({
      params: step.output(args as never),
    }));
    const expected = await forward.run(declaredFeeds({ inputs: seen }, feeds) as never);
    await forward.dispose();
    yield {
      title: `${name}: batch ${batch}`,
      target: 1,
      ...{ state, inputs, feeds, build: step.build, expected, outputShapes: { params: inputs["noise"]! } },
      peer: { program: "unet", model: { network, emaDecay } },
    };
  }
}

export const trainingStepBench: Bench = {
  name: "training-step",
  summary: `steps of the default wmgm and of the U-Nets of sgm and wsgm at ${SIZE} x ${SIZE} against the same networks in PyTorch`,
  parts: ["wmgm", "unets"],
  async run(report, { turns, threads, only }) {
    const folder = mkdtempSync(join(tmpdir(), "subband-bench-"));
    const chosen = (part: string) => only.length === 0 || only.includes(part);
    const groups = [
      ...(chosen("wmgm") ? [wmgmSubjects(threads)] : []),
      ...(chosen("unets") ? [unetSubjects(threads)] : []),
    ];
    for (const group of groups)
      for await (const subject of group)
        await measure(subject, join(folder, "peer.safetensors"), report, { turns, threads });
    rmSync(folder, { recursive: true });
    return undefined;
  },
};

async function measure(
  {
    title,
    target,
    state,
    inputs,
    feeds,
    build,
    expected,
    outputShapes,
    peer: { program: peerProgram, model },
  }: Subject,
  path: string,
  report: (result: BenchResult) => void,
  { turns, threads }: Pick<BenchSettings, "turns" | "threads">,
): Promise<void> {
  writePeerTensors(path, { state, feeds, shapes: inputs, expected, outputShapes });
  const parameters = Object.fromEntries(
    ["params", "critic"].flatMap((name) => {
      const entry = state.entries.get(name);
      return entry === undefined ? [] : [[name, entry.current.length]];
    }),
  );
  const program = await compile(node({ threads }), { state, inputs }, build as never);
  const step = async () =>
    Object.fromEntries(
      Object.entries(
        (await program.run(feeds as never, { reuse: true })) as Record<string, Float32Array>,
      ).map(([name, value]) => [name, value[0]!]),
    );
  const losses: Record<string, number>[] = [];
  for (let i = 0; i < STEPS; i++) losses.push(await step());

  const peer = startPeer("torch_training.py", ["torch", "numpy"]);
  const answer = await peer?.setup({ program: peerProgram, model, tensors: path, threads, steps: STEPS });
  const checks = answer === undefined ? [] : agreement(answer, parameters, losses);
  const measured = await interleave(inProcess(step), peer, { turns, repeats: REPEATS });
  peer?.stop();
  const { nodes, compileMs } = program.stats;
  await program.dispose();
  report({
    bench: "training-step",
    name: `${title}, ${Object.entries(parameters)
      .map(([name, count]) => `${name} ${(count / 1e6).toFixed(2)} M`)
      .join(", ")}`,
    ...sides(measured),
    ...judge(measured, target),
    notes: [
      ...measured.notes,
      `${threads} threads; ${nodes} ONNX nodes, traced and compiled in ${compileMs.toFixed(0)} ms`,
      ...(answer === undefined ? [noPeer("python3-torch libopenblas0-pthread")] : checks),
    ],
  });
}
