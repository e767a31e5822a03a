/**
 * @module What every bench shares: a line about the machine, a peer process in Python that stays alive so that both sides
 * are warm, turns that alternate between the two, and medians, minima and their ratio. A bench says what is run; it
 * neither measures nor prints.
 */
import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Milliseconds of one side. */
export interface Timing {
  readonly median: number;
  readonly best: number;
  readonly runs: number;
}

/** One line of the report. */
export interface BenchResult {
  readonly bench: string;
  readonly name: string;
  /** Milliseconds of ours and, where it is installed, the peer's; absent where something else is measured. */
  readonly ours?: Timing;
  readonly theirs?: Timing;
  /** Peer's time over ours: above 1 we are faster. The target is judged by `best`, which a busy machine disturbs least. */
  readonly ratio?: { readonly median: number; readonly best: number };
  readonly target?: string;
  readonly met?: boolean;
  /** Other measurements, by a name that says the unit. */
  readonly figures?: Readonly<Record<string, number>>;
  /** Anything else that was measured or checked, as printed. */
  readonly notes: readonly string[];
}

/** A bench: a file in this folder that calls `report` with each result as it comes; may end with a text, e.g. a table. */
export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** What `--only` may name. */
  readonly parts?: readonly string[];
  run(report: (result: BenchResult) => void, settings: BenchSettings): Promise<string | undefined>;
}

/** What a user may ask of every bench. */
export interface BenchSettings {
  /** Pairs of turns; each side runs once a turn. */
  readonly turns: number;
  readonly threads: number;
  /** Parts of a bench to run; empty: all. */
  readonly only: readonly string[];
  /** A built checkout of another revision, for the bench that compares revisions. */
  readonly against?: string;
}

/** Processor, cores, versions and how busy the machine is now. */
export function machineLine(): string {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  const load = loadavg().map((each) => each.toFixed(2));
  return `${cpus()[0]?.model.trim()} x ${cpus().length}, Node ${process.version}, ONNX Runtime ${version}, load average ${load.join(" ")}`;
}

/** Milliseconds of each of some runs, and of processor time in all of them. */
export interface Runs {
  readonly ms: readonly number[];
  readonly cpuMs: number;
}

/** One side of a measurement. */
export interface Side {
  run(repeats: number): Promise<Runs>;
}

/** A process of its own that answers a line with a line of JSON: `setup {...}`, `run k [program]`, and what else it knows. */
export interface Peer {
  setup(settings: unknown): Promise<Readonly<Record<string, unknown>>>;
  ask(line: string): Promise<Readonly<Record<string, unknown>>>;
  run(repeats: number, program?: string): Promise<Runs>;
  stop(): void;
}

const PYTHON = "/usr/bin/python3";

/** Starts `bench/peers/<script>`, or gives undefined where one of the Python `modules` is not installed. */
export function startPeer(script: string, modules: readonly string[]): Peer | undefined {
  const probe = spawnSync(PYTHON, ["-c", `import ${modules.join(", ")}`], { stdio: "ignore" });
  if (probe.status !== 0) return undefined;
  return startProcess(PYTHON, [fileURLToPath(new URL(`peers/${script}`, import.meta.url))]);
}

