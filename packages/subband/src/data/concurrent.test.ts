import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { mapConcurrent } from "./concurrent.ts";

describe("mapConcurrent()", () => {
  test("keeps the order and never runs more than the limit", async () => {
    let running = 0;
    let most = 0;
    const results = await mapConcurrent([5, 1, 4, 0, 3, 2], 2, async (n) => {
      most = Math.max(most, ++running);
      await sleep(2 * n);
      running--;
      return 10 * n;
    });
    expect(results).toEqual([50, 10, 40, 0, 30, 20]);
    expect(most).toBe(2);
  });

  test("throws the first failure, stops taking items and closes an asynchronous source", async () => {
    let closed = false;
    let given = 0;
    async function* source(): AsyncGenerator<number> {
      try {
        while (true) yield given++;
      } finally {
        closed = true;
      }
    }
    const run = mapConcurrent(source(), 3, async (n) => {
      if (n === 4) throw new Error("four");
      return n;
    });
    await expect(run).rejects.toThrow("four");
    expect(closed).toBe(true);
    expect(given).toBeLessThan(12);
  });

  test("throws the failure of the source", async () => {
    async function* source(): AsyncGenerator<number> {
      yield 1;
      throw new Error("torn");
    }
    await expect(mapConcurrent(source(), 2, async (n) => n)).rejects.toThrow("torn");
  });
});
