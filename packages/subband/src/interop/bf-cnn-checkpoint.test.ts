import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng } from "onnxgrad";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { torchFile, type WrittenTensor } from "../../../../tests/support/torch-file.ts";
import { conditionalConfig, initBfCnn, initBfCnnStatistics, lowPassConfig } from "../nn/bf-cnn.ts";
import type { BfCnnNetwork } from "../nn/bf-cnn-network.ts";
import { summarise } from "../systems/parts/local/model.ts";
import { assembleLocal } from "./assemble-local.ts";
import { importBfCnn } from "./bf-cnn-checkpoint.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-import-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The state dict of a network of two features, as the authors name its tensors. */
function stateDict(inputs = 1, outputs = 1): Record<string, WrittenTensor> {
  const array = (seed: number, ...shape: number[]): WrittenTensor => ({
    shape,
    data: rng(seed, "import").fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))),
  });
  return {
    "module.conv_layers.0.weight": array(0, 2, inputs, 3, 3),
    "module.conv_layers.1.weight": array(1, 2, 2, 1, 1),
    "module.conv_layers.2.weight": array(2, outputs, 2, 3, 3),
    "module.BN_layers.0.running_sd": { shape: [1, 2, 1, 1], data: [0.5, 2] },
    "module.BN_layers.0.gammas": { shape: [1, 2, 1, 1], data: [-1, 3] },
  };
}

function write(tensors: Readonly<Record<string, WrittenTensor>>): string {
  const path = join(dir, "net.pt");
  writeFileSync(path, torchFile(tensors));
  return path;
}

describe("importBfCnn()", () => {
  test("takes weights, gains and deviations by their names, with or without the prefix of parallel training", async () => {
    const tensors = stateDict(4, 3);
    const plain = Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name.replace("module.", ""), tensor]),
    );
    for (const given of [tensors, plain]) {
      const { params, statistics } = await importBfCnn(write(given));
      expect(params.weights.map(({ shape }) => shape)).toEqual([
        [2, 4, 3, 3],
        [2, 2, 1, 1],
        [3, 2, 3, 3],
      ]);
      expect(params.weights[1]!.data).toEqual(tensors["module.conv_layers.1.weight"]!.data);
      expect(params.gains).toEqual([{ shape: [2], data: Float32Array.of(-1, 3) }]);
      expect(statistics.deviations).toEqual([{ shape: [2], data: Float32Array.of(0.5, 2) }]);
    }
  });

  test("refuses other architectures in one line that says what does not fit", async () => {
    const good = stateDict();
    const without = (name: string) =>
      Object.fromEntries(Object.entries(good).filter(([key]) => !key.includes(name)));
    const array = (...shape: number[]): WrittenTensor => ({
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
    });
    const cases: [name: string, tensors: Record<string, WrittenTensor>, code: string, message: RegExp][] = [
      [
        "another network",
        { "encoder.weight": array(2) },
        "torch/architecture",
        /there is no conv_layers\.0\.weight\. Known: the bias-free/,
      ],
      [
        "a bias",
        { ...good, "module.conv_layers.0.bias": array(2) },
        "torch/architecture",
        /there is "conv_layers\.0\.bias"/,
      ],
      [
        "a gap",
        { ...good, "module.conv_layers.4.weight": array(1) },
        "torch/architecture",
        /there is "conv_layers\.4\.weight"/,
      ],
      ["a name twice", { ...good, "conv_layers.0.weight": array(1) }, "torch/architecture", /prefix/],
      ["no gains", without("gammas"), "nn/bf-cnn", /3 convolutions with 0 gains and 1 deviations/],
      ["no deviations", without("running_sd"), "nn/bf-cnn", /1 gains and 0 deviations/],
      ["one convolution", { "conv_layers.0.weight": array(1, 1, 3, 3) }, "nn/bf-cnn", /1 convolutions/],
      [
        "another width",
        { ...good, "module.conv_layers.1.weight": array(3, 2, 1, 1) },
        "nn/bf-cnn",
        /weight 1 is \[3,2,1,1\]; the width is 2/,
      ],
      [
        "an oblong kernel",
        { ...good, "module.conv_layers.1.weight": array(2, 2, 3, 1) },
        "nn/bf-cnn",
        /weight 1 is \[2,2,3,1\]/,
      ],
      [
        "an even kernel",
        { ...good, "module.conv_layers.1.weight": array(2, 2, 2, 2) },
        "nn/bf-cnn",
        /odd side/,
      ],
      [
        "a matrix",
        { ...good, "module.conv_layers.1.weight": array(2, 2) },
        "nn/bf-cnn",
        /weight 1 is \[2,2\]/,
      ],
      [
        "other gains",
        { ...good, "module.BN_layers.0.gammas": array(1, 3, 1, 1) },
        "nn/bf-cnn",
        /gain 0 is \[3\]/,
      ],
      [
        "a diverged training",
        { ...good, "module.BN_layers.0.gammas": { shape: [1, 2, 1, 1], data: [NaN, 1] } },
        "nn/not-finite",
        /no finite numbers: "module\.BN_layers\.0\.gammas" holds NaN as number 1 of 2\./,
      ],
      [
        "a zero deviation",
        { ...good, "module.BN_layers.0.running_sd": array(1, 2, 1, 1) },
        "nn/not-finite",
        /not positive/,
      ],
    ];
    for (const [name, tensors, code, message] of cases) {
      const path = write(tensors);
      const error = await importBfCnn(path).catch((thrown: Error) => thrown);
      expect(error, name).toMatchObject({ code, message: expect.stringMatching(message) as string });
      expect((error as Error).message.startsWith(`cannot load "${path}": `), name).toBe(true);
      expect((error as Error).message, name).not.toContain("\n");
    }
  });
});

