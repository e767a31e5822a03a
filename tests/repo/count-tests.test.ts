/** @module The counting script of `.ci/run`: red is never printed as green. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("../../tools/count-tests.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "count-tests-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(status: string, ...tests: string[]): object {
  return { status, assertionResults: tests.map((each) => ({ status: each })) };
}

function count(report: string | object[], exitCode: number): { line: string; status: number | null } {
  const path = join(directory, "report.json");
  writeFileSync(path, typeof report === "string" ? report : JSON.stringify({ testResults: report }));
  const run = spawnSync(process.execPath, [script, path, String(exitCode)], { encoding: "utf8" });
  return { line: run.stdout, status: run.status };
}

describe("count-tests", () => {
  test("adds passed and failed tests over files and leaves skipped ones out", () => {
    const report = [
      file("passed", "passed", "passed", "skipped"),
      file("failed", "passed", "failed", "todo"),
    ];
    expect(count(report, 1)).toEqual({ line: "3 passed, 1 failed\n", status: 1 });
  });

  test("exits 0 when everything passed", () => {
    expect(count([file("passed", "passed")], 0)).toEqual({ line: "1 passed, 0 failed\n", status: 0 });
  });

  test("counts a file that failed before its tests ran as one failure", () => {
    expect(count([file("passed", "passed"), file("failed")], 1)).toEqual({
      line: "1 passed, 1 failed\n",
      status: 1,
    });
  });

  test("counts a failed command without a failed test as one failure", () => {
    expect(count([file("passed", "passed")], 1)).toEqual({ line: "1 passed, 1 failed\n", status: 1 });
  });

  for (const [what, report] of [
    ["empty", ""],
    ["torn", '{"testResults": [{"sta'],
    ["of another shape", "{}"],
  ] as const)
    test(`prints 0 passed, 1 failed when the report is ${what}, whatever the exit code`, () => {
      for (const exitCode of [0, 2])
        expect(count(report, exitCode), `exit code ${exitCode}`).toEqual({
          line: "0 passed, 1 failed\n",
          status: 1,
        });
    });

  test("prints 0 passed, 1 failed when there is no report because the build failed", () => {
    const run = spawnSync(process.execPath, [script, join(directory, "none.json"), "2"], {
      encoding: "utf8",
    });
    expect([run.stdout, run.status]).toEqual(["0 passed, 1 failed\n", 1]);
  });
});
