import { atOnce, rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { type CompiledDraw, compileDraw } from "../../drawing/compile-draw.ts";
import { untrainedTensors } from "../../systems/parts/untrained-tensors.testing.ts";
import { presetNamed } from "../../systems/presets.ts";
import type { ImageShape, Pyramid, System } from "../../systems/system.ts";
import { calibration } from "./calibration.ts";
import { blockMeans } from "./low-bands.ts";
import { drawDetails, drawLow, graft } from "./oracles.ts";

const backend = node({ threads: 1 });
const COUNT = 3;
/** Pictures near grey, so that nothing is cut to the range. */
const picturesOf = ({ channels, height, width }: ImageShape, seed: number): Float32Array => {
  const random = rng(seed, "pictures");
  return Float32Array.from({ length: COUNT * channels * height * width }, () => 0.02 * random.normal());
};

/** An untrained system of `preset`, its details small. */
function systemOf(preset: string, side: number, options: Readonly<Record<string, number>>): System {
  const shape = { channels: 1, height: side, width: side } as const;
  const pictures = picturesOf(shape, 1);
  const source = {
    ...{ ...shape, count: COUNT },
    read: (index: number, _: boolean, into: Float32Array, offset: number) =>
      into.set(pictures.subarray(index * side * side, (index + 1) * side * side), offset),
  };
  const chosen = presetNamed(preset);
  return chosen.system(atOnce(chosen.resolve(chosen.choose(options, source), source, options)));
}

async function withDrawing<T>(system: System, work: (drawing: CompiledDraw) => Promise<T>): Promise<T> {
  const steps = system.draw.steps(system.draw.choose({ steps: 2 }));
  const drawing = await compileDraw(backend, steps, untrainedTensors(system, 0.01), 2);
  try {
    return await work(drawing);
  } finally {
    await drawing.dispose();
  }
}

const RUNS = [
  { preset: "wmgm", side: 16, options: { levels: 2, width: 8 }, levels: [1, 2] },
  { preset: "wsgm", side: 16, options: { levels: 2, width: 8 }, levels: [1, 2] },
  // Twenty seconds of processor time.
  ...(process.env["SLOW"] === "1"
    ? [{ preset: "wmgm-faithful", side: 64, options: { levels: 2 }, levels: [1, 2] }]
    : []),
];

describe("the oracles", () => {
  test.each(RUNS)("$preset: real low bands stay what they are, wherever the chain is cut", async (run) => {
    const system = systemOf(run.preset, run.side, run.options);
    const { image, pyramid } = system as { image: ImageShape; pyramid: Pyramid };
    const real = picturesOf(image, 2);
    await withDrawing(system, async (drawing) => {
      for (const level of run.levels) {
        const request = { image, pyramid, level, seed: 4 };
        const drawn = await drawDetails(drawing, real, request);
        expect(drawn.length).toBe(real.length);
        expectClose(blockMeans(drawn, image, level), blockMeans(real, image, level), {
          ...{ rtol: 0, atol: 1e-5, what: `level ${level}` },
        });
        const rest = await drawDetails(drawing, real.slice(-real.length / COUNT), {
          ...request,
          first: COUNT - 1,
        });
        expectClose(rest, drawn.slice(-rest.length), { rtol: 0, atol: 1e-5, what: "image 2 alone" });
      }
    });
  });

  test.each(RUNS)("$preset: its low bands are those of the images that it draws", async (run) => {
    const system = systemOf(run.preset, run.side, run.options);
    const { image, pyramid } = system as { image: ImageShape; pyramid: Pyramid };
    await withDrawing(system, async (drawing) => {
      const { data } = await drawing.run({ seed: 5, count: COUNT });
      const low = await drawLow(drawing, COUNT, { image, pyramid, seed: 5 });
      const inside = data.every((value) => Math.abs(value) < 1);
      expect(low.length).toBe(data.length / 4 ** pyramid.levels);
      // The released generator's images are cut to their range; of means of some values that were cut nothing can be told.
      if (inside) expectClose(low, blockMeans(data, image, pyramid.levels), { rtol: 0, atol: 1e-5 });
      else expect(run.preset).toBe("wmgm-faithful");
      if (run.preset === "wmgm") {
        const found = await calibration(drawing, picturesOf(image, 2), { image, pyramid, seed: 6 });
        expect(found.map(({ level }) => level)).toEqual([1, 1, 1, 2, 2, 2]);
        for (const { ratio } of found) expect(ratio).toBeGreaterThan(0);
      }
    });
  });

  test("graft: the low band is the given one, the details are those of the picture that was named", () => {
    const image = { channels: 3, height: 8, width: 16 } as const;
    const real = picturesOf(image, 7);
    const size = real.length / COUNT;
    const own = blockMeans(real, image, 2);
    const low = own.map((value, i) => value + 0.1 * Math.cos(i));
    const of = [2, 0, 1];
    const grafted = graft(low, real, of, image, 2);
    expectClose(blockMeans(grafted, image, 2), low, { rtol: 0, atol: 1e-6 });
    // What is left without the means of the blocks is the same.
    for (const [i, from] of of.entries()) {
      const [a, b] = [
        grafted.subarray(i * size, (i + 1) * size),
        real.subarray(from * size, (from + 1) * size),
      ];
      const apart = (x: Float32Array, at: number): number => x[at]! - x[at + 1]!;
      for (let at = 0; at < size; at += 4)
        expectClose([apart(a, at)], [apart(b, at)], { rtol: 0, atol: 1e-6 });
    }
    expectClose(graft(own, real, [0, 1, 2], image, 2), real, { rtol: 0, atol: 1e-6 });
    expect(() => graft(low, real, [0], image, 2)).toThrow("expected those of 1 pictures of 3 x 8 x 16");
  });

  test("a run without such a band says so", async () => {
    const system = systemOf("sgm", 8, { width: 8 });
    const { image, pyramid } = system as { image: ImageShape; pyramid: Pyramid };
    const real = picturesOf(image, 2);
    await withDrawing(system, async (drawing) => {
      await expect(drawDetails(drawing, real, { image, pyramid, seed: 1 })).rejects.toThrow(
        "draws images in one step, without a low band",
      );
    });
    await withDrawing(systemOf("wmgm", 16, { levels: 1, width: 8 }), async (drawing) => {
      const request = { image, pyramid: { levels: 3 }, seed: 1 };
      await expect(drawLow(drawing, 1, request)).rejects.toThrow("no low band of level 3; known: 1.");
    });
  });
});
