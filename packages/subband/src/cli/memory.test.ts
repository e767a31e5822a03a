import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Presets, at a size where what it works in outweighs the process, and steps enough that all its programs run. */
const RUNS: Readonly<Record<string, string>> = {
  wmgm: "--size 32 --width 32 --batch 32 --images 32",
  "wmgm-faithful": "--size 32 --width 8 --batch 16 --images 64",
  local: "--size 32 --batch 16 --images 16",
  "local-unet": "--size 64 --batch 64 --images 64",
  sgm: "--size 32 --width 32 --batch 32 --images 32",
  wsgm: "--size 32 --width 32 --batch 32 --images 32",
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "subband-memory-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the command, in a process of its own, prints as JSON. */
function subband(...argv: string[]): Record<string, unknown> {
  const module = new URL("./main.ts", import.meta.url).href;
  const code = `import { main, processIo } from ${JSON.stringify(module)};
    process.exitCode = await main(${JSON.stringify([...argv, "--json"])}, processIo());`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--conditions=@subband/source", "--input-type=module", "-e", code],
    {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      encoding: "utf8",
      env: { ...process.env, SUBBAND_CACHE: join(folder, "cache") },
    },
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;
}

test.each(Object.entries(RUNS))(
  "the estimate of %s is within 25 % of what its training takes",
  { timeout: 300_000 },
  (preset, options) => {
    const train = ["train", "--preset", preset, "--data", "faces", "--limit", "64", ...options.split(" ")];
    train.push("--threads", "1", "--out", join(folder, preset));
    const { memoryEstimate } = subband(...train, "--dry-run") as { memoryEstimate: Record<string, number> };
    const { peakBytes } = subband(...train) as { peakBytes: number };
    const { total, process: alone } = memoryEstimate as { total: number; process: number };
    expect(peakBytes, "the process alone would not do").toBeGreaterThan(1.3 * alone);
    expect(Math.abs(total / peakBytes - 1), `${total} estimated, ${peakBytes} taken`).toBeLessThan(0.25);
  },
);