describe("assembleLocal()", () => {
  const network = (config: Parameters<typeof initBfCnn>[1]): BfCnnNetwork => {
    const params = initBfCnn(rng(0, "assemble"), { ...config, width: 2 });
    return { params, statistics: initBfCnnStatistics(params) };
  };
  const low = network(lowPassConfig(1));
  const wide = network(conditionalConfig(1, 43));
  const narrow = network(conditionalConfig(1, 5));
  const fields = (...given: [name: string, network: BfCnnNetwork][]) => {
    const { model, names } = assembleLocal(given.map(([name, each]) => ({ name, network: each })));
    return summarise(model).map(
      ({ role, level, receptiveField }, i) => `${role} ${level} ${receptiveField} ${names[i]}`,
    );
  };

  test("one network of images is a flat model", () => {
    expect(fields(["flat.pt", low])).toEqual(["low 0 41 flat.pt"]);
  });

  test("takes conditional networks from the coarsest to the finest", () => {
    const coarseFirst = ["low 2 41 low.pt", "details 2 43 b.pt", "details 1 5 a.pt"];
    expect(fields(["low.pt", low], ["b.pt", wide], ["a.pt", narrow])).toEqual(coarseFirst);
    expect(fields(["b.pt", wide], ["a.pt", narrow], ["low.pt", low])).toEqual(coarseFirst);
  });

  test("goes by scale numbers in names, 0 the finest, as a shell lists them", () => {
    expect(fields(["x/low.pt", low], ["x/rf-scale0.pt", narrow], ["scale7/rf-scale1.pt", wide])).toEqual([
      "low 2 41 x/low.pt",
      "details 2 43 scale7/rf-scale1.pt",
      "details 1 5 x/rf-scale0.pt",
    ]);
  });

  test("says which part is missing, or comes twice, or does not belong", () => {
    const colour = network(conditionalConfig(3, 5));
    const odd = network({ inputs: 2, outputs: 1, kernels: [3, 3], width: 2 });
    const cases: [given: [string, BfCnnNetwork][], message: RegExp][] = [
      [
        [["a.pt", narrow]],
        /"a\.pt" denoises details given their low-pass band.*Give the low-pass network too/,
      ],
      [
        [
          ["a.pt", low],
          ["b.pt", low],
        ],
        /"a\.pt" and "b\.pt" both denoise images.*one by one/,
      ],
      [
        [
          ["l.pt", low],
          ["scale1.pt", narrow],
          ["my-scale-1.pt", wide],
        ],
        /both of scale 1/,
      ],
      [
        [
          ["l.pt", low],
          ["scale2.pt", narrow],
          ["scale0.pt", wide],
        ],
        /no network of scale 1 among "scale2\.pt", "scale0\.pt"/,
      ],
      [
        [
          ["l.pt", low],
          ["c.pt", colour],
        ],
        /level 1 is for details of 3 channels; the low-pass band has 1/,
      ],
      [[["o.pt", odd]], /2 channels in and 1 out\. Known: 1 to 1/],
    ];
    for (const [given, message] of cases) expect(() => fields(...given), String(message)).toThrow(message);
  });
});
