import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { decodeSafetensors } from "onnxgrad";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

/** Runs that version 0.1.0 left; their README says how. */
const FIXTURES = fileURLToPath(new URL("../training/fixtures/format-1", import.meta.url));

/** Every preset, the budget that its run is extended to, and a network that sampling takes. */
const RUNS = [
  { preset: "wmgm", budget: ["--images", "8"], network: "low.average." },
  { preset: "wmgm-faithful", budget: ["--images", "8"], network: "low.average." },
  { preset: "local", budget: ["--images", "8"], network: "low.params.weights." },
  { preset: "local-unet", budget: ["--minutes", "0.03"], network: "unet.average." },
] as const;

type Numbers = Readonly<Record<string, number | string>>;

const records = (file: string): Numbers[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Numbers);

async function run(...argv: string[]): Promise<Record<string, unknown>> {
  const io = captureIo();
  const code = await main([...argv, "--json"], io);
  expect({ code, err: code === 0 ? "" : io.err }, argv.join(" ")).toEqual({ code: 0, err: "" });
  return JSON.parse(io.out.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;
}

describe.each(RUNS)("a run of format 1, preset $preset", ({ preset, budget, network }) => {
  let home: string;
  let dir: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "subband-format-1-"));
    cpSync(join(FIXTURES, "pictures"), join(home, "pictures"), { recursive: true });
    dir = join(home, preset);
    cpSync(join(FIXTURES, preset), dir, { recursive: true });
    writeFileSync(
      join(dir, "state.safetensors"),
      gunzipSync(readFileSync(join(dir, "state.safetensors.gz"))),
    );
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test("opens, and draws what it drew when it was made", async () => {
    expect(await run("info", dir)).toMatchObject({ config: { preset } });
    const grid = join(home, "grid.png");
    await run("sample", dir, ..."-n 4 --steps 3 --sampler heun --threads 1 --out".split(" "), grid);
    const [now, then] = await Promise.all(
      [grid, join(dir, "drawn.png")].map((file) => sharp(file).raw().toBuffer()),
    );
    const gaps = Array.from(now!, (value, i) => Math.abs(value - then![i]!));
    expect(now!.length).toBe(then!.length);
    expect(new Set(then).size, "a picture worth comparing").toBeGreaterThan(50);
    // Rounding moves a sample to the next level now and then.
    expect(gaps.findIndex((gap) => gap > 1)).toBe(-1);
    expect(gaps.filter((gap) => gap > 0).length / gaps.length).toBeLessThan(0.01);
  });

  test("exports its parameters", async () => {
    const { tensors } = decodeSafetensors(readFileSync(join(dir, "state.safetensors")));
    const generates = preset.startsWith("wmgm");
    const file = join(home, generates ? "sampler.onnx" : "denoiser.safetensors");
    await run("export", dir, "--out", file, ...(generates ? ["--steps", "2"] : []));
    const written = readFileSync(file);
    // These are written as they are, whatever becomes of matrices and of what is added.
    const filters = [...tensors].filter(
      ([name, { shape }]) => name.startsWith(network) && shape.length === 4 && shape[2] === 3,
    );
    const held = filters.filter(
      ([
        ,
        {
          data: { buffer, byteOffset, byteLength },
        },
      ]) => written.includes(Buffer.from(buffer, byteOffset, byteLength)),
    );
    expect(filters.length).toBeGreaterThan(1);
    expect(held.map(([name]) => name)).toEqual(filters.map(([name]) => name));
  });

  test("goes on where it stopped, with the losses of the version that made it", async () => {
    const before = records(join(dir, "metrics.jsonl"));
    const { resumed, finished } = await run("train", "--out", dir, ...budget, "--threads", "1");
    expect({ resumed, finished }).toEqual({ resumed: true, finished: true });
    const after = records(join(dir, "metrics.jsonl"));
    expect(after.slice(0, before.length)).toEqual(before);
    const steps = after.slice(before.length).filter((record) => !("score" in record));
    if (!existsSync(join(dir, "resumed.jsonl"))) {
      expect(steps[0]).toMatchObject({ stage: "unet", step: 11, images: 22 });
      return;
    }
    const expected = records(join(dir, "resumed.jsonl"));
    expect(steps.map(Object.keys)).toEqual(expected.map(Object.keys));
    steps.forEach((step, i) => {
      for (const [name, value] of Object.entries(expected[i]!))
        if (typeof value === "string") expect(step[name]).toBe(value);
        else
          expect(Math.abs(Number(step[name]) - value), name).toBeLessThanOrEqual(
            1e-3 * (1 + Math.abs(value)),
          );
    });
  });
});
