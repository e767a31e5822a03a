import { readFileSync } from "node:fs";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { bytesOf, type CaseNode, type ModelCase, modelOf } from "../../../../../tests/support/onnx-cases.ts";
import golden from "../../../../../tests/support/torch-features.json" with { type: "json" };
import { distanceName, scaledFrom } from "./feature-extractor.ts";
import { onnxFeatures, type OnnxFeaturesOptions } from "./onnx-features.ts";

const backend = node({ threads: 1 });
const exported = readFileSync(new URL("../../../../../tests/support/torch-features.onnx", import.meta.url));
/** The two images of make-torch-features.py. */
const images = Float32Array.from({ length: 720 }, (_, i) => Math.fround(Math.sin(0.0137 * i * i)));
const shape = { channels: 3, height: 12, width: 10 } as const;

/** Features of images by a file. */
async function featuresOf(
  bytes: Uint8Array,
  options: OnnxFeaturesOptions,
  [pixels, of, n]: readonly [
    Float32Array,
    typeof shape | { channels: 1; height: number; width: number },
    number,
  ],
  batch = 2,
): Promise<Float32Array> {
  const open = await (await onnxFeatures(bytes, options)).open(backend, batch);
  try {
    return await open.extract(pixels, of, n);
  } finally {
    await open.dispose();
  }
}

/** A file of nodes from an input `x`. */
const file = (x: readonly (number | string)[], nodes: readonly CaseNode[], more: Partial<ModelCase> = {}) =>
  bytesOf(modelOf({ inputs: { x }, nodes, outputs: ["y"], ...more }));
const relu: CaseNode = { op: "Relu", in: ["x"], out: ["y"] };

