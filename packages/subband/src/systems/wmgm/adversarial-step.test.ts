import { adamInit, compile, isNdArray, type NdArray, pack, State, treeLeaves, treeMap } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { expect, test } from "vitest";
import golden from "../../../../../tests/support/wmgm-golden.json" with { type: "json" };
import { initConditionalDiscriminator } from "../../nn/conditional-discriminator.ts";
import { initDetailGenerator } from "../../nn/detail-generator.ts";
import { SHAPES } from "../../nn/layers.ts";
import { resolveWmgmConfig } from "./config.ts";
import { type Judged, judgedChannels } from "./detail-stage.ts";
import { wmgm } from "./wmgm.ts";

/** Element i is sin(0.0137 i^2 + k), as in make-wmgm-golden.py. */
const chirp = (size: number, k = 0) =>
  Float64Array.from({ length: size }, (_, i) => Math.sin(0.0137 * i * i + k));

/** The parameters that make-wmgm-golden.py makes. */
function filled<T>(params: T) {
  const names = treeLeaves<NdArray>(params as never, isNdArray)
    .map(({ name }) => name)
    .sort();
  return pack(
    treeMap(params, isNdArray, ({ shape, data: { length } }, name): NdArray => {
      const scale = shape.length === 1 ? 0.1 : Math.sqrt(2 / (length / shape[0]!));
      const offset = name.endsWith("scale") ? 1 : 0;
      return {
        shape,
        data: Float32Array.from(chirp(length, names.indexOf(name)), (v) => scale * v + offset),
      };
    }),
  );
}

/** One of them with noise in the middle, the other with noise at the input. */
const NOISE_AT = { image: "input", bands: "middle" } as const;

/** The default system on 16 x 32 pixels; batch 16 is one of 8 for the details, 4 of them at the finest level. */
const configOf = (judged: Judged) =>
  resolveWmgmConfig(
    {
      channels: 3,
      height: 32,
      width: 16,
      levels: 2,
      baseWidth: 16,
      batch: 16,
      judged,
      noiseAt: NOISE_AT[judged],
    },
    {
      ...{ lowMean: [0, 0, 0], lowStd: [1, 1, 1] },
      detailRms: [1, 2].map((level) => Array.from({ length: 9 }, (_, band) => 0.1 * level + 0.02 * band)),
    },
  );

/** Pixels, noise and learning rates of a step. */
function feeds(step: number): Record<string, Float32Array | number> {
  const floats = (size: number, factor: number, k: number) =>
    Float32Array.from(chirp(size, k), (v) => factor * v);
  const levels = [1, 2].map((level) => {
    const [samples, pixels] = [4 * level, 512 / 4 ** level];
    return {
      [`noise${level}`]: floats(2 * samples * 4 * pixels, 1.5, 20 + step + level),
      [`jitter${level}`]: floats(samples * 3 * pixels, 1, 10 + step + level),
      [`augmentation${level}`]: floats(samples, 0.1, step + level).map(Math.abs),
    };
  });
  return Object.assign(
    { pixels: floats(8 * 3 * 512, 0.6, step), lr: 4e-3, discriminatorLr: 2e-3 },
    ...levels,
  ) as never;
}

test.each(["image", "bands"] as const)(
  "three steps against a discriminator of the %s have PyTorch's losses, and end in its parameters",
  async (judged) => {
    const config = configOf(judged);
    const expectedOf = golden[judged];
    const stage = wmgm(config).stages.find(({ name }) => name === "detail")!;
    const { channels, detail } = config;
    const params = filled(initDetailGenerator(SHAPES, { channels, ...detail }));
    const critic = filled(
      initConditionalDiscriminator(SHAPES, {
        inputs: judgedChannels(judged, channels),
        widths: detail.criticWidths,
      }),
    );
    const state = new State({
      ...{ params, average: params, adam: adamInit(params) },
      ...{ critic, criticAdam: adamInit(critic) },
    });
    const losses: number[][] = [];
    for (let step = 0; step < expectedOf.losses.length; step++) {
      const name = stage.select!({ seed: 0, step, imagesSeen: 8 * step, progress: 0.9, lrScale: 1 });
      expect(name).toBe(step === 0 ? "penalised" : "adversarial");
      const { inputs, build } = stage.programs[name]!;
      const program = await compile(node({ threads: 1 }), { state, inputs }, build as never);
      const found: object = await program.run(feeds(step) as never);
      const { energy, fooled, critic: loss } = found as Record<string, Float32Array>;
      losses.push([energy![0]!, fooled![0]!, loss![0]!]);
      await program.dispose();
    }
    for (const [step, expected] of expectedOf.losses.entries())
      expectClose(losses[step]!, expected, { rtol: 1e-4, what: `energy, fooled and critic of step ${step}` });
    await state.pull();
    const tensors = state.tensors();
    for (const part of ["params", "average", "critic"] as const)
      for (const [name, expected] of Object.entries(expectedOf[part])) {
        // Its own normalisation takes this bias out again: its gradient is rounding, which Adam makes a step of either way.
        if (part !== "critic" && name.endsWith("conv1.bias")) continue;
        const { data } = tensors.get(`${part}.${name}`)!;
        const along = chirp(data.length);
        const watched = [data.reduce((a, b) => a + b, 0), data.reduce((a, b, i) => a + b * along[i]!, 0)];
        // An element of a bias whose gradient is next to nothing may differ by a part of a step of Adam, 4e-3.
        const atol = name.endsWith("bias") ? 3e-3 : 1e-3;
        expectClose(watched, expected, { rtol: 1e-3, atol, what: `${part}.${name}` });
      }
    await state.dispose();
  },
);
