import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atOnce, type NamedArray, rng, State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { createDataset, type Dataset } from "../../data/dataset.ts";
import { compileDraw } from "../../drawing/compile-draw.ts";
import { loadCheckpoint } from "../../training/checkpoint.ts";
import { StageRunner } from "../../loop/stage-runner.ts";
import { train } from "../../loop/trainer.ts";
import { folderHost } from "../../training/folder-host.ts";
import type { System } from "../system.ts";
import { type FaithfulDefects, resolveWmgmFaithfulConfig, type WmgmFaithfulConfig } from "./config.ts";
import { generatorWeights, wmgmFaithful } from "./wmgm-faithful.ts";

// Starting a session takes longer than all its steps here: half of that is ONNX Runtime's own optimisation.
const backend = node({ threads: 1, optimization: "disabled" });
const BATCH = 4;

/** The smallest that fits the levels: the generator wants low bands of 16 x 16. */
function configOf(levels: number, defects: Partial<FaithfulDefects> = {}): WmgmFaithfulConfig {
  const size = 16 * 2 ** levels;
  const config = resolveWmgmFaithfulConfig(
    { channels: 3, height: size, width: size, levels, baseWidth: 8, batch: BATCH, lr: 1e-3 },
    { range: { least: 0.1, greatest: 2 ** levels - 0.1 }, images: BATCH },
  );
  return {
    ...config,
    detail: { ...config.detail, generatorWidth: 4, discriminatorWidth: 4 },
    defects: { ...config.defects, ...defects },
  };
}

/** As many smooth images as a batch takes: every step sees the same. */
function datasetFor({ height, width }: WmgmFaithfulConfig): Dataset {
  const draw = rng(5, "faithful-test");
  const plane = height * width;
  const pixels = new Uint8Array(BATCH * 3 * plane);
  for (let at = 0; at < pixels.length; at += plane) {
    const [a, b, c] = [0.3 * draw.uniform(), 0.3 * draw.uniform(), 6 * draw.uniform()];
    for (let i = 0; i < plane; i++)
      pixels[at + i] = 128 + 100 * Math.sin(a * (i % width) + b * Math.floor(i / width) + c);
  }
  return createDataset({
    name: "waves",
    channels: 3,
    height,
    width,
    pixels,
    licence: "CC0",
    credit: "none",
    skipped: {},
    fingerprint: "waves",
  });
}

function runnerOf(config: WmgmFaithfulConfig, name: string): StageRunner {
  const stage = wmgmFaithful(config).stages.find((each) => each.name === name)!;
  return begun(new StageRunner(stage, { backend, dataset: datasetFor(config), seed: 1, flip: false }));
}

function begun(runner: StageRunner): StageRunner {
  runner.begin(new Map());
  return runner;
}

/** What all stages of a system start from, as a checkpoint holds it. */
function untrained(system: System): Map<string, NamedArray> {
  return new Map(
    system.stages.flatMap((stage) =>
      [...new State(stage.begin({ seed: 2, arrays: new Map() })).tensors()].map(
        ([name, array]) => [`${stage.name}.${name}`, array] as const,
      ),
    ),
  );
}

const copies = (tensors: Iterable<readonly [string, NamedArray]>) =>
  new Map([...tensors].map(([name, { data }]) => [name, data.slice()]));

/** Names of arrays that differ. */
const changed = (before: ReadonlyMap<string, Float32Array>, after: ReadonlyMap<string, Float32Array>) =>
  [...before].flatMap(([name, data]) => (data.every((v, i) => v === after.get(name)?.[i]) ? [] : [name]));

describe("the detail stage", () => {
  test("learns a batch in 30 steps, and the discriminator in every fourth of them only", async () => {
    const runner = runnerOf(configOf(1), "detail");
    const losses: number[] = [];
    const discriminatorSteps: number[] = [];
    let before = copies(await runner.arrays());
    for (let step = 1; step <= 30; step++) {
      const { metrics } = await runner.step(30 * BATCH, 1);
      losses.push(metrics["reconstruction"]!);
      const after = copies(await runner.arrays());
      const names = changed(before, after);
      if (names.some((name) => name.startsWith("detail.critic."))) discriminatorSteps.push(step);
      expect(Object.hasOwn(metrics, "critic"), `step ${step} reports the discriminator`).toBe(step % 4 === 0);
      expect(names, `step ${step}`).toContain("detail.statistics.shared.last.norm1.mean");
      expect(names, `step ${step}`).toContain("detail.params.output.weight");
      before = after;
    }
    await runner.disposeAllBut([]);
    expect(discriminatorSteps).toEqual([4, 8, 12, 16, 20, 24, 28]);
    expect(losses.at(-1)!, `of ${losses[0]}`).toBeLessThan(0.7 * losses[0]!);
  });
});

