import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MetricsRecord, openMetricsLog, readMetrics } from "./metrics-log.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-metrics-"));
  path = join(dir, "metrics.jsonl");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const record = (step: number): MetricsRecord => ({ step, loss: 1 / step, note: "größe" });

/** Appends steps `from`..`to`. */
function write(from: number, to: number, keep?: (record: MetricsRecord) => boolean): void {
  const log = openMetricsLog(path, keep);
  for (let step = from; step <= to; step++) log.append(record(step));
  log.close();
}

describe("openMetricsLog()", () => {
  test("a run that resumes from any step, with any part of the next line written, equals a straight run", () => {
    write(1, 4);
    const straight = readFileSync(path);
    for (let resumed = 0; resumed <= 4; resumed++) {
      for (let length = 0; length <= straight.length; length++) {
        const whole = straight.subarray(0, length).toString("latin1").split("\n").length - 1;
        if (whole < resumed) continue; // a checkpoint is saved after its metrics
        writeFileSync(path, straight.subarray(0, length));
        write(resumed + 1, 4, ({ step }) => Number(step) <= resumed);
        expect(
          readFileSync(path).equals(straight),
          `${length} of ${straight.length} bytes left, resumed at step ${resumed}`,
        ).toBe(true);
      }
    }
  });

  test("without a reason to cut, appends; numbers that JSON lacks become null", () => {
    write(1, 2);
    const log = openMetricsLog(path);
    log.append({ step: 3, loss: Number.NaN, rate: Infinity });
    log.sync();
    expect(readMetrics(path), "while open").toEqual([
      record(1),
      record(2),
      { step: 3, loss: null, rate: null },
    ]);
    log.close();
  });

  test("a line that is no object is refused in the middle, dropped at the end", () => {
    write(1, 3);
    const good = readFileSync(path);
    for (const bad of ["nonsense", "[1]", "7", "null", ""]) {
      writeFileSync(path, `${good.toString()}${bad}\n`);
      expect(readMetrics(path), `"${bad}" at the end`).toHaveLength(3);
      appendFileSync(path, good);
      expect(() => readMetrics(path), `"${bad}" in the middle`).toThrow(
        new UserError(
          "metrics/invalid",
          `bad line 4 of "${path}": no JSON object. Mend the line, or move the file away; training needs none of it.`,
        ),
      );
    }
  });

  test("a missing file has no records; a missing folder is a user error", () => {
    expect(readMetrics(path)).toEqual([]);
    expect(() => openMetricsLog(join(dir, "missing", "metrics.jsonl"))).toThrow(/^no such folder: /);
  });
});
