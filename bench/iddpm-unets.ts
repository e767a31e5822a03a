/**
 * @module The denoising steps of the networks of SGM and WSGM for bench/training-step.ts: improved-diffusion's U-Net at a
 * size for CIFAR-10, and as released for WSGM's coarsest scale.
 */
import {
  adam,
  adamInit,
  add,
  clipByGlobalNorm,
  ema,
  type Feed,
  mean,
  mul,
  pack,
  reshape,
  rng,
  square,
  type StateTree,
  sub,
  type Tensor,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import {
  edmFormulation,
  type Formulation,
  ouEpsilonFormulation,
} from "../packages/subband/src/diffusion/preconditioning.ts";
import { iddpmUnet, type IddpmUnetConfig, initIddpmUnet } from "../packages/subband/src/nn/iddpm-unet.ts";
import { type Arguments, normals, stateOf } from "./engine/workload.ts";

const EMA_DECAY = 0.999;
const LEVELS = ["sigma", "cSkip", "cOut", "cIn", "cNoise"] as const;

/** A U-Net that denoises images of one size. */
export interface UnetStep {
  readonly name: string;
  readonly batch: number;
  readonly network: IddpmUnetConfig;
  readonly emaDecay: number;
  initialState(): StateTree;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  feeds(): Readonly<Record<string, Feed>>;
  /** The network alone, on the step's noise. */
  output(args: Arguments): Tensor;
  build(args: Arguments): { readonly state: unknown; readonly loss: Tensor };
}

const published = {
  ...{ channels: 3, conditioning: 0, multipliers: [1, 2, 2, 2], blocks: 3 },
  ...{ attention: [1, 2], heads: 4, scaleShiftNorm: true },
};

export const UNET_STEPS: readonly UnetStep[] = [
  unetStep("sgm", edmFormulation(), { ...published, width: 64 }, [8, 3, 32, 32]),
  unetStep(
    "wsgm's low band, as released",
    ouEpsilonFormulation(),
    { ...published, width: 128 },
    [2, 3, 32, 32],
  ),
];

/** Denoising score matching on images of `shape`, as the product's diffusion stages have it. */
function unetStep(
  name: string,
  formulation: Formulation,
  network: IddpmUnetConfig,
  shape: readonly [number, number, number, number],
): UnetStep {
  const [batch] = shape;
  const initialState = () => {
    const params = pack(initIddpmUnet(rng(1, "bench-iddpm-unet"), network));
    return { params, average: params, adam: adamInit(params) };
  };
  type UnetState = Traced<ReturnType<typeof initialState>>;
  const each = (values: Tensor) => reshape(values, [batch, 1, 1, 1]);
  return {
    name,
    batch,
    network,
    emaDecay: EMA_DECAY,
    initialState,
    inputs: {
      clean: shape,
      noise: shape,
      ...Object.fromEntries(LEVELS.map((level) => [level, [batch]])),
      lr: [],
    },
    feeds() {
      const draw = rng(1, "bench-sigma");
      const sigma = Float32Array.from({ length: batch }, () => formulation.trainingSigma(draw));
      const coefficient = (of: "cSkip" | "cIn" | "cNoise" | "cOut") =>
        sigma.map((value) => formulation.coefficients(value)[of]);
      return {
        clean: normals("clean", shape).map((x) => 0.5 * x),
        noise: normals("noise", shape),
        ...{ sigma, cSkip: coefficient("cSkip"), cIn: coefficient("cIn"), cNoise: coefficient("cNoise") },
        cOut: coefficient("cOut").map((value) => 1 / value), // fed as its reciprocal
        lr: 1e-4,
      };
    },
    output: (args) =>
      iddpmUnet(stateOf<UnetState>(args).params, { x: args["noise"]!, time: args["cNoise"]! }, network),
    build(args) {
      const { clean, noise, sigma, cSkip, cIn, cNoise, cOut, lr } = args as unknown as Record<
        (typeof LEVELS)[number] | "clean" | "noise" | "lr",
        Tensor
      >;
      const state = stateOf<UnetState>(args);
      const noisy = add(clean, mul(noise, each(sigma)));
      const target = mul(sub(clean, mul(noisy, each(cSkip))), each(cOut));
      const x = mul(noisy, each(cIn));
      const { value, grads } = valueAndGrad((params: UnetState["params"]) =>
        mean(square(sub(iddpmUnet(params, { x, time: cNoise }, network), target))),
      )(state.params);
      const next = adam(state.params, clipByGlobalNorm(grads, 1).grads, state.adam, {
        lr,
        betas: [0.9, 0.99],
      });
      const average = ema(state.average, next.params, next.state.step, EMA_DECAY);
      return { state: { params: next.params, adam: next.state, average }, loss: value };
    },
  };
}
