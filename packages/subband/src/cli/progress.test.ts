import { describe, expect, test } from "vitest";
import { captureIo } from "./capture-io.testing.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatCount, formatDuration, formatValue } from "./format.ts";
import { createProgress, dataListeners } from "./progress.ts";

/** A context that captures, and a clock to set by hand (milliseconds). */
function stage(isTTY: boolean): {
  io: ReturnType<typeof captureIo>;
  context: Context;
  clock: { now: number };
} {
  const io = captureIo({ isTTY });
  return { io, context: { ...io, json: false, quiet: false, exitWith() {} }, clock: { now: 5000 } };
}

describe("createProgress() without a terminal", () => {
  test("the end is told once, even where the last line told it", () => {
    const { io, context, clock } = stage(false);
    const progress = createProgress(context, { now: () => clock.now });
    clock.now += 20_000;
    progress.update({ label: "sample", done: 4, total: 4, unit: "images" });
    clock.now += 10;
    progress.update({ label: "sample", done: 4, total: 4, unit: "images" });
    progress.finish();
    expect(io.err.match(/100 %/g)).toHaveLength(1);
  });

  test("--quiet shows nothing", () => {
    for (const isTTY of [false, true]) {
      const { io, context, clock } = stage(isTTY);
      const progress = createProgress({ ...context, quiet: true }, { now: () => clock.now });
      clock.now += 20_000;
      progress.update({ label: "sample", done: 1, total: 4, unit: "images" });
      progress.note("note: anything");
      progress.finish();
      expect(io.err + io.out).toBe("");
    }
  });

  test("prints a line every ten seconds with fraction, count, rate, values and time left", () => {
    const { io, context, clock } = stage(false);
    const progress = createProgress(context, { now: () => clock.now });
    for (let second = 0; second <= 25; second++) {
      clock.now = 5000 + 1000 * second;
      progress.update({
        label: "train",
        done: 40 * second,
        total: 4000,
        unit: "images",
        values: { loss: 0.123456, lr: 2e-7 },
      });
    }
    progress.finish();
    expect(io.err.split("\n")).toEqual([
      "train   2 % | 80 of 4,000 images | 40 images/s | loss 0.123 | lr 2.00e-7 | 1 min 38 s left",
      "train  12 % | 480 of 4,000 images | 40 images/s | loss 0.123 | lr 2.00e-7 | 1 min 28 s left",
      "train  22 % | 880 of 4,000 images | 40 images/s | loss 0.123 | lr 2.00e-7 | 1 min 18 s left",
      "train  25 % | 1,000 of 4,000 images | 40 images/s | loss 0.123 | lr 2.00e-7 | 1 min 15 s left",
      "",
    ]);
    expect(io.out).toBe("");
  });

  test("a slow task has a rate with decimals, one that goes back has none", () => {
    const { io, context, clock } = stage(false);
    const progress = createProgress(context, { now: () => clock.now, interval: 0 });
    for (const done of [1, 2, 0.5]) {
      progress.update({ label: "sample", done, total: 4, unit: "images" });
      clock.now += 4000;
    }
    progress.finish();
    expect(io.err).toContain("sample  50 % | 2 of 4 images | 0.25 images/s");
    expect(io.err).toMatch(/12 % \| 1 of 4 images(?! \|[^|]*\/s)/);
  });

  test("a short task prints nothing, a note always", () => {
    const { io, context, clock } = stage(false);
    const progress = createProgress(context, { now: () => clock.now });
    progress.update({ label: "decode", done: 1, unit: "images" });
    clock.now += 1900;
    progress.update({ label: "decode", done: 2, unit: "images" });
    progress.note("warning: rain");
    progress.finish();
    expect(io.err).toBe("warning: rain\n");
  });

  test("a resumed run counts time from where it took up; the rate is that of the last ten seconds", () => {
    const { io, context, clock } = stage(false);
    const progress = createProgress(context, { now: () => clock.now, interval: 0 });
    // Half is done already; 1 % takes 1 s at 100 images/s for 20 s, then nothing is counted for 10 s.
    for (let second = 0; second <= 30; second++) {
      clock.now = 5000 + 1000 * second;
      const worked = Math.min(second, 20);
      progress.update({
        label: "train",
        done: 5000 + 100 * worked,
        unit: "images",
        fraction: 0.5 + worked / 100,
      });
    }
    const lines = io.err.trimEnd().split("\n");
    expect(lines[8]).toBe("train  60 % | 6,000 images | 100 images/s | 40 s left");
    expect(lines.at(-1)).toBe("train  70 % | 7,000 images | 0 images/s | 45 s left");
  });

  test("what data report is shown in their units; a new stage starts a new rate", () => {
    const { io, context, clock } = stage(false);
    const progress = createProgress(context, { now: () => clock.now, interval: 0 });
    const { onProgress } = dataListeners(progress);
    onProgress({ stage: "download", unit: "bytes", done: 0, total: 138_940_914 });
    clock.now += 4000;
    onProgress({ stage: "download", unit: "bytes", done: 20_000_000, total: 138_940_914 });
    onProgress({ stage: "decode", unit: "images", done: 0, total: undefined });
    clock.now += 2000;
    onProgress({ stage: "decode", unit: "images", done: 5000, total: undefined });
    expect(io.err.trimEnd().split("\n")).toEqual([
      "download  14 % | 20.0 MB of 138.9 MB | 5.0 MB/s | 24 s left",
      "decode | 0 images",
      "decode | 5,000 images | 2,500 images/s",
    ]);
  });
});

