/**
 * @module Recognises a bias-free CNN among the tensors of a PyTorch checkpoint, by names and shapes as the authors of the
 * multi-scale local models wrote them (`conv_layers.0.weight`, `BN_layers.0.gammas`, `BN_layers.0.running_sd`).
 */
import { type NdArray, ndarray, sizeOf, UserError } from "onnxgrad";
import { type BfCnnNetwork, checkedConfigOf, configOf } from "../nn/bf-cnn-network.ts";
import { requireFinite } from "../nn/finite-weights.ts";
import { shown } from "./pickle.ts";
import { namingFile, readTorchCheckpoint } from "./torch-checkpoint.ts";
import type { TorchTensor } from "./torch-tensor.ts";

/** Left by training on several GPUs. */
const PREFIX = /^module\./;
/** More than a hundred times the largest published network. */
const MAX_VALUES = 1e8;

/**
 * The network in the PyTorch checkpoint `path`.
 * @throws UserError as {@link readTorchCheckpoint} and {@link bfCnnOfCheckpoint}, naming the file.
 */
export async function importBfCnn(path: string): Promise<BfCnnNetwork> {
  const tensors = await readTorchCheckpoint(path);
  return await namingFile(path, () => bfCnnOfCheckpoint(tensors));
}

/**
 * The network that a state dict holds, complete and nothing besides.
 * @throws UserError `torch/architecture` for another one, naming what does not fit; `nn/bf-cnn`, `nn/not-finite`,
 * `torch/element-type`.
 */
export function bfCnnOfCheckpoint(tensors: ReadonlyMap<string, TorchTensor>): BfCnnNetwork {
  const left = new Map([...tensors].map(([name, tensor]) => [name.replace(PREFIX, ""), tensor]));
  if (left.size < tensors.size) throw other("names differ by the prefix module. alone");
  const series = (name: (i: number) => string): TorchTensor[] => {
    const found: TorchTensor[] = [];
    for (let tensor; (tensor = left.get(name(found.length))) !== undefined; found.push(tensor))
      left.delete(name(found.length));
    return found;
  };
  const weights = series((i) => `conv_layers.${i}.weight`);
  const gains = series((i) => `BN_layers.${i}.gammas`).map(perChannel);
  const deviations = series((i) => `BN_layers.${i}.running_sd`).map(perChannel);
  const [stranger] = left.keys();
  if (weights.length === 0) throw other("there is no conv_layers.0.weight");
  if (stranger !== undefined) throw other(`there is ${shown(stranger)}`);
  configOf({ weights, gains, deviations });
  const values = [...weights, ...gains, ...deviations].reduce((total, { shape }) => total + sizeOf(shape), 0);
  if (values > MAX_VALUES) throw other(`there are ${values} values`);
  const nameOf = new Map([...tensors].map(([name, { read }]) => [read, name]));
  const read = (list: readonly TorchTensor[]): NdArray[] =>
    list.map((each) => {
      const array = ndarray(each.shape, each.read());
      requireFinite([[nameOf.get(each.read)!, array]]);
      return array;
    });
  const network = {
    params: { weights: read(weights), gains: read(gains) },
    statistics: { deviations: read(deviations) },
  };
  checkedConfigOf(network);
  return network;
}

/** [1, c, 1, 1] as [c]; any other shape stays and is refused as such. */
function perChannel(tensor: TorchTensor): TorchTensor {
  const [n, c, h, w] = tensor.shape;
  return tensor.shape.length === 4 && n === 1 && h === 1 && w === 1 ? { ...tensor, shape: [c!] } : tensor;
}

function other(why: string): UserError {
  return new UserError(
    "torch/architecture",
    `another architecture: ${why}. Known: the bias-free CNNs of local-probability-models (flat, low-pass, conditional).`,
  );
}
