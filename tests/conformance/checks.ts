/**
 * @module What every provider is asked, and how it is judged: each case of the op table, forward and with gradients of
 * both orders, and the training runs, all against the float64 interpreter. Runs in Node and browsers alike: give it a
 * backend, get plain data.
 */
import {
  type Backend,
  compile,
  type Feed,
  input,
  interpret,
  type State,
  type StateTree,
  type Tensor,
} from "onnxgrad";
import {
  caseGraph,
  compositeCases,
  expectClose,
  opCases,
  type CaseOutputs,
  type OpCase,
} from "onnxgrad/testing";
import { traceProgram } from "../../packages/onnxgrad/src/runtime/trace-program.ts";
import { portName, portNamed } from "../../packages/onnxgrad/src/trace/port-names.ts";
import { toleranceOf } from "./gaps.ts";
import { type TrainingRun, TRAINING_RUNS } from "./training-runs.ts";

/** The parts of a check that can fail alone. */
export const PARTS = ["forward", "gradient", "second order", "training"] as const;
export type Part = (typeof PARTS)[number];

/** One row of the conformance table. */
export interface Check {
  /** `<operation> / <case>` or `training / <run>`. */
  readonly id: string;
  /** The operation; `training` for a run. */
  readonly subject: string;
  readonly case?: OpCase;
  readonly run?: TrainingRun;
}

/** What came of a check on a provider; plain data. */
export interface Outcome {
  readonly id: string;
  /** Why, for every part that failed. */
  readonly failures: Readonly<Partial<Record<Part, string>>>;
  /** Whether the device lacks an operation of it, which the CPU does then; absent where there is no device. */
  readonly leavesDevice?: boolean;
}

/** Every check, in the order of the table. */
export const CHECKS: readonly Check[] = [
  ...Object.entries({ ...opCases, ...compositeCases }).flatMap(([subject, cases]) =>
    cases.map((each): Check => ({ id: `${subject} / ${each.name}`, subject, case: each })),
  ),
  ...TRAINING_RUNS.map((run): Check => ({ id: `training / ${run.name}`, subject: "training", run })),
];

/**
 * Runs a check; never throws for what the provider does. `strict` is the same backend without fallback to the CPU, where
 * there is such a thing.
 */
export async function runCheck(check: Check, backend: Backend, strict?: Backend): Promise<Outcome> {
  const { id } = check;
  const failures = check.case
    ? await failuresOfCase(check.subject, check.case, backend)
    : await failuresOfRun(check.run!, backend);
  if (strict === undefined) return { id, failures };
  return { id, failures, leavesDevice: !(await compiles(check, strict)) };
}

type Failures = Partial<Record<Part, string>>;
type Named = Readonly<Record<string, ArrayLike<number>>>;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** All parts in one session; only when that fails, each in its own, to tell which. */
async function failuresOfCase(subject: string, testCase: OpCase, backend: Backend): Promise<Failures> {
  const all = ["forward", "gradient", "second order"] as const;
  try {
    await compareCase(subject, testCase, backend, all);
    return {};
  } catch (together) {
    const failures: Failures = {};
    for (const part of all)
      try {
        await compareCase(subject, testCase, backend, [part]);
      } catch (alone) {
        failures[part] = messageOf(alone);
      }
    // What fails only together is still a failure.
    return Object.keys(failures).length > 0 ? failures : { forward: messageOf(together) };
  }
}

const OUTPUTS = { forward: "forward", gradient: "first", "second order": "second" } as const;

/** The outputs of some parts. */
function pick(outputs: CaseOutputs, parts: readonly (keyof typeof OUTPUTS)[]): Record<string, Tensor> {
  return Object.assign({}, ...parts.map((part) => outputs[OUTPUTS[part]])) as Record<string, Tensor>;
}

/** @throws Error when the provider deviates from float64. */
async function compareCase(
  subject: string,
  testCase: OpCase,
  backend: Backend,
  parts: readonly (keyof typeof OUTPUTS)[],
): Promise<void> {
  const graph = caseGraph(subject, testCase);
  const feeds = Object.entries(graph.feeds);
  const traced = graph.trace(
    Object.fromEntries(feeds.map(([name, { spec }]) => [name, input(name, spec.shape, spec.dtype)])),
  );
  const wanted = Object.entries(pick(traced, parts));
  if (wanted.length === 0) return;
  const expected = interpret(
    wanted.map(([, tensor]) => tensor),
    Object.fromEntries(feeds.map(([name, { values }]) => [name, values])),
  );
  const program = await compile(
    backend,
    { inputs: Object.fromEntries(feeds.map(([name, { spec }]) => [name, spec])), debug: true },
    (given) => pick(graph.trace(given), parts),
  );
  try {
    const got: Named = await program.run(
      Object.fromEntries(feeds.map(([name, { values }]) => [name, [...values]])),
    );
    for (const [i, [name]] of wanted.entries()) {
      const want = expected[i]!.data;
      const scale = want.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
      const atol = scale * toleranceOf(backend.name, subject);
      expectClose(got[name]!, want, { rtol: 1e-5, atol, what: name });
    }
  } finally {
    await program.dispose();
  }
}

