import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whyNoWebgpu } from "../../../../tests/support/webgpu.ts";
import { expectClose } from "onnxgrad/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readPicture, writePicture } from "../restoration/picture.ts";
import {
  conditionalNetwork,
  meanOfNine,
  randomNetwork,
  testPicture,
} from "../restoration/pictures.testing.ts";
import { localModel } from "../systems/parts/local/model.ts";
import { openTrainingData, resolveRunConfig, type TrainRequest } from "../training/train-run.ts";
import { saveModel } from "../training/model-file.ts";
import { writeUntrainedRun } from "../training/untrained-run.testing.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

// Shaders are compiled and run by the processor here, which other tests want too.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const missing = await whyNoWebgpu();

const DEVICES = ["cpu", "webgpu"] as const;
type Device = (typeof DEVICES)[number];

let dir: string;
const at = (...names: string[]): string => join(dir, ...names);

/** What a command answers as JSON. */
async function run(device: Device, ...argv: string[]): Promise<Record<string, unknown>> {
  const io = captureIo();
  const code = await main([...argv, "--device", device, "--threads", "1", "--json"], io);
  expect(code, `${argv[0]} on ${device}: ${io.err}`).toBe(0);
  return JSON.parse(io.out.trim().split("\n").at(-1)!) as Record<string, unknown>;
}

/** Numbers of an answer, by their place in it; times are left out. */
function numbersIn(value: unknown, place = ""): readonly (readonly [string, number])[] {
  if (place.endsWith(".ms")) return [];
  if (typeof value === "number") return [[place, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => numbersIn(each, `${place}.${key}`));
}

/** Holds an answer to that of the CPU: 1e-4 of each number, where 2e-6 was the most (a kurtosis, on SwiftShader). */
function expectSameNumbers(here: unknown, onCpu: unknown): void {
  const [got, want] = [numbersIn(here), numbersIn(onCpu)];
  const names = want.map(([name]) => name);
  expect(got.map(([name]) => name)).toEqual(names);
  expectClose(
    got.map(([, number]) => number),
    want.map(([, number]) => number),
    { rtol: 1e-4, atol: 0, what: names.join(" ") },
  );
}

/** A run that looks trained, of 8 x 8 pixels. */
async function untrained(name: string, preset: string, options: TrainRequest["options"]): Promise<string> {
  const size = { height: 8, width: 8 };
  const request = { out: at(name), preset, data: "faces", limit: 16, size, images: 1, options };
  writeUntrainedRun(request.out, await resolveRunConfig(request, await openTrainingData(request)));
  return request.out;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "subband-on-webgpu-"));
  vi.stubEnv("SUBBAND_CACHE", at("cache"));
  saveModel(at("model"), localModel(meanOfNine(), []));
  saveModel(at("pyramid"), localModel(meanOfNine(), [conditionalNetwork(0.1)]));
  saveModel(at("random"), localModel(randomNetwork(1), []));
  mkdirSync(at("pictures"));
  const size = { height: 14, width: 16 };
  await writePicture(at("noisy.png"), testPicture({ ...size, noise: 0.1 }));
  await writePicture(at("colour.png"), testPicture({ ...size, colours: 3 }));
  await writePicture(at("pictures/a.png"), testPicture({ height: 32, width: 48 }));
  const mask = testPicture(size);
  await writePicture(at("mask.png"), {
    ...mask,
    samples: mask.samples.map((_, i) => (i % 50 < 3 ? 255 : 0)),
  });
  await writePicture(at("kernel.png"), {
    ...testPicture({ height: 3, width: 3 }),
    samples: Uint8Array.of(0, 60, 0, 60, 200, 60, 0, 60, 0),
  });
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const denoisers = (): Readonly<Record<string, readonly string[]>> => ({
  denoise: ["denoise", at("noisy.png"), "--model", at("random")],
  upscale: ["upscale", at("colour.png"), "--factor", "2", "--model", at("model")],
  "upscale by details": [
    ...["upscale", at("colour.png"), "--factor", "2", "--method", "conditional"],
    ...["--model", at("pyramid")],
  ],
  inpaint: ["inpaint", at("noisy.png"), "--mask", at("mask.png"), "--model", at("model")],
  deblur: ["deblur", at("noisy.png"), "--kernel", at("kernel.png"), "--model", at("model")],
});

describe.skipIf(missing !== undefined)(
  `--device webgpu${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    test.each(["denoise", "upscale", "upscale by details", "inpaint", "deblur"])(
      "%s gives the picture of the cpu",
      async (name) => {
        const pixels = [];
        for (const device of DEVICES) {
          const out = at(`${name} on ${device}.png`);
          await run(device, ...denoisers()[name]!, "--out", out);
          pixels.push((await readPicture(out, true)).samples);
        }
        const [cpu, gpu] = pixels as [Uint8Array, Uint8Array];
        expect(new Set(cpu).size, "a picture worth comparing").toBeGreaterThan(20);
        expect(gpu.length).toBe(cpu.length);
        const gaps = cpu.map((value, i) => Math.abs(value - gpu[i]!));
        // Only a pixel on the edge between two levels can fall to the other side.
        expect(Math.max(...gaps), "levels of 255").toBeLessThanOrEqual(1);
        expect(gaps.filter((gap) => gap > 0).length / gaps.length).toBeLessThan(0.01);
      },
    );

    test("evaluate measures the bands of the cpu", async () => {
      const argv = ["evaluate", await untrained("run", "wmgm", { levels: 0, width: 8 })];
      argv.push("-n", "4", "--steps", "2", "--out", at("bands.csv"));
      const cpu = await run("cpu", ...argv);
      const bandsOf = ({ subjects }: Record<string, unknown>) =>
        (subjects as { bands: object[] }[])[0]!.bands;
      expect(bandsOf(cpu)).toHaveLength(1);
      expectSameNumbers(bandsOf(await run("webgpu", ...argv)), bandsOf(cpu));
    });

    test("study local has the rows of the cpu", async () => {
      const models = ["model", "random"].flatMap((name) => ["--model", `${name}=${at(name)}`]);
      const argv = ["study", "local", ...models, "--pictures", at("pictures"), "--sigmas", "25,50"];
      const cpu = await run("cpu", ...argv, "--out", at("study"));
      expect(cpu["rows"]).toHaveLength(4);
      expectSameNumbers(await run("webgpu", ...argv, "--out", at("study")), cpu);
    });

    // Of a diffusion network in two samplers, the slowest to compile.
    test.skipIf(process.env["SLOW"] !== "1")("study low-pass has the rows of the cpu", async () => {
      const options = { levels: 1, width: 8, receptiveField: 5, edmLow: true };
      const argv = ["study", "low-pass", await untrained("prior", "local", options), "-n", "2"];
      const cpu = await run("cpu", ...argv, "--ascent-images", "1");
      expect(cpu["rows"]).toHaveLength(5);
      expectSameNumbers(await run("webgpu", ...argv, "--ascent-images", "1"), cpu);
    });
  },
);
