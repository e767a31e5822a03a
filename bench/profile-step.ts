/**
 * @module Where the time of one training step goes, by ONNX Runtime's profiler: time by operation and by operation and
 * shape. Every node counts with its fastest run, which a busy machine disturbs least. Run
 * `npx tsx --conditions=@subband/source bench/profile-step.ts <low step | detail score | detail adversarial> [threads]`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "onnxgrad";
import { node } from "onnxgrad/node";
import { machineLine } from "./harness.ts";
import { benchConfig, benchFeeds, startState } from "./training-step.ts";
import { wmgm } from "../packages/subband/src/systems/wmgm.ts";

const RUNS = 25;
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

const [stageName = "low", programName = "step", threads = "2"] = process.argv.slice(2);
const stage = wmgm(benchConfig()).stages.find(({ name }) => name === stageName)!;
const description = stage.programs[programName]!;
const feeds = benchFeeds(stage, description, programName === "adversarial" ? 0.9 : 0.3);
const folder = mkdtempSync(join(tmpdir(), "subband-profile-"));
const backend = node({ threads: Number(threads), profile: join(folder, "step") });
const { inputs, build } = description;
const program = await compile(backend, { state: startState(stage), inputs }, build as never);
let best = Infinity;
for (let i = 0; i < RUNS; i++) {
  const started = performance.now();
  await program.run(feeds as never);
  best = Math.min(best, performance.now() - started);
}
await program.dispose();

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
  `${machineLine()}\n${stageName} ${programName}, ${threads} threads: best step ${best.toFixed(1)} ms, ` +
    `sum of ${nodes.size} nodes' best ${total.toFixed(1)} ms\n`,
);
print("operation", "op");
print("operation and shapes", "signature");
