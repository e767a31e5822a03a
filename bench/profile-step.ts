/**
 * @module Where the time of one program of ours goes, in one process: first its plain time, then, by ONNX Runtime's
 * profiler, time by operation and by operation and shape. Every node counts with its fastest run, which a busy machine
 * disturbs least. Run `npx tsx --conditions=@subband/source bench/profile-step.ts <workload or stage> <program>
 * [threads]`: `W1 train 2`, `W1 forward`, `low step`, `detail score`, `detail adversarial`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, compile } from "onnxgrad";
import { node } from "onnxgrad/node";
import { compileProgram, type ProgramName } from "./engine/programs.ts";
import { workloadNamed } from "./engine/workloads.ts";
import { machineLine, timeRuns, timingOf } from "./harness.ts";
import { startState } from "./start-state.ts";
import { benchConfig, benchFeeds } from "./training-step.ts";
import { wmgm } from "../packages/subband/src/systems/wmgm/wmgm.ts";

/** Runs of each part: as many as fit in this many seconds, within bounds. */
const SECONDS = 8;
const [LEAST, MOST] = [5, 25];
const LINES = 28;

interface Event {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
  readonly args: {
    readonly op_name: string;
    readonly input_type_shape: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/** A program of ours that can be run again and again. */
interface Subject {
  run(): Promise<unknown>;
  dispose(): Promise<void>;
  readonly compileSeconds: number;
}

async function subjectOn(backend: Backend): Promise<Subject> {
  const stage = wmgm(benchConfig()).stages.find(({ name }) => name === subjectName);
  if (stage === undefined) {
    const workload = workloadNamed(subjectName);
    return compileProgram(backend, workload, startState(workload.initialState()), programName as ProgramName);
  }
  const { inputs, build } = stage.programs[programName]!;
  const feeds = benchFeeds(stage, stage.programs[programName]!, programName === "adversarial" ? 0.9 : 0.3);
  const state = startState(stage.begin({ seed: 1, arrays: new Map() }));
  const program = await compile(backend, { state, inputs }, build as never);
  return {
    run: () => program.run(feeds as never, { reuse: true }),
    dispose: () => program.dispose(),
    compileSeconds: program.stats.compileMs / 1000,
  };
}

/** Milliseconds of every run but the first two. */
async function timesOf({ run }: Subject): Promise<readonly number[]> {
  const [, first] = await timeRuns(run, 2);
  return timeRuns(run, Math.max(LEAST, Math.min(MOST, Math.round((1000 * SECONDS) / first!))));
}

const [subjectName = "W1", programName = "train", threads = "2"] = process.argv.slice(2);
const plain = await subjectOn(node({ threads: Number(threads) }));
const { best, median, runs } = timingOf(await timesOf(plain));
await plain.dispose();
process.stdout.write(
  `${machineLine()}\n${subjectName} ${programName}, ${threads} threads: best ${best.toFixed(1)} ms, ` +
    `median ${median.toFixed(1)} (${runs} runs), compiled in ${plain.compileSeconds.toFixed(2)} s\n`,
);

const folder = mkdtempSync(join(tmpdir(), "subband-profile-"));
const profiled = await subjectOn(node({ threads: Number(threads), profile: join(folder, "step") }));
const profiledBest = timingOf(await timesOf(profiled)).best;
await profiled.dispose();

const [file] = readdirSync(folder);
const events = JSON.parse(readFileSync(join(folder, file!), "utf8")) as Event[];
rmSync(folder, { recursive: true });
const nodes = new Map<string, { ms: number; op: string; signature: string }>();
for (const { cat, name, dur, args } of events) {
  if (cat !== "Node" || !name.endsWith("_kernel_time")) continue;
  const shapes = (list: Event["args"]["input_type_shape"]) =>
    list.map((each) => `[${Object.values(each)[0]!.join(",")}]`).join(" ");
  const signature = `${args.op_name} ${shapes(args.input_type_shape)} -> ${shapes(args.output_type_shape)}`;
  const ms = Math.min(nodes.get(name)?.ms ?? Infinity, dur / 1000);
  nodes.set(name, { ms, op: args.op_name, signature });
}
const print = (title: string, key: "op" | "signature") => {
  const groups = new Map<string, { ms: number; count: number }>();
  for (const each of nodes.values()) {
    const { ms, count } = groups.get(each[key]) ?? { ms: 0, count: 0 };
    groups.set(each[key], { ms: ms + each.ms, count: count + 1 });
  }
  process.stdout.write(`\nms      nodes ${title}\n`);
  for (const [name, { ms, count }] of [...groups].sort((a, b) => b[1].ms - a[1].ms).slice(0, LINES))
    process.stdout.write(`${ms.toFixed(2).padEnd(8)}${String(count).padEnd(6)}${name}\n`);
};
const total = [...nodes.values()].reduce((sum, { ms }) => sum + ms, 0);
process.stdout.write(
  `with the profiler best ${profiledBest.toFixed(1)} ms, sum of ${nodes.size} nodes' best ${total.toFixed(1)} ms\n`,
);
print("operation", "op");
print("operation and shapes", "signature");
