/** @module The conformance table on the provider `node-cpu`. */
import { describe, expect, test } from "vitest";
import { node } from "onnxgrad/node";
import { CHECKS, runCheck } from "./checks.ts";
import { disagreements } from "./gaps.ts";

describe("node-cpu", () => {
  const backend = node({ threads: 1 });
  test.each(CHECKS.map((check) => [check.id, check] as const))("%s", async (_, check) => {
    expect(disagreements("node-cpu", await runCheck(check, backend))).toEqual([]);
  });
});
