import { Packed, State, type StateTree, type Tensor } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { edmFormulation } from "../diffusion/preconditioning.ts";
import { edmSchedule } from "../diffusion/schedules/edm.ts";
import { localUnet } from "./local-unet/local-unet.ts";
import { resolveLocalUnetConfig } from "./local-unet/config.ts";
import { diffusionStage } from "./parts/diffusion-stage.ts";
import { scoreNetwork } from "./parts/unet.ts";
import { edmLowStage, resolveEdmLow } from "./parts/local/low-pass-prior.ts";
import { localStage } from "./parts/local/stage.ts";
import type { Stage } from "./stage.ts";
import { wmgm } from "./wmgm/wmgm.ts";
import { resolveWmgmConfig } from "./wmgm/config.ts";
import { wmgmFaithful } from "./wmgm-faithful/wmgm-faithful.ts";
import { resolveWmgmFaithfulConfig } from "./wmgm-faithful/config.ts";

const image = { channels: 1, height: 32, width: 32 } as const;
const common = { ...image, levels: 1, baseWidth: 8, batch: 4 };
const scaling = { lowMean: [0], lowStd: [1], detailRms: [[1, 1, 1]] };
const faithful = (lastParameters: boolean) => {
  const config = resolveWmgmFaithfulConfig(common, { range: { least: 0, greatest: 2 }, images: 4 });
  return wmgmFaithful({ ...config, defects: { ...config.defects, lastParameters } }).stages;
};
const STAGES: readonly (readonly [string, Stage])[] = [
  ...wmgm(resolveWmgmConfig(common, scaling)).stages,
  ...faithful(true),
  ...faithful(false),
  ...localUnet(resolveLocalUnetConfig(common)).stages,
  edmLowStage({ ...image, levels: 1 }, resolveEdmLow({ ...image, levels: 1 }, scaling, { baseWidth: 8 })),
  localStage({
    ...{ name: "details-1", share: 1, image, role: "details", level: 1, wavelet: "haar", batch: 4, lr: 1e-3 },
    ...{ noiseSteps: 9, rescale: false, augmentConditions: false, noisyCondition: false },
    network: { inputs: 4, outputs: 3, kernels: [3, 3, 3], width: 8 },
  }),
].map((stage, i) => [`${i}: ${stage.name}`, stage]);

describe.each(STAGES)("stage %s", (_, stage) => {
  const begun = stage.begin({ seed: 1, arrays: new Map() });

  test("its layout has the names and shapes of what it begins with, and no values", () => {
    const shapes = (tree: StateTree) =>
      [...new State(tree).tensors()].map(([name, { shape }]) => [name, shape]);
    expect(shapes(stage.layout())).toEqual(shapes(begun));
    const visit = (tree: StateTree): void => {
      if (tree instanceof Packed || tree["data"] instanceof Float32Array)
        expect(tree["data"]).toHaveLength(0);
      else for (const child of Object.values(tree)) visit(child as StateTree);
    };
    visit(stage.layout());
  });

  test("names all of its networks: whatever an optimiser has moments of", () => {
    const tree = begun as Readonly<Record<string, StateTree>>;
    const sizes = Object.values(stage.networks).map((part) => (tree[part] as Packed).size);
    const moments = [...new State(begun).entries].flatMap(([name, { current }]) =>
      /dam\.m$/.test(name) ? [current.length] : [],
    );
    expect(sizes.toSorted()).toEqual(moments.toSorted());
  });

  test.skipIf(!("average" in begun))("its average begins as what is learned", () => {
    const { average, params } = begun as Readonly<Record<string, Packed>>;
    expect(average!.data).toEqual(params!.data);
  });
});

test("diffusion stages of several bands draw noise of their own, to train and to be scored by", () => {
  const feeds = (stream?: string) => {
    const band = {
      ...{ name: "network", stage: "band", extents: [1, 32, 32] },
      ...(stream !== undefined && { stream }),
      network: scoreNetwork({ channels: 1, width: 8, multipliers: [1], blocks: 1, attention: [] }),
      formulation: edmFormulation({ sigmaData: 1, logMean: 0, logStd: 1 }),
      schedule: edmSchedule(),
      prepare: (pixels: Tensor) => ({ clean: pixels }),
    };
    const stage = diffusionStage(band, { image, share: 1, batch: 2, lr: 1e-3, emaDecay: 0.999 });
    const batch = { pixels: new Float32Array(2 * 32 * 32) };
    const context = { seed: 1, step: 0, imagesSeen: 0, progress: 0, lrScale: 1 };
    return [stage.feeds(context, batch), stage.score!.feeds(1, 0, batch)].flatMap(({ noise, sigma }) => [
      noise,
      sigma,
    ]);
  };
  const [one, other, again] = [feeds("band-1"), feeds("band-2"), feeds("band-1")] as const;
  expect(again).toEqual(one);
  one.forEach((values, i) => expect(other[i]).not.toEqual(values));
  expect(feeds()).not.toEqual(one);
});
