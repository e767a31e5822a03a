import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasNoisyCondition, levelsOf } from "../systems/parts/local/model.ts";
import { loadRun } from "./load-run.ts";
import { readMetrics } from "./metrics-log.ts";
import { loadModel } from "./model-file.ts";
import { runPaths } from "./run-directory.ts";
import { type TrainRequest, trainRun } from "./train-run.ts";

const SIZE = 16;
let root: string;

/** Two colours with an edge between: there is a structure to learn in few steps. */
async function writePictures(dir: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const random = rng(3, "train-local-test", i);
    const [edge, tilt] = [4 + 8 * random.uniform(), random.uniform() - 0.5];
    const data = new Uint8Array(3 * SIZE * SIZE);
    for (let y = 0; y < SIZE; y++)
      for (let x = 0; x < SIZE; x++)
        for (let c = 0; c < 3; c++)
          data[(y * SIZE + x) * 3 + c] = x + tilt * y < edge ? 40 + 30 * c : 220 - 40 * c;
    await sharp(data, { raw: { width: SIZE, height: SIZE, channels: 3 } })
      .png()
      .toFile(join(dir, `${i}.png`));
  }
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "subband-train-local-"));
  process.env["SUBBAND_CACHE"] = join(root, "cache");
  const { mkdirSync } = await import("node:fs");
  mkdirSync(join(root, "pictures"));
  await writePictures(join(root, "pictures"), 12);
});
afterAll(() => {
  delete process.env["SUBBAND_CACHE"];
  rmSync(root, { recursive: true, force: true });
});

const request = (name: string, { options, ...more }: Partial<TrainRequest>): TrainRequest => ({
  out: join(root, name),
  data: join(root, "pictures"),
  size: { height: SIZE, width: SIZE },
  images: 16,
  ...more,
  options: { width: 8, batch: 4, ...options },
});
const backend = node({ threads: 1 });
const quiet = { previews: [] };

const CASES = [
  {
    name: "flat",
    preset: "local",
    channels: 1,
    stages: ["low"],
    options: { levels: 0, receptiveField: 5 },
  },
  {
    name: "pyramid",
    preset: "local",
    channels: 3,
    stages: ["low", "details-1"],
    options: { levels: 1, receptiveField: 5, augmentConditions: true },
  },
  {
    name: "noisy-condition",
    preset: "local",
    channels: 1,
    stages: ["low", "details-1"],
    options: { levels: 1, receptiveField: 5, noisyCondition: true },
  },
  { name: "unet", preset: "local-unet", channels: 1, stages: ["unet"], options: { levels: 2 } },
] as const;

describe.each(CASES)("trainRun() of a $name denoiser", ({ name, stages, preset, channels, options }) => {
  test("its run opens as a model and shows noisy, denoised and clean", async () => {
    const { finished } = await trainRun(
      request(name, { preset, channels, options }),
      backend,
      {},
      undefined,
      { previews: [1] },
    );
    expect(finished).toBe(true);
    const { model, metadata } = await loadModel(join(root, name));
    expect(model).toMatchObject({ kind: name === "unet" ? "unet" : "pyramid", channels });
    expect(levelsOf(model)).toBe(options.levels);
    expect(model.kind === "pyramid" && hasNoisyCondition(model)).toBe("noisyCondition" in options);
    expect(metadata).toMatchObject({ trained_on: "pictures", preset });
    const { samples, metrics } = runPaths(join(root, name));
    const { width, height } = await sharp(join(samples, readdirSync(samples)[0]!)).metadata();
    expect(width! / height!, "three columns, five rows").toBeCloseTo(3 / 5, 1);
    const records = readMetrics(metrics);
    for (const stage of stages)
      expect(records.filter((each) => each["stage"] === stage && "loss" in each).length, stage).toBe(4);
  });

  test("stopped and resumed it ends in the same bytes", async () => {
    const stop = new AbortController();
    const listener = { onEvent: () => stop.abort() };
    const out = `${name}-resumed`;
    await trainRun(request(out, { preset, channels, options }), backend, listener, stop.signal, quiet);
    expect((await loadRun(join(root, out))).config.images[stages[0]]).toBe(16);
    await trainRun({ out: join(root, out) }, backend, {}, undefined, quiet);
    const { tensors: whole } = await loadRun(join(root, name));
    const { tensors: resumed } = await loadRun(join(root, out));
    expect([...resumed.keys()]).toEqual([...whole.keys()]);
    for (const [key, { data }] of whole) expect(resumed.get(key)!.data, key).toEqual(data);
  });

  test("another run begins with its weights, and is of its kind unless asked otherwise", async () => {
    const from = join(root, name);
    const { out, data, size, images } = request(`${name}-tuned`, {});
    // So small a rate moves nothing: what comes out went in.
    const still = { batch: 4, lr: 1e-12 };
    await trainRun({ out, data, size, images, options: still, from }, backend, {}, undefined, quiet);
    const [begun, tuned] = [await loadRun(from), await loadRun(out)];
    expect(tuned.config).toMatchObject({ preset, from });
    expect({ ...tuned.config.model, lr: 0 }).toMatchObject({
      ...begun.config.model,
      lr: 0,
      ...("augmentConditions" in options ? { augmentConditions: false } : {}),
    });
    for (const [key, { data: values }] of tuned.tensors) {
      // Running deviations move with the features, moments begin anew.
      if (/\.(adam|statistics)\.|^best\./.test(key)) continue;
      // A network that has an average is used by it.
      const source = begun.tensors.get(key.replace("unet.params", "unet.average"))!;
      expectClose(values, source.data, { atol: 1e-6, what: key });
    }
    await expect(trainRun({ out, from: join(root, "elsewhere") }, backend)).rejects.toThrow(
      /--from: run .* has .*, not .*elsewhere/,
    );
    // With a checkpoint of its own the run no longer needs the other.
    await trainRun({ out, images: images! + 4 }, backend, {}, undefined, quiet);
  });
});

