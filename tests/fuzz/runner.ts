/**
 * @module Fuzzing of one target: inputs that follow from a seed and a number, read by processes of their own, which are
 * watched for crashes, hangs and memory. What went wrong is kept with the input.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rng } from "onnxgrad";
import type { Answer } from "./child.ts";
import { byteMutations, pick } from "./mutations.ts";
import type { Seed, Target } from "./target.ts";

/** An input that was not withstood. */
export interface Fault {
  readonly target: string;
  /** Number of the input. */
  readonly index: number;
  /** Where it is kept. */
  readonly path: string;
  readonly what: string;
}

/** What became of the inputs. */
export interface Tally {
  readonly inputs: number;
  /** Inputs by what came of them. */
  readonly words: ReadonlyMap<string, number>;
  readonly faults: readonly Fault[];
}

/** How to fuzz. */
export interface FuzzOptions {
  readonly seed: number;
  /** Number of the first input; default 0. */
  readonly first?: number;
  /** Asked before each input, with the number done. */
  readonly more: (done: number) => boolean;
  /** Folder for the inputs that were not withstood. */
  readonly keep: string;
  readonly onFault?: (fault: Fault) => void;
}

/** A process reads so many inputs, so that what one leaves behind is not blamed on those long after. */
const INPUTS_A_PROCESS = 300;

/** Input number `index`: a seed, whole at first, then damaged in one to four ways (two, where only its structure is). */
export function inputOf(target: Target, seeds: readonly Seed[], seed: number, index: number): Seed {
  if (index < seeds.length) return seeds[index]!;
  const random = rng(seed, `fuzz-${target.name}`, index);
  const { name, bytes } = pick(seeds, random);
  const others = seeds.map((each) => each.bytes);
  let mutant = bytes;
  for (let left = 1 + random.below(target.structured === true ? 2 : 4); left > 0; left--) {
    const structured = target.structured === true || (target.mutations.length > 0 && random.below(2) === 1);
    mutant = pick(structured ? target.mutations : byteMutations, random)(mutant, random, others);
  }
  return { name, bytes: mutant };
}

/** Fuzzes the target exported by `file`. */
export async function fuzz(target: Target, file: string, options: FuzzOptions): Promise<Tally> {
  const seeds = await target.seeds();
  const folder = mkdtempSync(join(tmpdir(), `fuzz-${target.name}-`));
  const words = new Map<string, number>();
  const faults: Fault[] = [];
  let reader: Reader | undefined;
  let inputs = 0;
  try {
    for (let index = options.first ?? 0; options.more(inputs); index++) {
      const { name, bytes } = inputOf(target, seeds, options.seed, index);
      const path = join(folder, `input${extname(name)}`);
      writeFileSync(path, bytes);
      reader ??= await startReader(target, file, folder);
      const { word, fault } = await reader.read(path);
      inputs++;
      words.set(word, (words.get(word) ?? 0) + 1);
      if (fault !== undefined) {
        mkdirSync(options.keep, { recursive: true });
        const kept = join(options.keep, `${target.name}-${options.seed}-${index}${extname(name)}`);
        writeFileSync(kept, bytes);
        faults.push({ target: target.name, index, path: kept, what: fault });
        options.onFault?.(faults.at(-1)!);
      }
      if (fault !== undefined || inputs % INPUTS_A_PROCESS === 0) {
        await reader.stop();
        reader = undefined;
      }
    }
  } finally {
    await reader?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { inputs, words, faults };
}

/** Reads one file with the target, in a process that is watched. */
export async function readOnce(target: Target, file: string, path: string): Promise<Answer> {
  const folder = mkdtempSync(join(tmpdir(), `fuzz-${target.name}-`));
  const reader = await startReader(target, file, folder);
  try {
    return await reader.read(path);
  } finally {
    await reader.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Reader {
  read(path: string): Promise<Answer>;
  stop(): Promise<void>;
}

async function startReader(target: Target, file: string, folder: string): Promise<Reader> {
  const work = join(folder, "work");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  const child = fork(fileURLToPath(new URL("child.ts", import.meta.url)), [file, work], {
    execArgv: ["--import", "tsx", "--conditions=@subband/source"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const said: string[] = [];
  child.stderr!.on("data", (chunk: Buffer) => said.splice(0, Math.max(0, said.length - 20), String(chunk)));
  const ready = await watched(child, target, () => said.join(""), 60);
  if (ready.fault !== undefined)
    throw new Error(`the reader of ${target.name} did not start: ${ready.fault}`);
  return {
    read(path) {
      const answer = watched(child, target, () => said.join(""), target.seconds);
      child.send({ path });
      return answer;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** The next answer of the process, or how it failed to give one. */
function watched(child: ChildProcess, target: Target, said: () => string, seconds: number): Promise<Answer> {
  return new Promise((resolve) => {
    const { megabytes } = target;
    let most = 0;
    const look = (): void => {
      most = Math.max(most, residentMegabytes(child.pid!));
      if (most > 1.5 * megabytes) child.kill("SIGKILL"); // before the machine is out of it
    };
    const clock = setInterval(look, 25);
    const limit = setTimeout(() => {
      settle({ word: "hang", fault: `no answer in ${seconds} s` });
      child.kill("SIGKILL");
    }, 1000 * seconds);
    const settle = (answer: Answer): void => {
      clearInterval(clock);
      clearTimeout(limit);
      child.off("message", answered).off("exit", ended);
      // Whatever else came of it: a process that is out of memory crashes or hangs, too.
      const swollen = { word: "memory", fault: `${Math.round(most)} MB, over ${megabytes}` };
      resolve(most > megabytes ? swollen : answer);
    };
    const answered = (answer: Answer): void => {
      look();
      settle(answer);
    };
    const ended = (code: number | null, signal: string | null): void =>
      settle({ word: "crash", fault: `the process ended with ${signal ?? code}: ${said()}` });
    child.once("message", answered).once("exit", ended);
  });
}

/** Memory of a process, where the system tells (Linux); 0 elsewhere. */
function residentMegabytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1000;
  } catch {
    return 0;
  }
}
