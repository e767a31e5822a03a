/** @module The low-pass study: what it counts and compares, on small random networks. */
import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { describe, expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import { lowPassBands, lowPassTable, runLowPassStudy } from "./low-pass-study.ts";
import { narrowModel } from "./narrow-model.testing.ts";

const backend = node({ threads: 1 });
const real = rng(3, "low-pass-study").fillNormal(new Float32Array(32 * 64));
const request = {
  ...{ model: narrowModel(1), real, shape: [32, 1, 8, 8] as const },
  ...{ seed: 0, count: 6, ascentCount: 2 },
};

describe("runLowPassStudy()", () => {
  test("counts the calls of every method that needs no diffusion, and tells which gave no bands", async () => {
    const seen = new Set<string>();
    const study = await runLowPassStudy(backend, {
      ...request,
      onProgress: (method) => void seen.add(method),
    });
    const methods = [...study.rows, ...study.failed].map(({ method }) => method);
    expect(methods.length).toBe(3);
    expect(methods.some((name) => name.includes("edm-low"))).toBe(false);
    const [blind] = study.rows;
    expect(blind).toMatchObject({
      method: "blind network, DPM-Solver++(2M) 20",
      images: 6,
      calls: 20,
      converged: true,
    });
    expect([...seen][0]).toBe(blind!.method);
    // Two halves of white noise differ by chance only.
    expect(study.floor).toBeLessThan(0.2);
    expect(blind!.realKurtosis).toBeGreaterThan(2.5);
    expect(blind!.realKurtosis).toBeLessThan(3.5);
    const table = lowPassTable(study);
    for (const method of methods) expect(table).toContain(method);
  });

  test("refuses bands that cannot be halved twice", async () => {
    const shape = [32, 1, 16, 4] as const;
    await expect(runLowPassStudy(backend, { ...request, shape: [64, 1, 4, 8] })).resolves.toBeDefined();
    await expect(
      runLowPassStudy(backend, { ...request, shape: [...shape.slice(0, 3), 2] as never }),
    ).rejects.toThrow(/low-pass bands of 2x16/);
  });
});

describe("lowPassBands()", () => {
  test("are local means in the range of the images", () => {
    const pixels = Uint8Array.from({ length: 3 * 64 }, (_, i) => (i < 64 ? 0 : i < 128 ? 255 : 51));
    const dataset = createDataset({
      ...{ name: "x", channels: 1, height: 8, width: 8, pixels },
      ...{ licence: "", credit: "", skipped: {}, fingerprint: "" },
    });
    const { real: bands, shape } = lowPassBands(dataset, "haar", 2);
    expect(shape).toEqual([3, 1, 2, 2]);
    for (const [i, mean] of [-1, 1, -0.6].entries())
      for (let k = 0; k < 4; k++) expect(bands[4 * i + k], `image ${i}`).toBeCloseTo(mean, 5);
  });
});
