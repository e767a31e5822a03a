import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { memoryForImages, requireMemory } from "./memory-limit.ts";

test("what fits passes; what does not is told with what would", () => {
  requireMemory("-n", 10, 100, 1000);
  expect(() => requireMemory("-n", 11, 100, 1000)).toThrow(
    "-n: 11 images would take 1.1 kB of memory, and there are 1.0 kB for them. Ask for at most 10, several times with other seeds.",
  );
  expect(() => requireMemory("-n", 1, 2000, 1000)).toThrow("Ask for smaller ones.");
  expect(() => requireMemory("-n", Number.MAX_SAFE_INTEGER, 49_152)).toThrow("several times");
});

test("the limit is a part of what the machine has", () => {
  expect(memoryForImages()).toBeGreaterThan(1e8);
  expect(memoryForImages()).toBeLessThan(totalmem());
});
