import { describe, expect, test } from "vitest";
import type { Stage } from "../systems/stage.ts";
import { type Pace, plannedTotals, progressAt } from "./pace.ts";
import { createTimekeeper, type SecondsUsed } from "./time-budget.ts";

const BATCH = 8;
const MINUTES = 4;
const SHARES = { low: 0.6, detail: 0.4 } as const;
type Name = keyof typeof SHARES;
const STAGES = Object.entries(SHARES).map(
  ([name, share]) => ({ name, share, batch: BATCH }) as unknown as Stage,
);

/** How long things take, in seconds; `at` is the time since the start. */
interface Machine {
  step(name: Name, step: number, at: number): number;
  readonly save?: number;
  readonly preview?: number;
  /** Each stage has three programs: for its first half, for its second, and for the score at its end. */
  readonly compile?: number;
  /** Before the first step: opening, compiling. */
  readonly setUp?: number;
}

interface Trained {
  readonly seconds: number;
  readonly used: SecondsUsed;
  readonly steps: Readonly<Record<Name, number>>;
  readonly paces: Readonly<Record<string, Pace>>;
  /** Of each stage, the progress at which each step was made, with the seconds that the stage had used. */
  readonly path: readonly (readonly [name: Name, progress: number, used: number])[];
  /** The longest step. */
  readonly longest: number;
  /** Previews. */
  readonly drawn: number;
}

/** A training without anything to train: turns as the trainer gives them, on a clock that moves as the machine says. */
function simulate(
  machine: Machine,
  {
    minutes = MINUTES,
    stopAt = Infinity,
    from,
  }: {
    readonly minutes?: number;
    readonly stopAt?: number;
    readonly from?: Trained & { readonly minutes: number };
  } = {},
): Trained {
  let clock = 1e6;
  const now = (): number => clock;
  const began = clock;
  const extended = from !== undefined && from.minutes !== minutes;
  const keeper = createTimekeeper(
    STAGES,
    { seconds: 60 * minutes, used: from?.used ?? {}, began, extended },
    now,
    { scores: false, previews: true },
  );
  const names = Object.keys(SHARES) as Name[];
  const steps: Record<Name, number> = { ...(from?.steps ?? { low: 0, detail: 0 }) };
  let paces: Record<string, Pace> = { ...(from?.paces ?? { low: [], detail: [] }) };
  const seen = () => ({ low: steps.low * BATCH, detail: steps.detail * BATCH });
  const progress = (name: Name) => progressAt(paces[name]!, steps[name] * BATCH);
  const position = () => ({ seen: seen(), paces });
  const previews = [0.1, 0.25, 0.5, 0.75, 1];
  const path: [Name, number, number][] = [];
  const spent: Record<Name, number> = { low: 0, detail: 0 };
  let longest = 0;
  let drawn = 0;
  const after = (seconds: number): number => {
    clock += 1000 * seconds;
    return 1000 * seconds;
  };
  const compiled: Record<Name, number> = { low: 0, detail: 0 };
  const compileUntil = (name: Name, programs: number): void => {
    if (machine.compile === undefined) return;
    while (compiled[name] < programs) {
      const isJudge = ++compiled[name] === 3;
      keeper.compiled(name, after(isJudge ? 0.4 * machine.compile : machine.compile), !isJudge);
    }
  };
  if (extended)
    for (const name of names)
      paces = { ...paces, [name]: [...paces[name]!, keeper.extend(name, position())] };
  after(machine.setUp ?? 0);
  let savedAt = clock;
  for (;;) {
    const open = names.filter((name) => progress(name) < 1);
    if (open.length === 0 || clock - began >= 1000 * stopAt) break;
    const name = open.reduce((a, b) => (progress(b) < progress(a) ? b : a));
    path.push([name, progress(name), spent[name]]);
    compileUntil(name, progress(name) < 0.5 ? 1 : 2);
    const seconds = machine.step(name, steps[name], (clock - began) / 1000);
    longest = Math.max(longest, seconds);
    spent[name] += seconds;
    steps[name]++;
    keeper.stepped(name, after(seconds));
    const knot = keeper.plan(name, position());
    if (knot !== undefined) paces = { ...paces, [name]: [...paces[name]!, knot] };
    if (progress(name) >= 1) compileUntil(name, 3);
    const done = names.reduce((total, each) => total + SHARES[each] * progress(each), 0);
    const reached = previews.filter((at) => done >= at - 1e-9).length;
    previews.splice(0, reached);
    if (reached > 0 && (previews.length === 0 || keeper.affordsPreview())) {
      keeper.did("preview", after(machine.preview ?? 0));
      drawn++;
    }
    if (clock - savedAt > 60_000) {
      keeper.did("save", after(machine.save ?? 0));
      savedAt = clock;
    }
  }
  const used = keeper.used();
  keeper.did("save", after(machine.save ?? 0));
  return { seconds: (clock - began) / 1000, used, steps, paces, path, longest, drawn };
}

/** Within 5 % of the time asked for, or one step; shares of the time in steps as promised, within 5 % of that time. */
function expectKept(
  { seconds, used, longest, paces }: Trained,
  { asked = 60 * MINUTES, tolerance = Math.max(0.05 * asked, longest) } = {},
): void {
  expect(Math.abs(seconds - asked), `took ${seconds} s, ${asked} s were asked for`).toBeLessThanOrEqual(
    tolerance,
  );
  const inSteps = used["low"]! + used["detail"]!;
  for (const [name, share] of Object.entries(SHARES))
    expect(Math.abs(used[name]! - share * inSteps), `${name} of ${inSteps} s`).toBeLessThanOrEqual(
      Math.max(0.05 * share * inSteps, longest),
    );
  for (const pace of Object.values(paces)) expect(pace.length).toBeLessThan(150);
}

