import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { byteBudget } from "./byte-budget.ts";

test("never hands out more than its limit, serves in order, and lets what is larger go alone", async () => {
  const budget = byteBudget(10);
  const begun: string[] = [];
  const free = new Map<string, () => void>();
  for (const [name, bytes] of [
    ["a", 6],
    ["b", 4],
    ["c", 25],
    ["d", 1],
  ] as const)
    void budget.take(bytes).then((release) => {
      begun.push(name);
      free.set(name, release);
    });
  await setImmediate();
  expect(begun).toEqual(["a", "b"]);
  free.get("a")!();
  await setImmediate();
  expect(begun, "25 of 10 waits for b, and d behind it does not overtake").toEqual(["a", "b"]);
  free.get("b")!();
  await setImmediate();
  expect(begun).toEqual(["a", "b", "c"]);
  free.get("c")!();
  free.get("c")!();
  await setImmediate();
  expect(begun).toEqual(["a", "b", "c", "d"]);
  let started = false;
  void budget.take(10).then(() => (started = true));
  await setImmediate();
  expect(started, "giving back twice frees once").toBe(false);
});
