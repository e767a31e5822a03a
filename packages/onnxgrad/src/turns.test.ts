import { describe, expect, test } from "vitest";
import { UserError } from "./errors.ts";
import { Lifetime, Turns } from "./turns.ts";

/** A promise and what settles it. */
function deferred() {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Lets everything happen that is due. */
const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

describe("Turns", () => {
  test("run one task at a time, in the order of the calls, and give each its result", async () => {
    const turns = new Turns();
    const log: string[] = [];
    const gates = [deferred(), deferred(), deferred()];
    const results = gates.map(({ promise }, i) =>
      turns.take(async () => {
        log.push(`begin ${i}`);
        await promise;
        log.push(`end ${i}`);
        return i;
      }),
    );
    for (const gate of gates.toReversed()) gate.resolve();
    expect(await Promise.all(results)).toEqual([0, 1, 2]);
    expect(log).toEqual(["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]);
  });

  test("go on after a task that fails, or throws at once", async () => {
    const turns = new Turns();
    const failed = turns.take(() => Promise.reject(new Error("first")));
    const thrown = turns.take((): number => {
      throw new Error("second");
    });
    const good = turns.take(() => 3);
    await expect(failed).rejects.toThrow("first");
    await expect(thrown).rejects.toThrow("second");
    expect(await good).toBe(3);
  });

  test("are busy from the call until its promise has settled", async () => {
    const turns = new Turns();
    expect(turns.busy).toBe(false);
    const first = turns.take(() => 1);
    const second = turns.take(() => Promise.reject(new Error("no")));
    expect(turns.busy).toBe(true);
    await first;
    expect(turns.busy).toBe(true);
    await second.catch(() => undefined);
    expect(turns.busy).toBe(false);
  });
});

describe("Lifetime", () => {
  const make = () => {
    const log: string[] = [];
    const life = new Lifetime({
      what: "thing",
      again: "Make another",
      free: () => void log.push("free"),
    });
    return { log, life };
  };

  test("ends once, after what was asked before has run, whether or not it failed", async () => {
    const { log, life } = make();
    const gate = deferred();
    const slow = life.run(async () => {
      await gate.promise;
      log.push("slow");
      throw new Error("slow failed");
    });
    const queued = life.run(() => log.push("queued"));
    const [first, second] = [life.dispose(), life.dispose()];
    expect(second).toBe(first);
    await settle();
    expect(log).toEqual([]);
    gate.resolve();
    await expect(slow).rejects.toThrow("slow failed");
    await Promise.all([queued, first, life.dispose()]);
    expect(log).toEqual(["slow", "queued", "free"]);
  });

  test("refuses to run from the moment on that its end was asked for", async () => {
    const { log, life } = make();
    const gate = deferred();
    const running = life.run(() => gate.promise);
    const end = life.dispose();
    const late = life.run(() => log.push("late"));
    await expect(late).rejects.toThrow(UserError);
    await expect(late).rejects.toMatchObject({
      code: "run/disposed",
      message: "this thing has been disposed of and cannot run. Make another.",
    });
    gate.resolve();
    await Promise.all([running, end]);
    expect(log).toEqual(["free"]);
  });

  test("may wait in the queue of others", async () => {
    const turns = new Turns();
    const log: string[] = [];
    const life = (name: string) =>
      new Lifetime({ what: name, again: "", turns, free: () => void log.push(`free ${name}`) });
    const [a, b] = [life("a"), life("b")];
    const all = [
      a.run(() => settle().then(() => log.push("a1"))),
      b.run(() => log.push("b1")),
      a.dispose(),
      b.run(() => log.push("b2")),
    ];
    await Promise.all(all);
    expect(log).toEqual(["a1", "b1", "free a", "b2"]);
  });
});