describe("a run that begins with a model", () => {
  test("of another architecture is refused before anything is written", async () => {
    const { out, data, size } = request("misfit", {});
    const begin = { out, data, size, images: 8 };
    const pyramid = join(root, "pyramid");
    await expect(
      trainRun({ ...begin, from: pyramid, options: { receptiveField: 9 } }, backend),
    ).rejects.toThrow(
      /--from: the model ".*pyramid" does not fit stage "details-1": params\.weights\.\d+ is \[8,8,1,1\] there, \[8,8,3,3\] here/,
    );
    for (const preset of ["local-unet", "wmgm"] as const)
      await expect(trainRun({ ...begin, from: pyramid, preset }, backend), preset).rejects.toThrow(
        `--from: the model "${pyramid}" is of preset local, not ${preset}. Leave out --preset`,
      );
    const unet = join(root, "unet");
    await expect(trainRun({ ...begin, from: unet, options: { levels: 3 } }, backend)).rejects.toThrow(
      /does not fit stage "unet"/,
    );
    expect(existsSync(runPaths(out).run)).toBe(false);
    await expect(trainRun({ ...begin, from: join(root, "nowhere") }, backend)).rejects.toThrow(
      /no such model/,
    );
  });
});

describe("options of denoisers", () => {
  test("contradictions are refused by name", async () => {
    const flat = request("flat", { preset: "local", options: { receptiveField: 9 } });
    await expect(trainRun(flat, backend)).rejects.toThrow(/--rf: run .* has 5, not 9/);
    const wrong = request("wrong", { options: { receptiveField: 9 } });
    await expect(trainRun(wrong, backend)).rejects.toThrow(/--rf: preset wmgm has no such option/);
    const level = request("wrong", { preset: "local-unet", options: { levels: 0 } });
    await expect(trainRun(level, backend)).rejects.toThrow(/take --preset local/);
    const field = request("wrong", { preset: "local", options: { receptiveField: 7 } });
    await expect(trainRun(field, backend)).rejects.toThrow(/Known: 5, 9, 13, 23, 43/);
  });

  test("the configuration keeps the noise of each network", async () => {
    const { model } = (await loadRun(join(root, "pyramid"))).config as unknown as {
      readonly model: { readonly noiseSteps: { readonly low: number; readonly details: readonly number[] } };
    };
    expect(model.noiseSteps.low).toBe(255);
    expect(model.noiseSteps.details).toHaveLength(1);
    // An edge of 180 grey levels within a block makes a detail of at most half of that.
    expectClose([model.noiseSteps.details[0]! / 90], [1], { atol: 0.4 });
    expect(readFileSync(runPaths(join(root, "pyramid")).run, "utf8")).toContain('"augmentConditions": true');
  });
});
