import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { afterAll, describe, expect, test } from "vitest";
import golden from "../../../../tests/support/cifar-features-golden.json" with { type: "json" };
import { cachedCifar10 } from "../data/cifar10.ts";
import { onnxFeatures } from "./features/onnx-features.ts";
import { featuresFile, openFeatures } from "./open-features.ts";

const backend = node({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), "subband-features-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The four images of make-cifar-features-golden.py, [4, 3, 32, 32]. */
const images = Float32Array.from({ length: 4 * 3 * 32 * 32 }, (_, i) => {
  const [k, c, y, x] = [Math.floor(i / 3072), Math.floor(i / 1024) % 3, Math.floor(i / 32) % 32, i % 32];
  return Math.sin(0.3 * (k + 1) * x + 0.2 * y + c) * Math.cos(0.1 * k * y);
});
const square32 = { channels: 3, height: 32, width: 32 } as const;

describe('openFeatures("cifar")', () => {
  test("has the features of four images that PyTorch computes from the weights in the file, in any batch", async () => {
    const features = await openFeatures("cifar");
    expect(features).toMatchObject({ name: "cifar", dimensions: 192, side: 32 });
    for (const batch of [3, 4]) {
      const open = await features.open(backend, batch);
      const found = await open.extract(images, square32, 4);
      await open.dispose();
      expectClose(found, golden.features, { rtol: 1e-4, atol: 1e-5, what: `batch ${batch}` });
    }
  });

  test("takes a grey image as one of three equal channels, and a larger one by the means of its pixels", async () => {
    const open = await (await openFeatures("cifar")).open(backend, 2);
    const grey = images.subarray(0, 1024);
    const colour = Float32Array.from({ length: 3072 }, (_, i) => grey[i % 1024]!);
    const doubled = Float32Array.from({ length: 4096 }, (_, i) => grey[(i >> 7) * 32 + ((i & 63) >> 1)]!);
    const want = await open.extract(colour, square32, 1);
    expectClose(await open.extract(grey, { ...square32, channels: 1 }, 1), want, { atol: 1e-6 });
    const large = { channels: 1, height: 64, width: 64 } as const;
    expectClose(await open.extract(doubled, large, 1), want, { rtol: 1e-5, atol: 1e-6 });
    await open.dispose();
  });

  test("its file is right about 88 % of the test images of CIFAR-10", async (context) => {
    const cifar = await cachedCifar10();
    if (cifar === undefined)
      return context.skip("CIFAR-10 is not in the cache: subband data cifar10 fetches it");
    const count = 1000;
    const pixels = new Float32Array(count * 3072);
    for (let i = 0; i < count; i++) cifar.test.read(i, false, pixels, i * 3072);
    const classes = await onnxFeatures(readFileSync(featuresFile("cifar")), { layer: "logits" });
    const open = await classes.open(backend, 100);
    const logits = await open.extract(pixels, square32, count);
    await open.dispose();
    const right = Array.from({ length: count }, (_, i) => {
      const row = logits.subarray(10 * i, 10 * i + 10);
      return row.indexOf(Math.max(...row)) === cifar.test.labels![i];
    }).filter(Boolean).length;
    // 88.51 % of all 10,000; a thousand of them differ by 1 % (one deviation).
    expect(right).toBeGreaterThan(855);
    expect(right).toBeLessThan(915);
  });

  test("takes no settings", async () => {
    await expect(openFeatures("cifar", { layer: "logits" })).rejects.toThrow(
      'features "cifar" have a fixed layer: leave it out, or give an ONNX file.',
    );
  });
});

describe("openFeatures()", () => {
  test("names the path of a file that is missing, or no model", async () => {
    await expect(openFeatures(join(folder, "none.onnx"))).rejects.toThrow(
      /there is no file ".*none\.onnx"\. Give "cifar"/,
    );
    const path = join(folder, "text.onnx");
    writeFileSync(path, "no model");
    await expect(openFeatures(path)).rejects.toThrow(
      /^features ".*text\.onnx": these bytes are no ONNX model/,
    );
    await expect(openFeatures(folder)).rejects.toThrow(/folder/);
  });

  test("calls a file by its name, and tells its settings apart", async () => {
    const path = join(folder, "Mine.ONNX");
    writeFileSync(path, readFileSync(featuresFile("cifar")));
    const features = await openFeatures(path);
    const others = [
      await openFeatures(path, { layer: "logits" }),
      await openFeatures(path, { range: "0..1" }),
      await openFeatures(path, { side: 32 }),
      await openFeatures("cifar"),
    ];
    expect(features.name).toBe("Mine");
    expect(others.map(({ dimensions }) => dimensions)).toEqual([10, 192, 192, 192]);
    expect(others.map(({ digest }) => digest === features.digest)).toEqual([false, false, true, true]);
    expect(features.digest).toMatch(/^[0-9a-f]{64}$/);
  });
});
