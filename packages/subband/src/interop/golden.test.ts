/** @module The published networks against an independent float64 evaluation of them, kept as outside truth. */
import { readFileSync } from "node:fs";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { sharedData } from "../../../../tests/support/npz.ts";
import type { BfCnnNetwork } from "../nn/bf-cnn-network.ts";
import { compileDenoiser, compileResidual, conditionalResidual } from "../systems/parts/local/denoiser.ts";
import { localModel, type PyramidModel, summarise } from "../systems/parts/local/model.ts";
import { importBfCnn } from "./bf-cnn-checkpoint.ts";

const folder = sharedData("local-probability-models");

interface Golden {
  readonly psnr_db: Readonly<Record<string, number>>;
}
const golden = (): Golden => JSON.parse(readFileSync(`${folder}/golden.json`, "utf8")) as Golden;
function values(name: string): Float32Array {
  const bytes = new Uint8Array(readFileSync(`${folder}/golden-${name}.f32`));
  return new Float32Array(bytes.buffer);
}
const load = (name: string): Promise<BfCnnNetwork> => importBfCnn(`${folder}/${name}.pt`);
const flat = async (): Promise<PyramidModel> => localModel(await load("flat-rf43"), []);
const multiScale = async (): Promise<PyramidModel> =>
  localModel(await load("low"), [await load("rf13-scale0"), await load("rf13-scale1")]);

/** Decibels below a peak of 1. */
function psnr(x: Float32Array, clean: Float32Array): number {
  return -10 * Math.log10(x.reduce((total, v, i) => total + (v - clean[i]!) ** 2, 0) / x.length);
}

describe.skipIf(folder === undefined)("the published networks", () => {
  test("have the published sizes and receptive fields", async () => {
    const rows = [...summarise(await flat()), ...summarise(await multiScale())].map(
      ({ role, level, inputs, outputs, receptiveField, parameters }) =>
        `${role} ${level}: ${inputs} -> ${outputs}, field ${receptiveField}, ${parameters}`,
    );
    expect(rows).toEqual([
      "low 0: 1 -> 1, field 43, 702784",
      "low 2: 1 -> 1, field 41, 665856",
      "details 2: 4 -> 3, field 13, 214144",
      "details 1: 4 -> 3, field 13, 214144",
    ]);
  });

  test("denoise as they did, flat: to 1e-4 and 0.01 dB", async () => {
    const denoiser = await compileDenoiser(node({ threads: 1 }), await flat(), [1, 1, 64, 64]);
    const { image } = await denoiser.run(values("noisy"));
    expectClose(image, values("flat_denoised"), { rtol: 0, atol: 1e-4 });
    const found = psnr(image, values("clean")) - golden().psnr_db["flat_denoised"]!;
    expect(Math.abs(found)).toBeLessThan(0.01);
    await denoiser.dispose();
  });

  test("denoise as they did, multi-scale: every band and the image to 1e-4, and 0.01 dB", async () => {
    const denoiser = await compileDenoiser(node({ threads: 1 }), await multiScale(), [1, 1, 64, 64], {
      bands: true,
    });
    const { image, bands } = await denoiser.run(values("noisy"));
    const { low, details } = bands!;
    const close = { rtol: 0, atol: 1e-4 };
    expectClose(low, values("low_denoised"), { ...close, what: "low band" });
    expectClose(details[1]!, values("scale1_details_denoised"), { ...close, what: "details of level 2" });
    expectClose(details[0]!, values("scale0_details_denoised"), { ...close, what: "details of level 1" });
    expectClose(image, values("multiscale_denoised"), { ...close, what: "image" });
    const found = psnr(image, values("clean")) - golden().psnr_db["multiscale_denoised"]!;
    expect(Math.abs(found)).toBeLessThan(0.01);
    await denoiser.dispose();
  });

  test("serve samplers one by one: details of level 2 given the golden low band", async () => {
    const low = values("low_denoised");
    const coarse = values("scale1_details_denoised");
    const compiled = await compileResidual(node({ threads: 1 }), await load("rf13-scale1"), [1, 4, 16, 16]);
    const noisy = values("noisy");
    // Details of level 2 of the noisy image, by the plain sums that define them.
    const mean = (x: Float32Array, size: number) =>
      Float32Array.from({ length: (size / 2) ** 2 }, (_, i) => {
        const at = 2 * size * Math.floor(i / (size / 2)) + 2 * (i % (size / 2));
        return (x[at]! + x[at + 1]! + x[at + size]! + x[at + size + 1]!) / 4;
      });
    const half = mean(noisy, 64);
    const signs = [
      [1, 1, -1, -1],
      [1, -1, 1, -1],
      [1, -1, -1, 1],
    ];
    const details = Float32Array.from({ length: 3 * 256 }, (_, i) => {
      const sign = signs[Math.floor(i / 256)]!;
      const at = 64 * Math.floor((i % 256) / 16) + 2 * (i % 16);
      return [at, at + 1, at + 32, at + 33].reduce((total, k, j) => total + sign[j]! * half[k]!, 0) / 4;
    });
    const residual = conditionalResidual(compiled.residual, low, 1);
    const noise = await residual(details);
    expectClose(
      details.map((v, i) => v - noise[i]!),
      coarse,
      { rtol: 0, atol: 1e-4 },
    );
    await compiled.dispose();
  });
});
