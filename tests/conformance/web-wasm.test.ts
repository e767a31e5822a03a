/** @module The conformance table on the provider `web-wasm`. */
import { describe, expect, test } from "vitest";
import { web } from "onnxgrad/web";
import { CHECKS, runCheck } from "./checks.ts";
import { disagreements } from "./gaps.ts";

describe("web-wasm", () => {
  const backend = web({ threads: 1 });
  test.each(CHECKS.map((check) => [check.id, check] as const))("%s", async (_, check) => {
    expect(disagreements("web-wasm", await runCheck(check, backend))).toEqual([]);
  });
});
