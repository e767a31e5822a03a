import { compile, type NamedArray, rng, State, type StateTree } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { drawEach, logUniformLevels, quadraticLevels } from "./blind-noise.ts";
import { halvingFactor, localStage, type LocalStageOptions } from "./stage.ts";
import { localUnet } from "../../local-unet/local-unet.ts";
import { resolveLocalUnetConfig } from "../../local-unet/config.ts";
import type { Stage } from "../../stage.ts";

const image = { channels: 1, height: 16, width: 16 } as const;
const BATCH = 8;
const flat: LocalStageOptions = {
  name: "low",
  share: 1,
  network: { inputs: 1, outputs: 1, kernels: [3, 3, 3], width: 8 },
  image,
  role: "low",
  level: 0,
  wavelet: "haar",
  batch: BATCH,
  lr: 3e-3,
  noiseSteps: 255,
  rescale: true,
  augmentConditions: false,
  noisyCondition: false,
};
const details: LocalStageOptions = {
  ...flat,
  name: "details-1",
  network: { inputs: 4, outputs: 3, kernels: [3, 3, 3], width: 8 },
  role: "details",
  level: 1,
  noiseSteps: 100,
  rescale: false,
};
/** Vertical edges at places of their own, in [-1, 1]. */
const pixels = Float32Array.from({ length: BATCH * 256 }, (_, i) =>
  i % 16 < 3 + Math.floor(i / 256) ? -0.6 : 0.5,
);
const context = (step: number, steps: number) => ({
  seed: 1,
  step,
  imagesSeen: BATCH * step,
  progress: step / steps,
  lrScale: 1,
});