describe("createProgress() on a terminal", () => {
  test("draws a bar that fits, puts notes above it, and leaves the last state as a line", () => {
    const { io, context, clock } = stage(true);
    const progress = createProgress(context, { now: () => clock.now });
    progress.update({ label: "train", done: 0, total: 100, unit: "images" });
    clock.now += 1000;
    progress.update({
      label: "train",
      done: 50,
      total: 100,
      unit: "images",
      values: { note: "x".repeat(200) },
    });
    progress.note("saved");
    const drawn = io.err;
    expect(drawn).toContain(`train [${" ".repeat(24)}]   0 % | 0 of 100 images`);
    expect(drawn).toContain(
      `train [${"=".repeat(12)}${" ".repeat(12)}]  50 % | 50 of 100 images | 50 images/s | note xxx`,
    );
    expect(drawn).toMatch(/\nsaved\n|[^\n]saved\n/);
    // eslint-disable-next-line no-control-regex
    for (const line of drawn.split(/\n|\u001b\[\d*[A-Z]|\u001b[78]/)) expect(line.length).toBeLessThan(100);
    clock.now += 1000;
    progress.update({ label: "train", done: 100, total: 100, unit: "images" });
    progress.finish();
    expect(io.err.endsWith("train 100 % | 100 of 100 images | 50 images/s\n")).toBe(true);
    const silent = io.err;
    progress.finish();
    expect(io.err).toBe(silent);
  });

  test("catches no signal: Ctrl-C still ends the program", () => {
    const before = process.listenerCount("SIGINT");
    const { context } = stage(true);
    const progress = createProgress(context);
    progress.update({ label: "draw", done: 0, unit: "images" });
    expect(process.listenerCount("SIGINT")).toBe(before);
    progress.finish();
  });
});

describe("formatCount(), formatBytes(), formatDuration(), formatValue()", () => {
  test("print numbers for people", () => {
    expect([0, 999, 12_800, 36_471_600].map(formatCount)).toEqual(["0", "999", "12,800", "36,471,600"]);
    expect([0, 999, 1000, 999_949, 999_950, 2e7, 999_950_000].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.0 kB",
      "999.9 kB",
      "1.0 MB",
      "20.0 MB",
      "1.0 GB",
    ]);
    expect([0, 59.4, 59.6, 190, 3599.4, 3599.6, 7500].map(formatDuration)).toEqual([
      "0 s",
      "59 s",
      "1 min 00 s",
      "3 min 10 s",
      "59 min 59 s",
      "1 h 00 min",
      "2 h 05 min",
    ]);
    expect([0.123456, 12.3456, 3, 1.23456e-7, "heun"].map(formatValue)).toEqual([
      "0.123",
      "12.3",
      "3",
      "1.23e-7",
      "heun",
    ]);
  });
});