/** What a run gives: its outputs step after step, then its state. */
interface Trajectory {
  readonly steps: readonly Named[];
  readonly state: Named;
}

async function failuresOfRun(run: TrainingRun, backend: Backend): Promise<Failures> {
  try {
    const [got, want] = [await train(run, backend), trainReference(run)];
    for (const [k, outputs] of want.steps.entries())
      for (const [name, values] of Object.entries(outputs))
        expectClose(got.steps[k]![name]!, values, { rtol: 2e-4, atol: 2e-5, what: `${name} at step ${k}` });
    // Adam divides a gradient by its own size: where that is near rounding, steps differ by a part of the step size.
    for (const [name, values] of Object.entries(want.state))
      expectClose(got.state[name]!, values, { rtol: 1e-3, atol: 1e-4, what: `${name} at the end` });
    return {};
  } catch (error) {
    return { training: messageOf(error) };
  }
}

async function train(run: TrainingRun, backend: Backend): Promise<Trajectory> {
  const program = await compile(backend, { state: run.state(), inputs: run.inputs }, run.build as Build);
  try {
    const steps: Named[] = [];
    for (let k = 0; k < run.steps; k++) {
      const outputs: Named = await program.run(run.feeds(k));
      steps.push(
        Object.fromEntries(
          Object.entries(outputs).map(([name, data]) => [name, [...(data as Float32Array)]]),
        ),
      );
    }
    await program.state.pull();
    return { steps, state: valuesOf(program.state) };
  } finally {
    await program.state.dispose();
    await program.dispose();
  }
}

type Build = (args: object) => object;

/** The same run by the interpreter, state and all in float64. */
function trainReference(run: TrainingRun): Trajectory {
  const { state, updates, outputs } = traceProgram(
    { state: run.state(), inputs: run.inputs },
    run.build as Build,
  );
  const tensors = outputs.map(([, tensor]) => tensor);
  const values = new Map<string, ArrayLike<number>>(
    [...state.entries].map(([name, { current }]) => [name, Float64Array.from(current)]),
  );
  const steps = Array.from({ length: run.steps }, (_, k): Named => {
    const made = interpret(tensors, {
      ...Object.fromEntries([...values].map(([name, data]) => [portName({ is: "state", name }), data])),
      ...Object.fromEntries(
        Object.entries(run.feeds(k)).map(([name, feed]) => [portName({ is: "in", name }), numbers(feed)]),
      ),
    });
    updates.forEach(({ name }, i) => values.set(name, made[i]!.data));
    return Object.fromEntries(
      outputs.flatMap(([name], i) => {
        const port = portNamed(name);
        return port?.is === "out" ? [[port.name, made[i]!.data]] : [];
      }),
    );
  });
  return { steps, state: Object.fromEntries(values) };
}

const numbers = (feed: Feed): ArrayLike<number> =>
  typeof feed === "number" ? [feed] : feed instanceof BigInt64Array ? [...feed].map(Number) : feed;

const valuesOf = (state: State<StateTree>): Named =>
  Object.fromEntries([...state.entries].map(([name, { current }]) => [name, current.slice()]));

/** Whether a backend takes the model of a check. */
async function compiles({ subject, case: testCase, run }: Check, backend: Backend): Promise<boolean> {
  try {
    const program = run
      ? await compile(backend, { state: run.state(), inputs: run.inputs }, run.build as Build)
      : await compileCase(subject, testCase!, backend);
    await program.dispose();
    return true;
  } catch {
    return false;
  }
}

function compileCase(subject: string, testCase: OpCase, backend: Backend) {
  const { feeds, trace } = caseGraph(subject, testCase);
  return compile(
    backend,
    { inputs: Object.fromEntries(Object.entries(feeds).map(([name, { spec }]) => [name, spec])) },
    (given) => pick(trace(given), ["forward", "gradient", "second order"]),
  );
}
