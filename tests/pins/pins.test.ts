/**
 * @module Pins the presets: whoever moves code sees what changed. `pins.json` holds on every machine; on one machine
 * `PINS=record npx vitest run tests/pins` keeps hashes of all bits in /tmp/subband-pins.json (or `PINS_FILE`), and
 * `PINS=exact` compares with them. What changes on purpose is written by `PINS=update`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format } from "prettier";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { PlanarImages } from "../../packages/subband/src/training/sample-grid.ts";
import { type Pin, pinRun } from "./pin-run.ts";
import { PINNED_RUNS } from "./pinned-runs.ts";
import { summaryGap } from "./summary.ts";

const sampled: Float32Array[] = [];
vi.mock("../../packages/subband/src/cli/sample-files.ts", async (original) => ({
  ...(await original<object>()),
  writeSamples: (_context: unknown, _files: unknown, { data }: PlanarImages) => void sampled.push(data),
}));

type Pins = Record<string, Omit<Pin, "exact">>;
type Hashes = Record<string, Pin["exact"]>;

/** Where what is the same everywhere is kept, and where what is the same on this machine. */
const FILE = new URL("pins.json", import.meta.url);
const HERE = process.env["PINS_FILE"] ?? "/tmp/subband-pins.json";
const MODE = process.env["PINS"];

/**
 * Of the size of the elements. With 2 and 3 threads in place of 1, which add in another order, drawings moved by 1e-6 and
 * parameters by 3e-4: Adam moves an element whose gradient is nothing but rounding by a whole learning rate, either way.
 */
const toleranceOf = (what: string): number => (/^(sample|metrics)/.test(what) ? 2e-4 : 2e-3);

const read = <T>(file: URL | string): T => JSON.parse(readFileSync(file, "utf8")) as T;

describe("pins", () => {
  const made = new Map<string, Pin>();
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "subband-pins-"));
    vi.stubEnv("SUBBAND_CACHE", join(folder, "cache"));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
    if (MODE === "record")
      writeFileSync(
        HERE,
        JSON.stringify(
          pick(({ exact }) => exact),
          undefined,
          2,
        ),
      );
    if (MODE === "update") {
      const text = JSON.stringify(pick(({ same, close }) => ({ same, close })));
      writeFileSync(FILE, await format(text, { parser: "json", printWidth: 110 }));
    }
  });
  const pick = <T>(part: (pin: Pin) => T): Record<string, T> =>
    Object.fromEntries([...made].map(([name, pin]) => [name, part(pin)]));

  test.each(Object.entries(PINNED_RUNS))("%s", { timeout: 300_000 }, async (name, run) => {
    const pin = await pinRun(run, join(folder, name.replaceAll(/\W+/g, "-")), () => sampled.pop()!);
    made.set(name, pin);
    if (MODE === "update") return;
    const pinned = read<Pins>(FILE)[name]!;
    expect(JSON.parse(JSON.stringify(pin.same))).toEqual(pinned.same);
    expect(Object.keys(pin.close)).toEqual(Object.keys(pinned.close));
    const far = Object.entries(pin.close)
      .map(([what, summary]) => [what, summaryGap(summary, pinned.close[what]!)] as const)
      .filter(([what, gap]) => !(gap <= toleranceOf(what)));
    expect(far, "moved by more than rounding").toEqual([]);
    if (MODE === "exact") expect(pin.exact, "bits").toEqual(read<Hashes>(HERE)[name]);
  });
});
