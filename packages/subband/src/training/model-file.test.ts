import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flatConfig, initBfCnn, initBfCnnStatistics } from "../nn/bf-cnn.ts";
import { type LocalModel, localModel, storeModel } from "../systems/parts/local/model.ts";
import { encodeCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { isModel, loadModel, saveModel } from "./model-file.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-model-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function model(seed: number): LocalModel {
  const params = initBfCnn(rng(seed, "model-file-test"), { ...flatConfig(1, 5), width: 2 });
  return localModel({ params, statistics: initBfCnnStatistics(params) }, []);
}

describe("saveModel() and loadModel()", () => {
  test("keep a model and what is told about it, in a folder or under a name", async () => {
    for (const [place, file] of [
      ["models/one", "models/one/model.safetensors"],
      ["two.safetensors", "two.safetensors"],
    ] as const) {
      const path = join(dir, place);
      expect(isModel(path), place).toBe(false);
      const saved = saveModel(path, model(1), { imported_from: "x" });
      expect(saved.file, place).toBe(join(dir, file));
      const loaded = await loadModel(path);
      expect(loaded.model, place).toEqual(model(1));
      expect(loaded).toMatchObject({ ...saved, metadata: { imported_from: "x" } });
      expect(isModel(path), place).toBe(true);
    }
  });

  test("put a model in the place of the one before, and leave nothing beside it", async () => {
    saveModel(dir, model(1));
    saveModel(dir, model(2));
    expect((await loadModel(dir)).model).toEqual(model(2));
    expect(readdirSync(dir)).toEqual(["model.safetensors"]);
  });

  test("refuse places that hold other things, and change nothing there", () => {
    mkdirSync(join(dir, "run"));
    writeFileSync(join(dir, "run", "run.json"), "{}");
    mkdirSync(join(dir, "photos"));
    writeFileSync(join(dir, "photos", "cat.jpg"), "");
    writeFileSync(join(dir, "file"), "");
    for (const [name, message] of [
      ["run", /"[^"]*run" is a run of subband train\. Give --out a new folder/],
      ["photos", /holds other things \("cat\.jpg"\)/],
      ["file", /is a file/],
    ] as const)
      expect(() => saveModel(join(dir, name), model(1)), name).toThrow(message);
    expect(readdirSync(join(dir, "photos"))).toEqual(["cat.jpg"]);
  });

  test("notice a flipped bit, a cut, a file of another kind and a missing one, by name", async () => {
    const { file } = saveModel(dir, model(1));
    const good = readFileSync(file);
    const flipped = Buffer.from(good);
    flipped[good.length - 3]! ^= 1;
    for (const [name, bytes, message] of [
      ["flipped", flipped, /checksum differs/],
      ["cut", good.subarray(0, 40), /cut off after 40 bytes/],
      ["other", Buffer.alloc(1000), /not a checkpoint of subband/],
    ] as const) {
      writeFileSync(file, bytes);
      await expect(loadModel(dir), name).rejects.toThrow(message);
      await expect(loadModel(dir), name).rejects.toThrow(`damaged model: "${file}"`);
    }
    const run = join(dir, "run");
    mkdirSync(run);
    saveCheckpoint(run, { tensors: new Map(), metadata: {} });
    await expect(loadModel(join(run, "state.safetensors"))).rejects.toThrow(
      /^cannot load ".*": not a local model/,
    );
    await expect(loadModel(run)).rejects.toThrow(
      /no such model: ".*run" has no model\.safetensors\. Make one with/,
    );
  });

  test("refuse a model whose checksum is good and whose weights are no numbers, naming file and tensor", async () => {
    const file = join(dir, "model.safetensors");
    const stored = storeModel(model(1), {});
    for (const [name, { data }] of stored.tensors) {
      const before = data[0]!;
      data[0] = NaN;
      writeFileSync(file, encodeCheckpoint(stored));
      await expect(loadModel(dir), name).rejects.toThrow(
        `cannot use "${file}": weights that are no finite numbers: "${name}" holds NaN as number 1 of ${data.length}. ` +
          "Restore a copy, or import it again.",
      );
      data[0] = before;
    }
  });
});
