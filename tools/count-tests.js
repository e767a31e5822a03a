/**
 * @module The last line of `.ci/run`: reads vitest's JSON report and prints `N passed, N failed`.
 * A test file that never got to run its tests counts as one failure, and so does a run which failed without naming
 * a failed test (no report, a build or type error, an error outside of any test), so green is never printed for red.
 *
 * Usage: node tools/count-tests.js REPORT.json EXIT_CODE_OF_THE_TEST_COMMAND
 */
import { readFileSync } from "node:fs";

/** Counts of a vitest JSON report; zeros where the report is missing, torn or of another shape. */
function countTests(path) {
  let files;
  try {
    files = JSON.parse(readFileSync(path, "utf8")).testResults;
  } catch {
    files = undefined;
  }
  let passed = 0;
  let failed = 0;
  for (const file of Array.isArray(files) ? files : []) {
    const statuses = (file.assertionResults ?? []).map((test) => test.status);
    const failedHere = statuses.filter((status) => status === "failed").length;
    passed += statuses.filter((status) => status === "passed").length;
    failed += failedHere === 0 && file.status === "failed" ? 1 : failedHere;
  }
  return { passed, failed };
}

const [reportPath, exitCode] = process.argv.slice(2);
if (reportPath === undefined || exitCode === undefined) {
  console.error("usage: node tools/count-tests.js REPORT.json EXIT_CODE");
  process.exit(2);
}
const { passed, failed } = countTests(reportPath);
// An empty run is no success either: a wrong filter or a missing report must not look green.
const unexplained = failed === 0 && (exitCode !== "0" || passed === 0) ? 1 : 0;
console.log(`${passed} passed, ${failed + unexplained} failed`);
process.exitCode = failed + unexplained === 0 ? 0 : 1;
