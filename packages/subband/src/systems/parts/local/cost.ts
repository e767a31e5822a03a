/** @module What a local model costs: parameters, and multiply-accumulates a pixel, counted on the graph that is run. */
import { input, isNdArray, type NdArray, type Tensor, treeMap } from "onnxgrad";
import type { BandUnetParams } from "../../../nn/band-unet.ts";
import { foldBfCnn, foldedBfCnn } from "../../../nn/bf-cnn.ts";
import type { BfCnnNetwork } from "../../../nn/bf-cnn-network.ts";
import { countMacs } from "../../../nn/gmac.ts";
import { countParameters, type Params } from "../../../nn/layers.ts";
import { denoiseBands, type GraphResidual, unetResidual } from "./denoiser.ts";
import { hasNoisyCondition, levelsOf, type LocalModel } from "./model.ts";

/** Blocks of the coarsest level a side of the image that is traced; the count a pixel is the same for any number. */
const BLOCKS = 2;

/** What is learned; running deviations are not. */
export function parametersOf(model: LocalModel): number {
  if (model.kind === "unet") return countParameters(model.network);
  return [model.low, ...model.details].reduce((total, { params }) => total + countParameters(params), 0);
}

/**
 * Multiply-accumulates of denoising, for each pixel of the image, with normalisation folded into the weights. Wavelet
 * transforms are not counted; by Haar they are four a coefficient.
 */
export function macsPerPixel(model: LocalModel): number {
  const side = BLOCKS * 2 ** levelsOf(model);
  const x = input("x", [1, model.channels, side, side]);
  const output =
    model.kind === "unet"
      ? unetResidual(asInputs(model.network) as unknown as Params<BandUnetParams>, x, model.wavelet)
      : denoiseBands(
          residual(model.low),
          model.details.map(residual),
          x,
          model.wavelet,
          hasNoisyCondition(model),
        ).image;
  return countMacs([output]).network / side ** 2;
}

/** The network with its weights as inputs: products with constants count as transforms, not as network. */
function residual({ params, statistics }: BfCnnNetwork): GraphResidual {
  const weights = asInputs(foldBfCnn(params, statistics)) as unknown as readonly Tensor[];
  return (x) => foldedBfCnn(weights, x);
}

function asInputs(arrays: unknown): object {
  return treeMap(arrays as never, isNdArray, ({ shape }: NdArray, name) => input(name, shape)) as object;
}
