/** @module What sampling costs, counted on the traced networks: parameters and multiply-accumulates an image. */
import { input, isNdArray, type Packed, type Tensor, treeMap, type Traced } from "onnxgrad";
import { countMacs } from "../nn/gmac.ts";
import type { NetworkUse, System } from "./system.ts";

/** Cost of one network. */
export interface NetworkCost extends Pick<NetworkUse, "name" | "parameters" | "runs"> {
  /** Billions of multiply-accumulates of each of its runs for one image: one denoising, or one level. */
  readonly gmac: readonly number[];
}

/** Cost of a system's networks. */
export interface SystemCost {
  readonly networks: readonly NetworkCost[];
  /** GMAC an image with `nfe` calls of the networks that run at each step. */
  gmacPerImage(nfe: number): number;
}

/** Counts what the networks of `system` cost. */
export function systemCost(system: System): SystemCost {
  const networks = system.networks().map(({ name, parameters, runs, outputs }) => ({
    name,
    parameters,
    runs,
    gmac: outputs.map((output) => countMacs([output]).network / 1e9),
  }));
  return {
    networks,
    gmacPerImage: (nfe) =>
      networks
        .flatMap(({ runs, gmac }) => gmac.map((each) => (runs === "each-step" ? nfe * each : each)))
        .reduce((a, b) => a + b, 0),
  };
}

/** Inputs in the place of packed parameters, to trace a network that is only counted. */
export function traceInputs<T>({ tree }: Packed<T>): Traced<Packed<T>> {
  return treeMap(tree, isNdArray, ({ shape }, name): Tensor => input(name, shape)) as Traced<Packed<T>>;
}
