import { type NamedArray, rng, State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
import { wmgm } from "../systems/wmgm/wmgm.ts";
import { compileDraw, type Drawn, type DrawingRequest } from "./compile-draw.ts";

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
    [...new State(stage.begin({ seed: 1, arrays: new Map() })).tensors()].map(
      ([name, { shape, data }], i) => {
        const draw = rng(1, `moved-${stage.name}`, i);
        return [`${stage.name}.${name}`, { shape, data: data.map((v) => v + 0.05 * draw.normal()) }] as const;
      },
    ),
  ),
);

async function sampled(
  batch: number,
  { sampler = "dpmpp2m", ...request }: Partial<DrawingRequest> & { count: number; sampler?: string },
): Promise<Drawn> {
  const chain = system.draw.steps(system.draw.choose({ sampler, steps: 3 }));
  const drawing = await compileDraw(node({ threads: 1 }), chain, checkpoint, batch);
  const drawn = await drawing.run({ seed: 7, ...request });
  await drawing.dispose();
  return drawn;
}

const image = ({ data }: Drawn, i: number): Float32Array => data.subarray(i * SIZE, (i + 1) * SIZE);

describe("compileDraw()", () => {
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
    expect((await sampled(1, { count: 1 })).calls).toEqual([3, 1]);
    expect((await sampled(1, { count: 1, sampler: "heun" })).calls).toEqual([5, 1]);
  });

  test("ends after any step and begins with any: two parts of a chain are the whole, bit for bit", async () => {
    const shares: number[] = [];
    const whole = await sampled(2, { count: 3, first: 5, onProgress: (done) => void shares.push(done) });
    const low = await sampled(2, { count: 3, first: 5, to: 0 });
    expect(low.data).toHaveLength(3 * 3 * 8 * 8);
    const from = { step: 1, given: low.data };
    const details = await sampled(2, { count: 3, first: 5, from });
    expect(details.data).toEqual(whole.data);
    expect([low.calls, details.calls]).toEqual([[3], [1]]);
    expect(shares.map((share) => Math.round(6 * share) / 6)).toEqual(
      [1 / 3, 2 / 3, 1, 2, 2 + 1 / 6, 2 + 2 / 6, 2.5, 3].map((share) => Math.round(6 * share) / 6),
    );
  });

  test("draws details for a low band of any origin: of flat bands the image has their mean", async () => {
    const given = new Float32Array(2 * 3 * 8 * 8).fill(0.25);
    const { data } = await sampled(2, { count: 2, from: { step: 1, given } });
    const mean = data.reduce((a, b) => a + b, 0) / data.length;
    // Haar details sum to zero in every block, to the rounding of float32.
    expectClose([mean], [0.25], { atol: 1e-6, what: "mean of the image" });
    expect(new Set(data).size, "details are there").toBeGreaterThan(100);
  });

  test("a step that does not fit is told by its name, and the network's place", async () => {
    const [low, details] = system.draw.steps(system.draw.choose({}));
    const wrong = { ...low!, gives: [5, 8, 8] };
    await expect(compileDraw(node(), [wrong, details!], checkpoint, 1)).rejects.toThrow(
      /^conv2d at details-1\.detailGenerator\.input: input has 5 channels but the weight takes 3/,
    );
  });

  test("arrays of another system, an unknown sampler and too few steps are refused", async () => {
    const chain = system.draw.steps(system.draw.choose({}));
    await expect(compileDraw(node(), chain, new Map(), 1)).rejects.toThrow('state "params.');
    expect(() => system.draw.choose({ sampler: "dpm" })).toThrow(/unknown sampler/);
    expect(() => system.draw.choose({ steps: 0 })).toThrow(/steps: 0/);
  });
});
