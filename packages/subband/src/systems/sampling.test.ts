import { type NamedArray, rng, State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { sampleImages, type SampledImages } from "./sampling.ts";
import { wmgm } from "./wmgm/wmgm.ts";
import { resolveWmgmConfig } from "./wmgm/config.ts";

const SIZE = 3 * 16 * 16;
const config = resolveWmgmConfig(
  { channels: 3, height: 16, width: 16, levels: 1, baseWidth: 16, batch: 8 },
  { lowMean: [0.1, 0, -0.1], lowStd: [0.5, 0.4, 0.3], detailRms: [Array<number>(9).fill(0.1)] },
);
const system = wmgm(config);

/**
 * Every array of a checkpoint. Fresh networks end in zeros and would ignore their inputs, so all parameters are moved off
 * their initial values.
 */
const checkpoint = new Map<string, NamedArray>(
  system.stages.flatMap((stage) =>
    [...new State(stage.initialState(1)).tensors()].map(([name, { shape, data }], i) => {
      const draw = rng(1, `moved-${stage.name}`, i);
      return [`${stage.name}.${name}`, { shape, data: data.map((v) => v + 0.05 * draw.normal()) }] as const;
    }),
  ),
);

async function sampled(
  batch: number,
  request: { seed?: number; first?: number; count: number; sampler?: string },
): Promise<SampledImages> {
  const compiled = await system.createSampler(node({ threads: 1 }), checkpoint, batch);
  const images = await sampleImages(system, compiled, { seed: 7, sampler: "dpmpp2m", steps: 3, ...request });
  await compiled.dispose();
  return images;
}

const image = ({ data }: SampledImages, i: number): Float32Array => data.subarray(i * SIZE, (i + 1) * SIZE);

describe("sampleImages()", () => {
  // The runtime blocks its sums by batch size: the same terms in another order, each step 1e-7 of values near 1, which
  // the networks amplify a little. A grey level is 8e-3, so that 1e-4 is invisible.
  const TOLERANCE = { rtol: 0, atol: 1e-4 };

  test.each(["dpmpp2m", "edm"])("%s: image i is the same from batches of 1, 3 and 8", async (sampler) => {
    const eight = await sampled(8, { count: 8, sampler });
    expect(eight.data).toHaveLength(8 * SIZE);
    for (const batch of [1, 3]) {
      const other = await sampled(batch, { count: 8, sampler });
      for (let i = 0; i < 8; i++)
        expectClose(image(other, i), image(eight, i), {
          ...TOLERANCE,
          what: `image ${i}, batch ${batch} and 8`,
        });
    }
  });

  test("image i depends on (seed, i) alone: not on the first one drawn, nor on how many are", async () => {
    const all = await sampled(3, { count: 7 });
    const some = await sampled(3, { first: 4, count: 2 });
    expectClose(some.data, all.data.subarray(4 * SIZE, 6 * SIZE), { ...TOLERANCE, what: "images 4 and 5" });
  });

  test("other seeds and other indices give other images", async () => {
    const all = await sampled(3, { count: 3 });
    const other = await sampled(3, { seed: 8, count: 3 });
    const distance = (a: Float32Array, b: Float32Array): number =>
      Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / SIZE);
    expect(distance(image(all, 0), image(other, 0)), "image 0 of seeds 7 and 8").toBeGreaterThan(0.05);
    expect(distance(image(all, 0), image(all, 1)), "images 0 and 1").toBeGreaterThan(0.05);
    expect(all.data.every(Number.isFinite)).toBe(true);
  });

  test("counts the network calls: steps on the low band, one a level for the details", async () => {
    expect(await sampled(1, { count: 1 })).toMatchObject({ nfeLow: 3, nfeDetail: 1 });
    expect(await sampled(1, { count: 1, sampler: "heun" })).toMatchObject({ nfeLow: 5, nfeDetail: 1 });
  });
});
