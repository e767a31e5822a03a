/**
 * @module Bench: the engine against PyTorch on whole training steps and inference of four networks. Each side is a
 * process of its own. Before anything is timed both must agree: parameter counts, the network's output on copied weights,
 * the losses of the first steps. Memory is measured apart, in fresh processes that do nothing but train.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { agreement } from "./agreement.ts";
import type { OurAnswer, OurSettings } from "./engine/ours.ts";
import type { ProgramName } from "./engine/programs.ts";
import { formatTable, type TableRow } from "./engine/table.ts";
import type { Workload } from "./engine/workload.ts";
import { WORKLOADS } from "./engine/workloads.ts";
import {
  type Bench,
  type BenchResult,
  type BenchSettings,
  interleave,
  judge,
  noPeer,
  type Peer,
  sides,
  startPeer,
  startProcess,
  timingOf,
} from "./harness.ts";

/** Steps whose losses are compared. */
const STEPS = 3;
/** Steps after which the peak of memory is read: allocators have settled. */
const MEMORY_STEPS = 5;
/** Milliseconds that one side's part of a turn should take. */
const TURN_MS = 2000;
/** Share of a training step that JavaScript may take. */
const JS_SHARE = 0.03;
const PEER_SCRIPT = "torch_engine.py";

type Report = (result: BenchResult) => void;

const startOurs = (): Peer =>
  startProcess(process.execPath, [
    ...process.execArgv,
    fileURLToPath(new URL("engine/ours.ts", import.meta.url)),
  ]);
const startTorch = () => startPeer(PEER_SCRIPT, ["torch", "numpy"]);

export const engineBench: Bench = {
  name: "engine",
  summary: "training step, inference, memory and compilation of W1-W4 against the same networks in PyTorch",
  parts: WORKLOADS.map(({ name }) => name),
  async run(report, settings) {
    const folder = mkdtempSync(join(tmpdir(), "subband-bench-"));
    const rows: TableRow[] = [];
    for (const workload of WORKLOADS)
      if (settings.only.length === 0 || settings.only.includes(workload.name))
        rows.push(await measure(workload, join(folder, `${workload.name}.safetensors`), report, settings));
    rmSync(folder, { recursive: true });
    return formatTable(rows);
  },
};

async function measure(
  workload: Workload,
  tensors: string,
  report: Report,
  { turns, threads }: BenchSettings,
): Promise<TableRow> {
  const { name, targets, config } = workload;
  const ours = startOurs();
  const settings: OurSettings = { workload: name, threads, tensors, steps: STEPS };
  const mine = (await ours.setup(settings)) as unknown as OurAnswer;
  const peer = startTorch();
  const theirs = await peer?.setup({ workload: name, config, tensors, threads, steps: STEPS });
  const checks =
    theirs === undefined
      ? [noPeer("python3-torch libopenblas0-pthread")]
      : agreement(theirs, { params: mine.parameters }, mine.losses);

  const compare = async (program: ProgramName) => {
    const { median } = timingOf((await ours.run(2, program)).ms);
    const repeats = Math.max(1, Math.min(20, Math.round(TURN_MS / median)));
    const side = (of: Peer) => ({ run: (count: number) => of.run(count, program) });
    return interleave(side(ours), peer === undefined ? undefined : side(peer), { turns, repeats });
  };
  await ours.ask("share");
  const train = await compare("train");
  const { share } = (await ours.ask("share")) as { readonly share: number };
  const forward = await compare("forward");
  ours.stop();
  peer?.stop();

  const bench = "engine";
  const { compileSeconds, nodes, gflop } = mine.train;
  report({
    bench,
    name: `${name} training step: ${workload.title}; ${(mine.parameters / 1e6).toFixed(2)} M parameters`,
    ...sides(train),
    ...judge(train, targets.train),
    figures: { parameters: mine.parameters, gflop, nodes },
    notes: [
      ...train.notes,
      `${threads} threads; ${gflop.toFixed(0)} GFLOP a step in ${nodes} ONNX nodes: best ` +
        `${(gflop / (train.ours!.best / 1000)).toFixed(0)} GFLOP/s`,
      ...checks,
    ],
  });
  report({
    bench,
    name: `${name} inference`,
    ...sides(forward),
    ...(targets.forward === undefined ? {} : judge(forward, targets.forward)),
    figures: { gflop: mine.forward!.gflop, nodes: mine.forward!.nodes },
    notes: [
      ...forward.notes,
      `${mine.forward!.gflop.toFixed(1)} GFLOP in ${mine.forward!.nodes} nodes`,
      ...(theirs === undefined ? [] : [`peer: ${String(theirs["forwardLayout"])}`]),
    ],
  });
  const peak = {
    ours: await peakBytes(startOurs(), { workload: name, threads, steps: 0 } satisfies OurSettings),
    theirs:
      theirs === undefined
        ? undefined
        : await peakBytes(startTorch()!, {
            workload: name,
            config,
            tensors,
            threads,
            layout: theirs["layout"],
          }),
  };
  reportLimits(report, workload, { peak, compileSeconds, share });
  return {
    name,
    train,
    forward,
    peak,
    compileSeconds,
    share,
  };
}

/** The peak of a fresh process that does nothing but train. */
async function peakBytes(process: Peer, settings: unknown): Promise<number> {
  await process.setup(settings);
  await process.run(MEMORY_STEPS, "train" satisfies ProgramName);
  const { peakBytes: peak } = (await process.ask("memory")) as { readonly peakBytes: number };
  process.stop();
  return peak;
}

/** What has a limit of its own: memory, compilation, JavaScript's share. */
function reportLimits(
  report: Report,
  { name, targets }: Workload,
  { peak, compileSeconds, share }: Pick<TableRow, "peak" | "compileSeconds" | "share">,
): void {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  report({
    bench: "engine",
    name: `${name} peak resident memory of a fresh process that trains`,
    ...(peak.theirs === undefined
      ? {}
      : { target: `at most the peer's ${megabytes(peak.theirs)}`, met: peak.ours <= peak.theirs }),
    figures: { oursBytes: peak.ours, ...(peak.theirs === undefined ? {} : { theirsBytes: peak.theirs }) },
    notes: [`ours ${megabytes(peak.ours)}`],
  });
  const limit = targets.compileSeconds;
  report({
    bench: "engine",
    name: `${name} compilation of the training step, from trace to session`,
    ...(limit === undefined ? {} : { target: `${limit} s`, met: compileSeconds <= limit }),
    figures: { compileSeconds },
    notes: [`${compileSeconds.toFixed(2)} s`],
  });
  report({
    bench: "engine",
    name: `${name} JavaScript's share of a training step, outside session.run`,
    target: `${100 * JS_SHARE} %`,
    met: share <= JS_SHARE,
    figures: { share },
    notes: [`${(100 * share).toFixed(2)} %`],
  });
}
