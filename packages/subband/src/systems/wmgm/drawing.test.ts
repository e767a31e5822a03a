import { node } from "onnxgrad/node";
import { beforeAll, describe, expect, test } from "vitest";
import { compileDraw } from "../../drawing/compile-draw.ts";
import { untrainedTensors } from "../parts/untrained-tensors.testing.ts";
import { resolveWmgmConfig, type WmgmShape } from "./config.ts";
import { TEMPERATURE, type WmgmAsked } from "./drawing.ts";
import { wmgm } from "./wmgm.ts";

const systemOf = (more: Partial<WmgmShape>) =>
  wmgm(
    resolveWmgmConfig(
      { channels: 1, height: 16, width: 16, levels: 1, baseWidth: 16, ...more },
      { lowMean: [0], lowStd: [1], detailRms: [[0.1, 0.1, 0.1]] },
    ),
  );

const choose = (more: Partial<WmgmShape>, asked: WmgmAsked) => systemOf(more).draw.choose(asked as never);

describe("temperature", () => {
  const COUNT = 4;
  /** Mean square of the difference of two drawings of the same low bands, their noise apart. */
  const differences: Record<number, number> = {};

  beforeAll(async () => {
    const system = systemOf({});
    const tensors = untrainedTensors(system);
    const given = Float32Array.from({ length: COUNT * 64 }, (_, i) => Math.sin(0.37 * i * i));
    for (const temperature of [0, 0.5, 1]) {
      const steps = system.draw.steps(system.draw.choose({ temperature } as never));
      const drawing = await compileDraw(node({ threads: 1 }), steps, tensors, COUNT);
      const [a, b] = [1, 2].map((seed) => drawing.run({ seed, count: COUNT, from: { step: 1, given } }));
      const [one, two] = [(await a!).data, (await b!).data];
      differences[temperature] = one.reduce((sum, v, i) => sum + (v - two[i]!) ** 2, 0) / one.length;
      await drawing.dispose();
    }
  });

  test("0 makes one image of a low band, 1 the more different ones", () => {
    expect(differences[0]).toBe(0);
    expect(differences[0.5]).toBeGreaterThan(0);
    expect(differences[1]).toBeGreaterThan(1.5 * differences[0.5]!);
  });

  test("is 0.8 unless asked for; of generators that take noise at their input, 1", () => {
    expect(choose({}, {})).toMatchObject({ temperature: 0.8 });
    expect(choose({}, { temperature: 0.6 })).toMatchObject({ temperature: 0.6 });
    expect(choose({ noiseAt: "input" }, {})).toMatchObject({ temperature: 1 });
  });

  test("a system without details has none, and refuses it", () => {
    expect(choose({ levels: 0 }, {})).not.toHaveProperty("temperature");
    expect(() => choose({ levels: 0 }, { temperature: 1 })).toThrow(
      /^temperature: .*Leave --temperature out\.$/,
    );
  });

  test("takes numbers from 0 to 2", () => {
    expect(["0", "1", "0.25", "2"].map((text) => TEMPERATURE.read(text))).toEqual([0, 1, 0.25, 2]);
    for (const wrong of ["-0.1", "2.01", "", "hot", "NaN", "0x1"])
      expect(TEMPERATURE.read(wrong), wrong).toBeUndefined();
  });
});
