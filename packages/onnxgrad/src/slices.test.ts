import { describe, expect, test, vi } from "vitest";
import { slices, turnOfEventLoop } from "./slices.ts";

/** Keeps the thread busy for so many milliseconds. */
function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("slices()", () => {
  test("lets timers in between the pieces of a long work, and not at all in a short one", async () => {
    let heard = 0;
    const timer = setInterval(() => heard++, 1);
    try {
      const pause = slices(20);
      await pause();
      expect(heard, "after no work").toBe(0);
      for (let piece = 1; piece <= 5; piece++) {
        compute(30);
        const before = heard;
        await pause();
        expect(heard, `after piece ${piece}`).toBeGreaterThan(before);
      }
    } finally {
      clearInterval(timer);
    }
  });
});

describe("turnOfEventLoop()", () => {
  test("does without Node's setImmediate, as browsers must", async () => {
    vi.stubGlobal("setImmediate", undefined);
    try {
      let heard = false;
      setTimeout(() => (heard = true), 0);
      compute(5);
      await turnOfEventLoop();
      expect(heard).toBe(true);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