describe("the low stage", () => {
  test("learns a batch in 30 steps", async () => {
    const runner = runnerOf(configOf(1), "low");
    const losses: number[] = [];
    for (let step = 0; step < 30; step++) losses.push((await runner.step(30 * BATCH, 1)).metrics["loss"]!);
    await runner.disposeAllBut([]);
    const mean = (some: number[]) => some.reduce((a, b) => a + b) / some.length;
    // A network that says 0 has loss 1, the variance of the noise.
    expectClose([mean(losses.slice(0, 3))], [1], { atol: 0.1 });
    expect(mean(losses.slice(-8))).toBeLessThan(0.8);
  });
});

describe("defects", () => {
  /** Runs one step without the discriminator's: scalars, and all arrays after it. */
  const stepOf = async (runner: StageRunner) => {
    const { metrics } = await runner.step(BATCH, 1);
    return { metrics, arrays: copies(await runner.arrays()) };
  };
  const stepWith = async (defects: Partial<FaithfulDefects>) => {
    const runner = runnerOf(configOf(1, defects), "detail");
    const outcome = await stepOf(runner);
    await runner.disposeAllBut([]);
    return outcome;
  };
  const released = stepWith({});
  const differing = async (metrics: Readonly<Record<string, number>>) => {
    const base = (await released).metrics;
    return Object.keys(base).filter((name) => base[name] !== metrics[name]);
  };
  /** Norm of the first gradient: the first moment is a tenth of it. */
  const gradientNorm = (arrays: ReadonlyMap<string, Float32Array>) =>
    10 * Math.sqrt(arrays.get("detail.adam.m")!.reduce((total, v) => total + v * v, 0));

  test("signedSimilarity concerns the similarity", async () => {
    const { metrics } = await stepWith({ signedSimilarity: false });
    expect(await differing(metrics)).toEqual(["loss", "similarity"]);
  });

  test("boundedAdversary concerns the adversarial loss", async () => {
    const { metrics } = await stepWith({ boundedAdversary: false });
    expect(await differing(metrics)).toEqual(["loss", "adversarial"]);
    // Bounded: -mean sigmoid in (-1, 0). Logistic: positive.
    expect((await released).metrics["adversarial"]).toBeLessThan(0);
    expect(metrics["adversarial"]).toBeGreaterThan(0);
  });

  test("clipBeforeBackward concerns the gradients, which the repair clips to norm 0.5", async () => {
    const { metrics, arrays } = await stepWith({ clipBeforeBackward: false });
    expect(await differing(metrics)).toEqual([]);
    expectClose([gradientNorm(arrays)], [0.5], { rtol: 1e-3 });
    expect(gradientNorm((await released).arrays)).toBeGreaterThan(0.6);
  });

  test("unscaledBands concerns what the generator sees, and so everything it makes", async () => {
    const { metrics } = await stepWith({ unscaledBands: false });
    expect(await differing(metrics)).toEqual(["loss", "adversarial", "reconstruction", "similarity"]);
  });

  test("sharedStatistics concerns where running statistics are kept", async () => {
    const { metrics, arrays } = await stepWith({ sharedStatistics: false });
    expect(await differing(metrics)).toEqual([]);
    const renamed = new Map([...arrays].map(([name, data]) => [name.replace(".level1.", ".shared."), data]));
    expect(changed((await released).arrays, renamed)).toEqual([]);
    const two = untrained(wmgmFaithful(configOf(2, { sharedStatistics: false })));
    expect([...two.keys()].filter((name) => name.endsWith("last.norm1.mean"))).toEqual([
      "detail.statistics.level1.last.norm1.mean",
      "detail.statistics.level2.last.norm1.mean",
    ]);
  });

  test("lastParameters concerns what is kept for sampling", async () => {
    const { metrics, arrays } = await stepWith({ lastParameters: false });
    const before = (await released).arrays;
    expect(await differing(metrics)).toEqual([]);
    expect(changed(before, arrays)).toEqual([]);
    const added = [...arrays.keys()].filter((name) => !before.has(name));
    expect(added.length).toBeGreaterThan(0);
    expect(added.filter((name) => !name.startsWith("detail.average."))).toEqual([]);
    const checkpoint = untrained(wmgmFaithful(configOf(1, { lastParameters: false })));
    checkpoint.get("detail.average.output.bias")!.data.fill(7);
    for (const lastParameters of [true, false]) {
      const detail = atOnce(generatorWeights(configOf(1, { lastParameters })).from(checkpoint));
      const [bias] = detail!.tensors().get("params.output.bias")!.data;
      expect(bias === 7, `sampling takes the average, lastParameters ${lastParameters}`).toBe(
        !lastParameters,
      );
    }
  });

  test("cleanConditions concerns the noise on low bands: without any, all is as released", async () => {
    const config = configOf(1, { cleanConditions: false });
    const [stage] = wmgmFaithful(config).stages;
    let silent = true;
    const runner = new StageRunner(
      {
        ...stage!,
        feeds: (context, batch) => ({
          ...stage!.feeds(context, batch),
          ...(silent ? { augmentation: new Float32Array(BATCH) } : {}),
        }),
      },
      { backend, dataset: datasetFor(config), seed: 1, flip: false },
    );
    const { metrics, arrays } = await stepOf(begun(runner));
    expect(await differing(metrics)).toEqual([]);
    expect(changed((await released).arrays, arrays)).toEqual([]);
    await runner.reset();
    silent = false;
    expect(await differing((await stepOf(begun(runner))).metrics)).toContain("reconstruction");
    await runner.disposeAllBut([]);
  });
});

