/**
 * @module W1: the score U-Net of the product at the size of a small EDM on CIFAR-10, denoising with EDM's loss (Karras et
 * al. 2022, eq. 8), AdamW and a moving average of the parameters.
 */
import {
  adam,
  adamInit,
  add,
  div,
  ema,
  mean,
  mul,
  pack,
  reshape,
  rng,
  square,
  sub,
  type Tensor,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import { edmFormulation } from "../../packages/subband/src/diffusion/preconditioning.ts";
import { initScoreUnet, scoreUnet } from "../../packages/subband/src/nn/score-unet.ts";
import { normals, pixels, stateOf, type Workload } from "./workload.ts";

const BATCH = 32;
const IMAGES = [BATCH, 3, 32, 32];
/** Attention at 16 x 16, the second resolution; blocks a resolution are not in the definition: two, as in DDPM. */
const NETWORK = { channels: 3, width: 64, multipliers: [1, 2, 2], blocks: 2, attention: [1] };
const OPTIMISER = { lr: 2e-4, weightDecay: 0.01, emaDecay: 0.999 };

function initialState() {
  const params = pack(initScoreUnet(rng(1, "bench-edm-unet"), NETWORK));
  return { params, average: params, adam: adamInit(params) };
}

type EdmState = Traced<ReturnType<typeof initialState>>;

/** Noise levels as EDM draws them, and the coefficients at each. */
function levels(): Readonly<Record<"sigma" | "cSkip" | "cOut" | "cIn" | "cNoise", Float32Array>> {
  const formulation = edmFormulation();
  const draw = rng(1, "bench-sigma");
  const sigma = Float32Array.from({ length: BATCH }, () => formulation.trainingSigma(draw));
  const each = (name: "cSkip" | "cOut" | "cIn" | "cNoise") =>
    sigma.map((s) => formulation.coefficients(s)[name]);
  return { sigma, cSkip: each("cSkip"), cOut: each("cOut"), cIn: each("cIn"), cNoise: each("cNoise") };
}

const each = (values: Tensor) => reshape(values, [BATCH, 1, 1, 1]);

export const edmUnet: Workload = {
  name: "W1",
  title: `EDM residual U-Net, base 64, multipliers 1,2,2, attention at 16, 32 x 32 x 3, batch ${BATCH}, AdamW + EMA`,
  targets: { train: 1, forward: 1.2, compileSeconds: 5 },
  config: { network: NETWORK, ...OPTIMISER },
  initialState,
  inputs: {
    pixels: IMAGES,
    noise: IMAGES,
    ...Object.fromEntries(["sigma", "cSkip", "cOut", "cIn", "cNoise"].map((name) => [name, [BATCH]])),
  },
  feeds: () => ({ pixels: pixels("pixels", IMAGES), noise: normals("noise", IMAGES), ...levels() }),
  train(args) {
    const state = stateOf<EdmState>(args);
    const noisy = add(args["pixels"]!, mul(args["noise"]!, each(args["sigma"]!)));
    // What the network regresses onto: the weight of the denoiser's loss is 1 / cOut^2, which makes it 1 here.
    const target = div(sub(args["pixels"]!, mul(noisy, each(args["cSkip"]!))), each(args["cOut"]!));
    const { value, grads } = valueAndGrad((params: EdmState["params"]) =>
      mean(square(sub(scoreUnet(params, mul(noisy, each(args["cIn"]!)), args["cNoise"]!), target))),
    )(state.params);
    const next = adam(state.params, grads, state.adam, OPTIMISER);
    const average = ema(state.average, next.params, next.state.step, OPTIMISER.emaDecay);
    return { state: { params: next.params, adam: next.state, average }, loss: value };
  },
  forward: (args) => scoreUnet(stateOf<EdmState>(args).params, args["noise"]!, args["cNoise"]!),
};