/** A number in [0, 1) that looks random, the same at every run. */
const noise = (n: number): number => (Math.sin(12.9898 * (n + 1)) * 43_758.5453) % 1 ** 2;
const jitter = (n: number): number => Math.abs(noise(n));
const cost = { low: 0.06, detail: 0.11 } as const;

const MACHINES: Readonly<Record<string, Machine>> = {
  "steps that always take the same": { step: (name) => cost[name] },
  "half as fast from the middle on": { step: (name, _, at) => cost[name] * (at < 120 ? 1 : 2) },
  "twice as fast from the middle on": { step: (name, _, at) => cost[name] * (at < 120 ? 1 : 0.5) },
  "ten times as fast shortly before the end": { step: (name, _, at) => cost[name] * (at < 225 ? 1 : 0.1) },
  "five times as slow shortly before the end": { step: (name, _, at) => cost[name] * (at < 225 ? 1 : 5) },
  "busy for ten seconds in every thirty": { step: (name, _, at) => cost[name] * (at % 30 < 10 ? 3 : 1) },
  "between half and twice the time, at random": { step: (name, n) => cost[name] * (0.5 + 1.5 * jitter(n)) },
  "one stage alone slows down": { step: (name, _, at) => cost[name] * (name === "low" && at > 100 ? 4 : 1) },
  "slow at the start": { step: (name, n) => (n === 0 ? 6 : n < 5 ? 1.5 : cost[name]) },
  "one stage very slow at the start": { step: (name, n) => (name === "detail" && n < 6 ? 4 : cost[name]) },
  "steps that get dearer as the stage goes on": {
    step: (name, n) => cost[name] * (n > 400 && name === "detail" ? 2.5 : 1),
  },
  "every sixteenth step twice as dear": { step: (name, n) => cost[name] * (n % 16 === 0 ? 2 : 1) },
  "a long set-up, long saves and long previews": {
    step: (name) => cost[name],
    setUp: 40,
    save: 2,
    preview: 3,
  },
  "previews of half a minute": { step: (name) => cost[name], preview: 30 },
  "six programs that take three to eight seconds to compile": { step: (name) => cost[name], compile: 8 },
  "steps of seven seconds": { step: (name) => (name === "low" ? 7 : 5) },
  "steps of five milliseconds": { step: (name) => (name === "low" ? 0.005 : 0.008) },
};

describe("a budget of time", () => {
  test.each(Object.entries(MACHINES))("is kept: %s", (_, machine) => {
    expectKept(simulate(machine));
  });

  test.each(Object.entries(MACHINES).filter(([name]) => !/seven|start/.test(name)))(
    "progress is the part of the time that is gone: %s",
    (_, machine) => {
      const { path, used } = simulate(machine);
      for (const [name, progress, seconds] of path)
        if (seconds > 0.2 * used[name]!)
          expect(Math.abs(progress - seconds / used[name]!), `${name} at ${seconds} s`).toBeLessThan(0.12);
    },
  );

  test("a machine that sleeps for an hour in a step is not at work meanwhile", () => {
    const trained = simulate({ step: (name, n) => (name === "low" && n === 700 ? 3600 : cost[name]) });
    expect(trained.seconds - 3600).toBeGreaterThan(0.95 * 60 * MINUTES);
    expect(trained.seconds - 3600).toBeLessThan(1.05 * 60 * MINUTES);
    expectKept({ ...trained, seconds: trained.seconds - 3600, longest: 0.11 });
  });

  test("previews that take long are fewer: at least the first and the last", () => {
    const drawn = (preview: number) => simulate({ step: (name) => cost[name], preview }).drawn;
    expect([0, 2, 8, 11, 30].map(drawn)).toEqual([5, 5, 4, 3, 2]);
  });

  test("steps longer than the whole budget: each stage makes one", () => {
    const { steps } = simulate({ step: () => 600 });
    expect(steps).toEqual({ low: 1, detail: 1 });
  });

  test("a set-up longer than the whole budget: each stage makes one step", () => {
    const { steps, seconds } = simulate({ step: (name) => cost[name], setUp: 300 });
    expect(steps).toEqual({ low: 1, detail: 1 });
    expect(seconds).toBeLessThan(301);
  });

  test("a run that is stopped and resumed uses the time that it had left", () => {
    const machine: Machine = { step: (name, _, at) => cost[name] * (at > 50 ? 1.5 : 1), setUp: 3 };
    const first = simulate(machine, { stopAt: 100 });
    const second = simulate(machine, { from: { ...first, minutes: MINUTES } });
    expectKept({ ...second, seconds: first.seconds + second.seconds });
    expect(second.steps.low).toBeGreaterThan(first.steps.low);
  });

  test("four minutes made sixteen are twelve more, at a progress that has fallen to a quarter", () => {
    const machine: Machine = { step: (name) => cost[name], setUp: 3 };
    const four = simulate(machine);
    const more = simulate(machine, { minutes: 16, from: { ...four, minutes: MINUTES } });
    expect(Math.abs(more.seconds - 720)).toBeLessThan(0.05 * 720);
    expectKept({ ...more, seconds: four.seconds + more.seconds }, { asked: 960 });
    for (const name of ["low", "detail"] as const) {
      const [, begun] = more.path.find(([each]) => each === name)!;
      expect(begun, name).toBeGreaterThan(0.24);
      expect(begun, name).toBeLessThan(0.27);
      // As many images a minute as before, from the first plan on.
      const [, planned] = more.paces[name]!.find((knot) => knot.length === 3)!;
      expect(planned / (4 * plannedTotals(four.paces)[name]!), name).toBeCloseTo(1, 1);
    }
  });
});