describe("draw", () => {
  test.each([0, 1, 2, 3])(
    "samples at %i levels: right shape, within [-1, 1], each image by itself",
    async (levels) => {
      const system = wmgmFaithful(configOf(levels));
      const chain = system.draw.steps(system.draw.choose({ steps: 2 }));
      const drawing = await compileDraw(backend, chain, untrained(system), 2);
      const draw = (first: number) => drawing.run({ seed: 3, first, count: 2 });
      const { data, calls } = await draw(0);
      const size = 3 * (16 * 2 ** levels) ** 2;
      expect([data.length, ...calls]).toEqual([2 * size, 2, ...Array<number>(levels).fill(1)]);
      expect(data.every((v) => v >= -1 && v <= 1)).toBe(true);
      // Image 1 beside another one: batch statistics would couple them.
      const next = await draw(1);
      expectClose(next.data.slice(0, size), data.slice(size), { atol: 1e-5, what: `${levels} levels` });
      await drawing.dispose();
    },
  );

  test("with silent details shows the low band in blocks: 2^levels times the 8-bit value, over 2^levels", async () => {
    const system = wmgmFaithful(configOf(2));
    const arrays = untrained(system);
    for (const part of ["weight", "bias"]) arrays.get(`detail.params.output.${part}`)!.data.fill(0);
    const drawing = await compileDraw(
      backend,
      system.draw.steps(system.draw.choose({ steps: 2 })),
      arrays,
      1,
    );
    const request = { seed: 5, count: 1 };
    const { data: low } = await drawing.run({ ...request, to: 0 });
    expect(new Set(low).size, "a band worth showing").toBeGreaterThan(5);
    for (const value of low) {
      const byte = (value * 255) / 4;
      expect(Math.abs(byte - Math.round(byte)), `${value} is 4 times a byte over 255`).toBeLessThan(1e-3);
    }
    const { data: image } = await drawing.run(request);
    await drawing.dispose();
    const want = Array.from(image, (_, at) => {
      const [c, y, x] = [Math.floor(at / 4096), Math.floor((at % 4096) / 64), at % 64];
      return (2 * low[c * 256 + Math.floor(y / 4) * 16 + Math.floor(x / 4)]!) / 4 - 1;
    });
    expectClose(image, want, { atol: 1e-5 });
  });
});

describe("train()", () => {
  test("resumes bit for bit", async () => {
    const config = configOf(1);
    // With the discriminator in every step: one program has all of the state.
    const [stage] = wmgmFaithful({ ...config, detail: { ...config.detail, discriminatorEvery: 1 } }).stages;
    const root = mkdtempSync(join(tmpdir(), "subband-faithful-"));
    const run = async (name: string, stopAt: number) => {
      const stop = new AbortController();
      let steps = 0;
      const dir = join(root, name);
      mkdirSync(dir, { recursive: true });
      const host = folderHost(dir, {
        signal: stop.signal,
        tell: ({ kind }) => {
          if (kind === "step" && ++steps === stopAt) stop.abort();
        },
      });
      return train(host, {
        stages: [stage!],
        images: { detail: 4 * BATCH },
        backend,
        dataset: datasetFor(config),
        seed: 7,
        flip: true,
      });
    };
    try {
      await run("straight", Infinity);
      expect((await run("broken", 2)).finished).toBe(false);
      expect((await run("broken", Infinity)).finished).toBe(true);
      const arraysOf = async (name: string) => copies((await loadCheckpoint(join(root, name)))!.tensors);
      const [straight, broken] = [await arraysOf("straight"), await arraysOf("broken")];
      expect([...broken.keys()]).toEqual([...straight.keys()]);
      expect(changed(straight, broken)).toEqual([]);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }, 180_000);
});