describe("onnxFeatures()", () => {
  test("gives what PyTorch gives by the file that it exports: outputs, and an inner value averaged over space", async () => {
    const given = [images, shape, 2] as const;
    const close = (found: Float32Array, want: readonly number[], what: string) =>
      expectClose(found, want, { rtol: 1e-5, atol: 1e-6, what });
    const range = "imagenet";
    close(await featuresOf(exported, { range }, given), golden.scores, "first output");
    close(
      await featuresOf(exported, { range, layer: "pooled" }, given, 1),
      golden.pooled,
      "another, one by one",
    );
    close(await featuresOf(exported, { range, layer: "/Relu_output_0" }, given, 8), golden.inner, "inside");
    const { dimensions, side, name } = await onnxFeatures(exported, { layer: "pooled" });
    expect({ dimensions, side, name }).toEqual({ dimensions: 6, side: undefined, name: "onnx" });
  });

  test("takes images of any extents as they are, or at the side that is given", async () => {
    const free = await onnxFeatures(exported);
    const fixed = await onnxFeatures(exported, { side: 9 });
    expect([scaledFrom(free, shape), scaledFrom(fixed, shape)]).toEqual([
      undefined,
      { height: 12, width: 10 },
    ]);
    expect(scaledFrom(fixed, { channels: 3, height: 9, width: 9 })).toBeUndefined();
    expect(free.digest).not.toBe(fixed.digest);
    const open = await free.open(backend, 2);
    const small = await open.extract(images, { ...shape, height: 6, width: 5 }, 2);
    const again = await open.extract(images, shape, 2);
    // Calls at once, of two sizes, take turns.
    const both = [open.extract(images, { ...shape, height: 6, width: 5 }, 2), open.extract(images, shape, 2)];
    expectClose((await both[0])!, small, { rtol: 1e-6 });
    expectClose((await both[1])!, again, { rtol: 1e-6 });
    await open.dispose();
    await expect(open.extract(images, shape, 2)).rejects.toThrow("this extractor has been disposed of");
    expect(small.length).toBe(10);
    expectClose(again, await featuresOf(exported, {}, [images, shape, 2]), { rtol: 1e-6 });
  });

  test("feeds each range of pixels, in either order of axes, and grey by luma where the file is grey", async () => {
    // Means over space of the input itself: positive after the Relu.
    const pixels = Float32Array.from({ length: 3 * 16 }, (_, i) => [0.5, 0.2, -0.4][i >> 4]!);
    const given = [pixels, { channels: 3, height: 4, width: 4 } as never, 1] as const;
    const unit = [0.75, 0.6, 0.3];
    const nchw = file(["n", 3, 4, 4], [relu]);
    const close = (found: Float32Array, want: readonly number[], what: string) =>
      expectClose(found, want, { rtol: 1e-5, what });
    close(await featuresOf(nchw, {}, given), [0.5, 0.2, 0], "-1..1");
    close(await featuresOf(nchw, { range: "0..1" }, given), unit, "0..1");
    close(
      await featuresOf(nchw, { range: "0..255" }, given),
      unit.map((v) => 255 * v),
      "0..255",
    );
    const normal = [(0.75 - 0.485) / 0.229, (0.6 - 0.456) / 0.224, 0];
    close(await featuresOf(nchw, { range: "imagenet" }, given), normal, "imagenet");
    const nhwc = file(
      ["n", 4, 4, 3],
      [
        { op: "Transpose", in: ["x"], out: ["t"], attrs: { perm: [0n, 3n, 1n, 2n] } },
        { op: "Relu", in: ["t"], out: ["y"] },
      ],
    );
    close(await featuresOf(nhwc, { range: "0..1" }, given), unit, "channels last");
    const grey = file(["n", 1, 4, 4], [relu]);
    const luma = 0.299 * 0.75 + 0.587 * 0.6 + 0.114 * 0.3;
    close(await featuresOf(grey, { range: "0..1" }, given), [luma], "grey file, image in colour");
    const plain = [pixels.subarray(0, 16), { channels: 1, height: 4, width: 4 }, 1] as const;
    close(await featuresOf(grey, {}, plain), [0.5], "grey file, grey image");
    close(await featuresOf(nchw, {}, plain), [0.5, 0.5, 0.5], "file in colour, grey image");
    await expect(onnxFeatures(grey, { range: "imagenet" })).rejects.toThrow(/"imagenet" is of 3 channels/);
  });

  test("runs a file that is made for one image at a time on any number", async () => {
    const one = file([1, 3, "h", "w"], [relu]);
    const pixels = Float32Array.from({ length: 5 * 12 }, (_, i) => Math.floor(i / 4));
    const found = await featuresOf(one, {}, [pixels, { channels: 3, height: 2, width: 2 } as never, 5], 64);
    expectClose(
      found,
      Float32Array.from({ length: 15 }, (_, i) => i),
    );
  });

  test.each<[what: string, bytes: Uint8Array, options: OnnxFeaturesOptions, message: RegExp]>([
    ["no model", new TextEncoder().encode("none"), {}, /these bytes are no ONNX model/],
    [
      "no image",
      file(["n", 7], [relu]),
      {},
      /no input of images .* exactly one is needed\. It takes "x" \[any,7\]/,
    ],
    ["four channels", file(["n", 4, 8, 8], [relu]), {}, /no input of images/],
    ["integers", file(["n", 3, 8, 8], [relu], { types: { x: "int64" } }), {}, /no input of images/],
    [
      "two images",
      file(["n", 3, 8, 8], [{ op: "Add", in: ["x", "z"], out: ["y"] }], {
        inputs: { x: ["n", 3, 8, 8], z: ["n", 3, 8, 8] },
      }),
      {},
      /2 inputs of images/,
    ],
    [
      "another input",
      file(["n", 3, 8, 8], [{ op: "Mul", in: ["x", "z"], out: ["y"] }], {
        inputs: { x: ["n", 3, 8, 8], z: [1] },
      }),
      {},
      /input "z" is missing/,
    ],
    ["no squares", file(["n", 3, 8, 6], [relu]), {}, /takes images of 8 x 6 \(height x width\), not squares/],
    ["another side", file(["n", 3, 8, 8], [relu]), { side: 16 }, /takes images of 8 x 8 .*, not of 16 x 16/],
    [
      "unknown layer",
      exported,
      { layer: "poled" },
      /no value "poled"\. Did you mean "pooled"\?.* it gives "scores", "pooled"\./,
    ],
    [
      "no rows",
      file(["n", 3, 8, 8], [{ op: "Reshape", in: ["x", "s"], out: ["y"] }], {
        stored: { s: { dims: [3], type: "int64", values: [0, 3, 64] } },
      }),
      {},
      /value "y" of 2 images is \[2,3,64\], not one row/,
    ],
    [
      "one row for all",
      file(["n", 3, 8, 8], [{ op: "Reshape", in: ["x", "s"], out: ["y"] }], {
        stored: { s: { dims: [2], type: "int64", values: [1, -1] } },
      }),
      {},
      /value "y" of 2 images is \[1,384\], not one row/,
    ],
    [
      "unknown operator",
      file(["n", 3, 8, 8], [{ op: "Hardmax", in: ["x"], out: ["y"] }]),
      {},
      /Hardmax, which is not supported/,
    ],
  ])("refuses in one line: %s", async (_, bytes, options, message) => {
    const refusal = expect(onnxFeatures(bytes, options)).rejects;
    await refusal.toThrow(message);
    await refusal.toThrow(/^[^\n]*$/);
  });

  test("says which image has features that are no numbers, and of which sizes their number differs", async () => {
    const root = file(["n", 3, 2, 2], [{ op: "Sqrt", in: ["x"], out: ["y"] }]);
    const pixels = new Float32Array(5 * 12).fill(0.5);
    pixels[4 * 12 + 9] = -0.5;
    await expect(
      featuresOf(root, {}, [pixels, { channels: 3, height: 2, width: 2 } as never, 5]),
    ).rejects.toThrow(
      "feature 2 of image 4 is NaN. Check the images, the range of pixels that the file takes, and the layer.",
    );
    const flat = file(["n", 3, "h", "w"], [{ op: "Flatten", in: ["x"], out: ["y"] }]);
    await expect(featuresOf(flat, {}, [images, shape, 2])).rejects.toThrow(
      /value "y" of 2 images is \[2,360\], not one row of 12288 features .* give one side for all images\./,
    );
  });

  test("calls no distance FID, whatever the file is called", async () => {
    const inception = await onnxFeatures(exported, { name: "pt_inception-2015-12-05" });
    expect(distanceName(inception)).toBe("fd-pt_inception-2015-12-05");
  });
});
