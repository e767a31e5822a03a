/** @module The steps draw, and export, what the samplers of each system do, bit for bit. */
import { node } from "onnxgrad/node";
import { expect, test } from "vitest";
import { exportSampler } from "../systems/export-sampler.ts";
import { untrainedTensors } from "../systems/parts/untrained-tensors.ts";
import { sampleImages } from "../systems/sampling.ts";
import type { System } from "../systems/system.ts";
import { resolveWmgmFaithfulConfig } from "../systems/wmgm-faithful/config.ts";
import { wmgmFaithful } from "../systems/wmgm-faithful/wmgm-faithful.ts";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
import { wmgm } from "../systems/wmgm/wmgm.ts";
import { compileDraw } from "./compile-draw.ts";
import { exportDraw } from "./export-draw.ts";

const wmgmOf = (levels: number): System =>
  wmgm(
    resolveWmgmConfig(
      { channels: 3, height: 16, width: 16, levels, baseWidth: 8 },
      {
        lowMean: [0.1, 0, -0.1],
        lowStd: [0.5, 0.4, 0.3],
        detailRms: Array.from({ length: levels }, () => Array<number>(9).fill(0.1)),
      },
    ),
  );
const faithfulOf = (levels: number): System =>
  wmgmFaithful(
    resolveWmgmFaithfulConfig(
      {
        channels: 3,
        height: 16 * 2 ** levels,
        width: 16 * 2 ** levels,
        levels,
        baseWidth: 8,
      } as never,
      { range: { least: 0.1, greatest: 1.9 }, images: 2 },
    ),
  );

test.each([
  ["wmgm", wmgmOf(1)],
  ["wmgm-faithful", faithfulOf(1)],
] as const)("%s: equal pixels and equal exported bytes", async (_, system) => {
  const arrays = untrainedTensors(system);
  const backend = node({ threads: 1 });
  for (const [sampler, steps] of [["edm", 2]] as const) {
    const old = await system.createSampler(backend, arrays, 2);
    const want = await sampleImages(system, old, { seed: 7, first: 3, count: 3, sampler, steps });
    await old.dispose();
    const chain = system.draw.steps(system.draw.choose({ sampler, steps }));
    const drawing = await compileDraw(backend, chain, arrays, 2);
    const got = await drawing.run({ seed: 7, first: 3, count: 3 });
    await drawing.dispose();
    expect(got.data).toEqual(want.data);
    expect(got.calls[0]).toBe(want.nfeLow);
    const a = exportSampler(system, arrays, { sampler, steps, metadata: { x: "y" } });
    const b = exportDraw(chain, arrays, {
      x: "y",
      sampler,
      steps: String(steps),
      nfe_low: String(a.nfeLow),
      nfe_detail: String(a.nfeDetail),
    });
    expect(b.inputs).toEqual(a.inputs);
    expect(b.output).toEqual(a.output);
    expect(Buffer.compare(b.bytes, a.bytes)).toBe(0);
  }
});
