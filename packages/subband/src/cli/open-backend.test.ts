import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { trainRun } from "../training/train-run.ts";
import { openBackend } from "./open-backend.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-open-backend-"));
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const REQUEST = {
  data: "faces",
  limit: 64,
  size: { height: 32, width: 32 },
  options: { levels: 0, width: 32, batch: 32 },
  images: 3 * 32,
} as const;

/** Milliseconds within which signals and progress are answered. */
const PATIENCE_MS = 100;

test("while a step is computed, whoever asks is answered", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  let [ms, during, before] = [0, 0, 0];
  try {
    await trainRun(
      { ...REQUEST, out: join(dir, "run") },
      await openBackend({ threads: 1 }),
      {
        onEvent(event) {
          // The first step is compiled before.
          if (event.kind === "step" && event.step > 1) {
            ms += event.stepMs;
            during += turns - before;
          }
          before = turns;
        },
      },
      undefined,
      { previews: [] },
    );
  } finally {
    clearInterval(timer);
  }
  expect(ms, "or there is nothing to wait for").toBeGreaterThan(300);
  expect(during, `turns of the event loop in ${ms} ms of steps`).toBeGreaterThan(ms / PATIENCE_MS);
});
