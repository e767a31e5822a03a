import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { PLANTED, target as planted } from "./planted.ts";
import { fuzz, inputOf } from "./runner.ts";
import type { Target } from "./target.ts";
import { fileOf, TARGETS } from "./targets.ts";

const keep = mkdtempSync(join(tmpdir(), "fuzz-kept-"));
afterAll(() => rmSync(keep, { recursive: true }));

const some = (target: Target, count: number, first = 0) =>
  fuzz(target, fileOf(target), { seed: 1, first, keep, more: (done) => done < count });

describe("the fuzzer", { timeout: 300_000 }, () => {
  test("finds every planted fault, keeps the input, and takes refusals for what they are", async () => {
    const { inputs, words, faults } = await some(planted, PLANTED.length);
    expect(inputs).toBe(PLANTED.length);
    expect(words.get("good")).toBe(1);
    expect(words.get("refused: planted/refused")).toBe(1);
    expect(words.get("refused: graph")).toBe(1);
    const found = faults.map(({ path, what }) => `${readFileSync(path, "utf8")}: ${what.split("\n")[0]}`);
    const linux = existsSync("/proc/self/status"); // elsewhere memory is not watched, and that input hangs
    expect(found).toEqual([
      "plain error: TypeError: undefined is not a function",
      "internal: internal: should not happen",
      expect.stringContaining("two lines: not one printable line"),
      expect.stringContaining("crash: the process ended with SIGABRT"),
      "hang: no answer in 6 s",
      linux ? expect.stringMatching(/^memory: \d+ MB, over 300$/) : expect.stringContaining("memory: "),
    ]);
  });

  test("an input follows from the seed and its number alone", async () => {
    for (const target of TARGETS) {
      const seeds = await target.seeds();
      const twice = [0, 1].map(() =>
        [90, 91, 92].map((i) => inputOf(target, seeds, 7, i).bytes.toString("hex")),
      );
      expect(twice[0], target.name).toEqual(twice[1]);
      expect(new Set(twice[0]).size, target.name).toBeGreaterThan(1);
    }
  });
});

describe("withstood", { timeout: 300_000 }, () => {
  test.each([
    ["archives", 500, 0],
    ["pictures", 60, 0],
    ["models", 200, 0],
    ["agreement", 150, 0],
    ["checkpoints", 150, 0],
    // The first are whole command lines, which take their time.
    ["options", 20, 20],
  ] as const)("%s: %i inputs, by a process of their own", async (name, count, first) => {
    const target = TARGETS.find((each) => each.name === name)!;
    const { inputs, words, faults } = await some(target, count, first);
    expect(faults.map(({ path, what }) => `${path}: ${what}`).join("\n")).toBe("");
    expect(inputs).toBe(count);
    expect([...words.keys()].some((word) => /^(?:refused|exit [12])/.test(word))).toBe(true);
    expect([...words.keys()].some((word) => !/^(?:refused|exit [12])/.test(word))).toBe(true);
  });
});