/** Starts a process that speaks as {@link Peer} says. */
export function startProcess(command: string, args: readonly string[]): Peer {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (line: string) => {
    child.stdin.write(`${line}\n`);
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${args.at(-1)} ended without an answer to: ${line.slice(0, 80)}`);
    return JSON.parse(value) as Readonly<Record<string, unknown>>;
  };
  return {
    setup: (settings) => ask(`setup ${JSON.stringify(settings)}`),
    ask,
    run: async (repeats, program) => {
      const { ms, cpuMs } = await ask(`run ${repeats}${program === undefined ? "" : ` ${program}`}`);
      return { ms: ms as readonly number[], cpuMs: cpuMs as number };
    },
    stop: () => child.stdin.end(),
  };
}

/** The side that runs here: `once` as often as asked. */
export function inProcess(once: () => unknown): Side {
  return {
    async run(repeats) {
      const before = process.cpuUsage();
      const ms = await timeRuns(once, repeats);
      const { user, system } = process.cpuUsage(before);
      return { ms, cpuMs: (user + system) / 1000 };
    },
  };
}

/** What to say where {@link startPeer} gave undefined. */
export const noPeer = (packages: string): string =>
  `peer not installed (Debian ${packages}): ours only, no ratio`;

/** Median and minimum. */
export function timingOf(milliseconds: readonly number[]): Timing {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, best: sorted[0]!, runs: sorted.length };
}

/** Runs `once` `repeats` times. */
export async function timeRuns(once: () => unknown, repeats: number): Promise<number[]> {
  const milliseconds: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    const result = once();
    if (result instanceof Promise) await result;
    milliseconds.push(performance.now() - started);
  }
  return milliseconds;
}

/** Milliseconds that all cores together have been busy. */
function busyMs(): number {
  return cpus().reduce((sum, { times: t }) => sum + t.user + t.nice + t.sys + t.irq, 0);
}

/** Share of the machine that other programs may use in a turn that counts: they stall threads that wait for each other. */
const QUIET = 0.15;

/** What {@link interleave} found. */
export interface Measured extends Pick<BenchResult, "ours" | "theirs" | "ratio" | "notes"> {
  /** Whether the machine was quiet enough for a judgement. */
  readonly quiet: boolean;
}

/**
 * A turn of ours, a turn of the peer's, and so on, after one of each that does not count. Turns disturbed by other
 * programs are repeated, up to three times as many in all; where too few are quiet all count, and a note says so.
 */
export async function interleave(
  ours: Side,
  peer: Side | undefined,
  { turns, repeats }: { readonly turns: number; readonly repeats: number },
): Promise<Measured> {
  const all: {
    readonly mine: readonly number[];
    readonly other: readonly number[];
    readonly others: number;
    readonly cpu: readonly [ours: number, theirs: number];
  }[] = [];
  const isQuiet = ({ others }: { readonly others: number }) => others <= QUIET;
  await ours.run(1);
  await peer?.run(1);
  while (all.length < 3 * turns && all.filter(isQuiet).length < turns) {
    const before = busyMs();
    const started = performance.now();
    const mine = await ours.run(repeats);
    const other = await peer?.run(repeats);
    const wall = (performance.now() - started) * cpus().length;
    const cpu = [mine.cpuMs, other?.cpuMs ?? 0] as const;
    all.push({
      mine: mine.ms,
      other: other?.ms ?? [],
      others: (busyMs() - before - cpu[0] - cpu[1]) / wall,
      cpu: [cpu[0] / repeats, cpu[1] / repeats],
    });
  }
  const quiet = all.filter(isQuiet);
  const counted = quiet.length >= Math.min(2, turns) ? quiet : all;
  const load = timingOf(counted.map(({ others }) => 100 * Math.max(0, others))).median;
  const cpuBest = ([0, 1] as const).map((side) => Math.min(...all.map(({ cpu }) => cpu[side])).toFixed(1));
  const notes = [
    `${counted.length} of ${all.length} turns count, other programs used ${load.toFixed(0)} % of the cores in them` +
      (counted === quiet ? "" : ": TOO BUSY, times mean little and no target is judged"),
    // With one thread each, this holds on a busy machine too; threads that wait for each other may burn it.
    `CPU time a run in the best turn: ours ${cpuBest[0]} ms${peer === undefined ? "" : `, peer ${cpuBest[1]} ms`}`,
  ];
  const us = timingOf(counted.flatMap(({ mine }) => mine));
  const isJudged = counted === quiet;
  if (peer === undefined) return { ours: us, notes, quiet: isJudged };
  const them = timingOf(counted.flatMap(({ other }) => other));
  return {
    ours: us,
    theirs: them,
    ratio: { median: them.median / us.median, best: them.best / us.best },
    notes,
    quiet: isJudged,
  };
}

/** The timings of a measurement. */
export function sides({ ours, theirs, ratio }: Measured): Pick<BenchResult, "ours" | "theirs" | "ratio"> {
  return {
    ...(ours === undefined ? {} : { ours }),
    ...(theirs === undefined ? {} : { theirs }),
    ...(ratio === undefined ? {} : { ratio }),
  };
}

/** `target` and `met` of a ratio that should be reached; nothing without a peer or on a busy machine. */
export function judge({ ratio, quiet }: Measured, least: number): Pick<BenchResult, "target" | "met"> {
  return ratio === undefined || !quiet ? {} : { target: `${least}x`, met: ratio.best >= least };
}

/** One result as text. */
export function formatResult({ name, ours, theirs, ratio, target, met, notes }: BenchResult): string {
  const ms = ({ median, best, runs }: Timing) =>
    `median ${digits(median)} ms, best ${digits(best)} (${runs} runs)`;
  const lines = [
    ...(ours === undefined ? [] : [`ours: ${ms(ours)}`]),
    ...(theirs === undefined ? [] : [`peer: ${ms(theirs)}`]),
    ...(ratio === undefined
      ? []
      : [`ratio: median ${ratio.median.toFixed(2)}x, best ${ratio.best.toFixed(2)}x`]),
    ...(target === undefined ? [] : [`target ${target}: ${met === true ? "met" : "MISSED"}`]),
    ...notes,
  ];
  return `${name}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

const digits = (ms: number) => ms.toFixed(ms < 10 ? 2 : 1);
