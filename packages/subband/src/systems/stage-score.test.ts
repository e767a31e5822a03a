import { State } from "onnxgrad";
import { compile, type NamedArray, rng, type StateTree } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import type { Stage } from "./stage.ts";
import { wmgm } from "./wmgm/wmgm.ts";
import { resolveWmgmConfig } from "./wmgm/config.ts";
import { wmgmFaithful } from "./wmgm-faithful/wmgm-faithful.ts";
import { resolveWmgmFaithfulConfig } from "./wmgm-faithful/config.ts";

const backend = node({ threads: 1, optimization: "disabled" });
const BATCH = 8;
const ours = wmgm(
  resolveWmgmConfig(
    { channels: 3, height: 16, width: 16, levels: 1, baseWidth: 16, batch: BATCH },
    { lowMean: [0, 0, 0], lowStd: [1, 1, 1], detailRms: [Array<number>(9).fill(1)] },
  ),
);
const faithfulConfig = resolveWmgmFaithfulConfig(
  { channels: 3, height: 32, width: 32, levels: 1, baseWidth: 8, batch: BATCH, lr: 1e-3 },
  { range: { least: 0.1, greatest: 1.9 }, images: BATCH },
);
const faithful = wmgmFaithful({
  ...faithfulConfig,
  detail: { ...faithfulConfig.detail, generatorWidth: 4, discriminatorWidth: 4 },
});
const stageOf = (system: typeof ours, name: string): Stage =>
  system.stages.find((each) => each.name === name)!;

/** Scores a state of the stage on `pixels` and the noise of batch 0; `change` moves each array first. */
async function scoreOf(
  stage: Stage,
  pixels: Float32Array,
  change: (name: string, values: Float32Array) => Float32Array = (_, values) => values,
): Promise<number> {
  const state: State = new State<StateTree>(stage.begin({ seed: 1, arrays: new Map() }));
  state.load(
    new Map(
      [...state.tensors()].map(([name, { shape, data }]): [string, NamedArray] => [
        name,
        { shape, data: change(name, data.slice()) },
      ]),
    ),
  );
  const { program, feeds } = stage.score!;
  const compiled = await compile(backend, { state, inputs: program.inputs }, program.build as never);
  const outputs = await compiled.run({ pixels, ...feeds(3, 0, { pixels }) } as never);
  await compiled.dispose();
  return (outputs as unknown as { readonly score: Float32Array }).score[0]!;
}

function pixelsOf({ score }: Stage): Float32Array {
  const shape = score!.program.inputs["pixels"] as readonly number[];
  const random = rng(4, "pixels");
  return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * random.uniform() - 1);
}

const STAGES: readonly (readonly [string, Stage])[] = [
  ["low band of wmgm", stageOf(ours, "low")],
  ["details of wmgm", stageOf(ours, "detail")],
  ["low band of wmgm-faithful", stageOf(faithful, "low")],
  ["details of wmgm-faithful", stageOf(faithful, "detail")],
];

describe("the score of a stage", () => {
  test.each(STAGES)("%s: repeats exactly, and heeds what it keeps, nothing else", async (_, stage) => {
    const pixels = pixelsOf(stage);
    const keeps = (name: string): boolean => stage.score!.weights.some((part) => name.startsWith(`${part}.`));
    const shifted = (which: (name: string) => boolean) => (name: string, values: Float32Array) =>
      which(name) ? values.map((value) => value + 0.1) : values;
    const score = await scoreOf(stage, pixels);
    expect(score).toBeGreaterThan(0);
    expect(await scoreOf(stage, pixels)).toBe(score);
    expect(
      await scoreOf(
        stage,
        pixels,
        shifted((name) => !keeps(name)),
      ),
    ).toBe(score);
    expect(await scoreOf(stage, pixels, shifted(keeps))).not.toBe(score);
  });

  test.each(STAGES)(
    "%s: looks at 64 images, in whole batches no larger than those of training",
    (_, stage) => {
      const { batch, batches } = stage.score!;
      expect(batch).toBeLessThanOrEqual(stage.batch);
      expect(batch * batches).toBe(64);
    },
  );

  test("of an untrained denoiser is the mean square of its target: Karras et al. 2022, eq. 8, with F = 0", async () => {
    const stage = stageOf(ours, "low");
    const pixels = pixelsOf(stage);
    // The low band of one Haar level in the image's range: means of 2 x 2 blocks. Its network ends in zeros.
    const { noise, sigma } = stage.score!.feeds(3, 0, { pixels }) as Record<"noise" | "sigma", Float32Array>;
    let sum = 0;
    const size = 3 * 8 * 8;
    for (let i = 0; i < BATCH * size; i++) {
      const [image, within] = [Math.floor(i / size), i % size];
      const [c, y, x] = [Math.floor(within / 64), Math.floor((within % 64) / 8), within % 8];
      const at = (dy: number, dx: number): number =>
        pixels[((image * 3 + c) * 16 + 2 * y + dy) * 16 + 2 * x + dx]!;
      const clean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
      const s = sigma[image]!;
      // Data of deviation 1: cSkip = 1 / (1 + s^2), cOut = s / sqrt(1 + s^2).
      sum += ((clean - (clean + s * noise[i]!) / (1 + s * s)) / (s / Math.hypot(1, s))) ** 2;
    }
    expectClose([await scoreOf(stage, pixels)], [sum / (BATCH * size)], { rtol: 1e-4 });
  });
});
