/** @module For tests of studies: small random denoisers, and small pictures. */
import { rng } from "onnxgrad";
import { conditionalConfig, flatConfig, initBfCnn, initBfCnnStatistics } from "../nn/bf-cnn.ts";
import type { BfCnnNetwork } from "../nn/bf-cnn-network.ts";
import { type LocalModel, localModel } from "../systems/parts/local/model.ts";
import type { Picture } from "./noisy-pictures.ts";

/** An untrained model of two features, with `levels` levels. */
export function narrowModel(levels: number, channels: 1 | 3 = 1): LocalModel {
  const network = (config: Parameters<typeof initBfCnn>[1], index: number): BfCnnNetwork => {
    const params = initBfCnn(rng(1, "narrow-model", index), { ...config, width: 2 });
    return { params, statistics: initBfCnnStatistics(params) };
  };
  const details = Array.from({ length: levels }, (_, j) => network(conditionalConfig(channels, 5), j + 1));
  return localModel(network(flatConfig(channels, 5), 0), details);
}

/** A picture of random values in [0.25, 0.75]. */
export function smallPicture(name: string, height = 16, width = 32, channels: 1 | 3 = 1): Picture {
  const random = rng(2, name);
  const data = Float32Array.from({ length: channels * height * width }, () => 0.25 + random.uniform() / 2);
  return { name, channels, height, width, data };
}
