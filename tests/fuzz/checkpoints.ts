/** @module Fuzzed weights and runs: safetensors models, PyTorch checkpoints, `run.json` and its checkpoint. */
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { decodeSafetensors, rng } from "onnxgrad";
import { readTorchCheckpoint } from "../../packages/subband/src/interop/torch-checkpoint.ts";
import { flatConfig, initBfCnn, initBfCnnStatistics } from "../../packages/subband/src/nn/bf-cnn.ts";
import { localModel } from "../../packages/subband/src/systems/parts/local/model.ts";
import { resolveWmgmConfig } from "../../packages/subband/src/systems/wmgm/config.ts";
import { loadRun } from "../../packages/subband/src/training/load-run.ts";
import { loadModel, saveModel } from "../../packages/subband/src/training/model-file.ts";
import { type RunConfig, systemOf } from "../../packages/subband/src/training/run-config.ts";
import { writeUntrainedRun } from "../../packages/subband/src/training/untrained-run.testing.ts";
import { float32Bytes, pickleOf, stateOf, torchFile, zipOf } from "../support/torch-file.ts";
import { mutateJson } from "./mutations.ts";
import type { Mutation, Target } from "./target.ts";

const CONFIG: RunConfig = {
  preset: "wmgm",
  options: { levels: 1, batch: 64, lr: 1e-3, width: 16 },
  data: {
    source: "pictures",
    name: "pictures",
    count: 10,
    fingerprint: "f",
    licence: "none",
    credit: "none",
    flip: true,
  },
  images: { low: 1, detail: 1 },
  model: resolveWmgmConfig(
    { channels: 1, height: 8, width: 8, levels: 1, baseWidth: 16 },
    { lowMean: [0], lowStd: [0.4], detailRms: [[0.1, 0.1, 0.1]] },
  ),
};

const WEIGHTS = { a: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }, b: { shape: [4], data: [1, 2, 3, 4] } };

const lieInJson: Mutation = (bytes, random) => {
  try {
    return Buffer.from(JSON.stringify(mutateJson(JSON.parse(bytes.toString()), random)));
  } catch {
    return lieInHeader(bytes, random, []);
  }
};

/** Changes the header of a safetensors file, whose length stays true. */
const lieInHeader: Mutation = (bytes, random) => {
  if (bytes.length < 8) return Buffer.from(bytes);
  const length = Number(bytes.readBigUInt64LE(0));
  try {
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + length)) as unknown;
    const text = Buffer.from(JSON.stringify(mutateJson(header, random)));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([size, text, bytes.subarray(8 + length)]);
  } catch {
    return Buffer.from(bytes);
  }
};

/** A run directory, and the files of it that are damaged. */
function withRun<T>(work: (run: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "fuzz-run-"));
  try {
    writeUntrainedRun(join(folder, "run"), CONFIG);
    return work(join(folder, "run"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Target of `npm run fuzz -- --only checkpoints`. */
export const target: Target = {
  name: "checkpoints",
  about: "safetensors models, PyTorch checkpoints (pickle), `run.json` and the state beside it",
  mutations: [lieInJson, lieInHeader],
  seconds: 20,
  megabytes: 1200,
  async seeds() {
    const params = initBfCnn(rng(1, "fuzz-model"), { ...flatConfig(1, 5), width: 2 });
    return withRun((run) => {
      const model = join(run, "model.safetensors");
      saveModel(model, localModel({ params, statistics: initBfCnnStatistics(params) }, []));
      const bytes = (name: string): Buffer => readFileSync(join(run, name));
      return [
        { name: "run.json", bytes: bytes("run.json") },
        { name: "state.state", bytes: bytes("state.safetensors") },
        { name: "model.safetensors", bytes: bytes("model.safetensors") },
        // Without our checksum, which few mutants of the others pass.
        { name: "plain.tensors", bytes: bytes("model.safetensors") },
        { name: "weights.pt", bytes: torchFile(WEIGHTS) },
        // The pickle alone, put into a zip whose checksums are true.
        { name: "weights.pickle", bytes: pickleOf(stateOf(WEIGHTS)) },
      ];
    });
  },
  async setUp(folder) {
    withRun((run) => cpSync(run, join(folder, "whole"), { recursive: true }));
  },
  async read(path) {
    switch (extname(path)) {
      case ".safetensors":
        await loadModel(path);
        return "loaded a model";
      case ".tensors":
        return decodeSafetensors(readFileSync(path)).tensors.size > 0 ? "decoded" : "decoded nothing";
      case ".pickle":
        writeFileSync(
          "weights.pt",
          zipOf([
            { name: "archive/data.pkl", bytes: readFileSync(path) },
            ...Object.values(WEIGHTS).map(({ data }, i) => ({
              name: `archive/data/${i}`,
              bytes: float32Bytes(data),
            })),
          ]),
        );
        return (await readTorchCheckpoint("weights.pt")).size > 0 ? "loaded a pickle" : "an empty one";
      case ".pt":
        return (await readTorchCheckpoint(path)).size > 0 ? "loaded a checkpoint" : "an empty one";
      default: {
        cpSync("whole", "run", { recursive: true });
        copyFileSync(path, join("run", extname(path) === ".state" ? "state.safetensors" : "run.json"));
        const { config, tensors } = await loadRun("run");
        systemOf(config);
        return tensors.size > 0 ? "loaded a run" : "a run without tensors";
      }
    }
  },
};