/** Losses of `steps` steps of a stage, and its state after them. */
async function run(
  stage: Stage,
  steps: number,
  change: (state: State<StateTree>) => void = () => undefined,
): Promise<{ losses: number[]; tensors: Map<string, NamedArray> }> {
  const state = new State(stage.begin({ seed: 1, arrays: new Map() }));
  change(state);
  const program = await compile(
    node({ threads: 1 }),
    { state, inputs: stage.programs["step"]!.inputs },
    stage.programs["step"]!.build as never,
  );
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const out = await program.run({ pixels, ...stage.feeds(context(step, steps), { pixels }) } as never);
    losses.push((out as unknown as Record<string, Float32Array>)["loss"]![0]!);
  }
  const tensors = new Map(
    [...state.tensors()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  await program.dispose();
  return { losses, tensors };
}

/** What a stage loses at each step where nothing is predicted: the noise itself, which is what levels differ by. */
function trivialLosses(stage: Stage, steps: number): number[] {
  return Array.from({ length: steps }, (_, step) => {
    const feeds = stage.feeds(context(step, steps), { pixels }) as Record<string, Float32Array>;
    const size = feeds["noise"]!.length / BATCH;
    let total = 0;
    for (const [i, v] of feeds["noise"]!.entries()) {
      const image = Math.floor(i / size);
      total += (v * feeds["sigma"]![image]!) ** 2;
    }
    return total / BATCH;
  });
}

/** Share of the trivial loss that is left over the last quarter of the steps. */
function left(stage: Stage, losses: readonly number[]): number {
  const from = Math.floor(0.75 * losses.length);
  return mean(losses.slice(from)) / mean(trivialLosses(stage, losses.length).slice(from));
}

/** Local means of {@link pixels} in [0, 1], 2 x 2 each. */
function lowBand(): Float32Array {
  return Float32Array.from({ length: BATCH * 64 }, (_, i) => {
    const [image, row, column] = [Math.floor(i / 64), Math.floor((i % 64) / 8), i % 8];
    const corner = 256 * image + 32 * row + 2 * column;
    const four = [0, 1, 16, 17].map((offset) => (pixels[corner + offset]! + 1) / 2);
    return mean(four);
  });
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe("localStage()", () => {
  test.each([
    flat,
    details,
    { ...details, augmentConditions: true },
    { ...details, noisyCondition: true, network: { ...details.network, inputs: 5 } },
  ])(
    "of $name (conditions augmented: $augmentConditions, noisy: $noisyCondition) loses the noise's sum of squares an image where nothing is predicted",
    async (options) => {
      const stage = localStage(options);
      const { losses } = await run(stage, 1, (state) => {
        for (const [name, { data }] of state.tensors()) if (name === "params.weights.2") data.fill(0);
      });
      const { noise } = stage!.feeds(context(0, 1), { pixels }) as Record<string, Float32Array>;
      expect(noise).toHaveLength(BATCH * (options.role === "low" ? 256 : 3 * 64));
      expectClose(losses, trivialLosses(stage, 1), { rtol: 1e-4 });
    },
  );

  test.each([flat, details])(
    "of $name learns: the loss falls, the running deviations move",
    async (options) => {
      const stage = localStage(options);
      const { losses, tensors } = await run(stage, 200);
      expect(left(stage, losses)).toBeLessThan(0.8);
      expect(tensors.get("statistics.deviations.0")!.data.every((v) => v > 0 && v !== 1)).toBe(true);
    },
  );

  test("shows the noisy low-pass band, with noise of its own as strong as that of the details", async () => {
    const stage = localStage({
      ...details,
      noisyCondition: true,
      network: { inputs: 5, outputs: 3, kernels: [3, 3, 3], width: 2 },
    });
    const { program, feeds: feedsOf } = stage.score!;
    const feeds = feedsOf(1, 0, { pixels }) as Record<string, Float32Array>;
    expect(feeds["lowNoise"]).toHaveLength(BATCH * 64);
    // The score of a network whose first predicted detail is one of its inputs: its positive and its negative part.
    const seen = async (channel: number) => {
      const state = new State(stage.begin({ seed: 1, arrays: new Map() }));
      const middle = (taps: Readonly<Record<number, number>>) => (data: Float32Array) => {
        data.fill(0);
        for (const [at, value] of Object.entries(taps)) data[9 * Number(at) + 4] = value;
      };
      const fill: Readonly<Record<string, (data: Float32Array) => void>> = {
        "params.weights.0": middle({ [channel]: 1, [5 + channel]: -1 }),
        "params.weights.1": middle({ 0: 1, 3: 1 }),
        "params.weights.2": middle({ 0: 1, 1: -1 }),
        "params.gains.0": (data) => data.fill(1),
      };
      for (const [name, { data }] of state.tensors()) fill[name]?.(data);
      const compiled = await compile(
        node({ threads: 1 }),
        { state, inputs: program.inputs },
        program.build as never,
      );
      const { score } = (await compiled.run({ pixels, ...feeds } as never)) as { score: Float32Array };
      const [value] = score;
      await compiled.dispose();
      return value!;
    };
    const [low, noise, sigma] = [lowBand(), feeds["noise"]!, feeds["sigma"]!];
    // Sum of squares of (what is seen - noise) for the first detail, and of noise for the others.
    const lossOf = (value: (image: number, i: number) => number) => {
      let total = 0;
      for (let image = 0; image < BATCH; image++)
        for (let i = 0; i < 192; i++) {
          const shown = i < 64 ? value(image, i) : 0;
          total += (shown - noise[192 * image + i]! * sigma[image]!) ** 2;
        }
      return total / BATCH;
    };
    const clean = lossOf((image, i) => low[64 * image + i]!);
    const noisy = lossOf(
      (image, i) => low[64 * image + i]! + feeds["lowNoise"]![64 * image + i]! * sigma[image]!,
    );
    expectClose([await seen(0), await seen(1)], [clean, noisy], { rtol: 1e-4 });
    expect(Math.abs(noisy / clean - 1)).toBeGreaterThan(0.003);
  });

  test("running deviations remember less of a batch, the more images were seen", async () => {
    const stage = localStage(flat);
    // What is left, after one step, of a deviation that was far off.
    const left = async (step: number) => {
      const at = async (deviation: number) => {
        const { tensors } = await run(
          { ...stage, feeds: () => stage.feeds(context(step, 2000), { pixels }) },
          1,
          (state) => {
            for (const [name, { data }] of state.tensors())
              if (name.startsWith("statistics.")) data.fill(deviation);
          },
        );
        return tensors.get("statistics.deviations.0")!.data[0]!;
      };
      return ((await at(100)) - (await at(1))) / 99;
    };
    expectClose([await left(0), await left(999)], [0.9, 0.99], { rtol: 1e-4 });
  });

  test("feeds depend on (seed, images seen) alone, and each purpose has numbers of its own", () => {
    const stage = localStage({ ...details, augmentConditions: true });
    expect(stage.feeds(context(3, 10), { pixels })).toEqual(stage.feeds(context(3, 10), { pixels }));
    const [one, two] = [3, 4].map(
      (step) => stage.feeds(context(step, 10), { pixels }) as Record<string, Float32Array>,
    );
    for (const name of ["sigma", "noise", "conditionNoise", "conditionSigma"])
      expect(one![name], name).not.toEqual(two![name]);
    const { sigma, conditionSigma } = one!;
    for (const [i, level] of conditionSigma!.entries()) expect(level).toBeLessThanOrEqual(sigma![i]!);
    expect(Object.keys(localStage(details).feeds(context(0, 1), { pixels })).sort()).toEqual([
      "lr",
      "momentum",
      "noise",
      "sigma",
    ]);
  });
});

describe("local-unet's stage", () => {
  const config = {
    ...resolveLocalUnetConfig({ ...image, levels: 2, baseWidth: 16, batch: BATCH, lr: 3e-3 }),
    encoder: [1, 1],
    decoder: [1, 0],
  };
  const [stage] = localUnet(config).stages;

  test("loses the dB that are left of the noise: about none where nothing is predicted, at every level", async () => {
    const { losses } = await run(stage!, 1, (state) => {
      for (const [name, { data }] of state.tensors()) if (name === "params.exit") data.fill(0);
    });
    const { noise } = stage!.feeds(context(0, 1), { pixels }) as Record<string, Float32Array>;
    const power = (i: number) => mean(Array.from(noise!.subarray(256 * i, 256 * (i + 1)), (v) => v * v));
    const decibels = Array.from({ length: BATCH }, (_, i) => 10 * Math.log10(power(i)));
    expectClose(losses, [mean(decibels)], { atol: 1e-3 });
  });

  test("learns, and averages its weights", async () => {
    const { losses, tensors } = await run(stage!, 120);
    // Half of the noise's power and more.
    expect(mean(losses.slice(-30))).toBeLessThan(-3);
    const [last, average] = ["params.exit", "average.exit"].map((name) => tensors.get(name)!.data);
    expect(average).not.toEqual(last);
    expectClose(average!, last!, { atol: 0.1 });
  });
});

describe("levels of noise", () => {
  test("quadratic: whole squares over 255^2, half of them below a quarter of the greatest", () => {
    const random = rng(2, "levels");
    const levels = drawEach(random, 4000, quadraticLevels(255));
    for (const level of levels)
      expect(Math.abs(255 * Math.sqrt(level) - Math.round(255 * Math.sqrt(level)))).toBeLessThan(1e-4);
    expect(Math.max(...levels)).toBeLessThanOrEqual((254 / 255) ** 2 + 1e-7);
    expect(levels.filter((v) => v < 0.25).length / 4000).toBeCloseTo(0.5, 1);
    expect(mean([...levels])).toBeCloseTo(1 / 3, 1);
  });

  test("log-uniform: an even share in each octave", () => {
    const levels = drawEach(rng(2, "levels"), 4000, logUniformLevels(1 / 256, 1));
    for (let octave = 0; octave < 8; octave++) {
      const share = levels.filter((v) => Math.floor(Math.log2(256 * v)) === octave).length / 4000;
      expect(share, `octave ${octave}`).toBeCloseTo(1 / 8, 1);
    }
  });

  test("the published rate halves after each tenth of the training", () => {
    expect([0, 0.05, 0.1, 0.55, 0.999].map(halvingFactor)).toEqual([1, 1, 0.5, 2 ** -5, 2 ** -9]);
  });
});
