/**
 * @module The process of our side of bench/engine.ts, so that memory and processor time are its own: answers `setup
 * {...}`, `run k [train | forward]`, `share` (JavaScript's share of the training steps since the last) and `memory` (peak
 * resident bytes) with a line of JSON each, as the peers do.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Backend } from "onnxgrad";
import { node } from "onnxgrad/node";
import { inProcess, type Side } from "../harness.ts";
import { startState, writePeerTensors } from "../start-state.ts";
import { compileProgram, type CompiledProgram, type ProgramName, scalars } from "./programs.ts";
import { parameterCount } from "./workload.ts";
import { workloadNamed } from "./workloads.ts";

/** What `setup` takes. */
export interface OurSettings {
  readonly workload: string;
  readonly threads: number;
  /** Where to write state, feeds and output for the peer; absent: only the training step is made. */
  readonly tensors?: string;
  /** Training steps whose losses are told. */
  readonly steps: number;
}

/** What `setup` answers. */
export interface OurAnswer {
  readonly parameters: number;
  readonly losses: readonly Readonly<Record<string, number>>[];
  readonly train: OurProgram;
  readonly forward?: OurProgram;
}

/** Size and compilation of a program. */
export type OurProgram = Pick<CompiledProgram, "compileSeconds" | "nodes" | "gflop">;

const sides = new Map<string, Side>();
/** Milliseconds inside `session.run`, and of whole training steps. */
const spent = { session: 0, step: 0 };

/** Calls through, and adds what it took to the time of sessions. */
const timedCall =
  <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
  async (...args: A): Promise<R> => {
    const started = performance.now();
    const result = await call(...args);
    spent.session += performance.now() - started;
    return result;
  };

/** A backend that adds up what its sessions, and the shards', take to run. */
function timed({ shards, createSession, ...backend }: Backend): Backend {
  return {
    ...backend,
    ...(shards && {
      shards: {
        count: shards.count,
        async open(models) {
          const session = await shards.open(models);
          return { ...session, run: timedCall(session.run) };
        },
      },
    }),
    async createSession(model) {
      const session = await createSession(model);
      return { ...session, run: timedCall(session.run) };
    },
  };
}

async function setup({ workload: name, threads, tensors, steps }: OurSettings): Promise<OurAnswer> {
  const workload = workloadNamed(name);
  const state = startState(workload.initialState());
  const summary = ({ compileSeconds, nodes, gflop }: CompiledProgram) => ({ compileSeconds, nodes, gflop });
  const train = await compileProgram(timed(node({ threads })), workload, state, "train");
  const step = async () => {
    const started = performance.now();
    const losses = scalars(await train.run());
    spent.step += performance.now() - started;
    return losses;
  };
  sides.set("train" satisfies ProgramName, inProcess(step));
  let forward: CompiledProgram | undefined;
  if (tensors !== undefined) {
    forward = await compileProgram(node({ threads }), workload, state, "forward");
    sides.set("forward" satisfies ProgramName, inProcess(forward.run));
    writePeerTensors(tensors, {
      state,
      feeds: workload.feeds(),
      shapes: workload.inputs,
      expected: await forward.run(),
      outputShapes: { params: forward.outputShape },
    });
  }
  const losses: Readonly<Record<string, number>>[] = [];
  for (let i = 0; i < steps; i++) losses.push(await step());
  return {
    parameters: parameterCount(state),
    losses,
    train: summary(train),
    ...(forward === undefined ? {} : { forward: summary(forward) }),
  };
}

async function answer(line: string): Promise<unknown> {
  const [command, argument = "", program = "train"] = line.split(" ");
  switch (command) {
    case "setup":
      return setup(JSON.parse(line.slice("setup ".length)) as OurSettings);
    case "run":
      return sides.get(program)!.run(Number(argument));
    case "share": {
      const share = 1 - spent.session / spent.step;
      spent.session = spent.step = 0;
      return { share };
    }
    default: {
      const [, kilobytes] = /VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))!;
      return { peakBytes: 1024 * Number(kilobytes) };
    }
  }
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
