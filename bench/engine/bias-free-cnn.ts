/**
 * @module W3: the published bias-free CNN of 21 convolutions, all 3 x 3 with 64 channels (Mohan et al. 2020), that
 * predicts the noise in grey images; Adam on the sum of squared errors. At inference the normalisation is folded into the
 * convolutions, on both sides.
 */
import {
  adam,
  adamInit,
  add,
  div,
  full,
  mul,
  pack,
  reshape,
  rng,
  square,
  sub,
  sum,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import {
  bfCnn,
  flatConfig,
  foldedBfCnn,
  initBfCnn,
  initBfCnnStatistics,
} from "../../packages/subband/src/nn/bf-cnn.ts";
import { normals, pixels, stateOf, type Workload } from "./workload.ts";

const BATCH = 16;
const IMAGES = [BATCH, 1, 64, 64];
/** The largest published receptive field is that of 3 x 3 kernels throughout. */
const NETWORK = flatConfig(1, 43);
const OPTIMISER = { lr: 1e-4 };

/** With gains of 1 instead of the published small ones, under which an untrained network gives nothing at inference. */
function initialState() {
  const tree = initBfCnn(rng(1, "bench-bias-free-cnn"), NETWORK);
  const params = pack({ ...tree, gains: tree.gains.map(({ shape }) => full(shape, 1)) });
  return { params, statistics: pack(initBfCnnStatistics(tree)), adam: adamInit(params) };
}

type BiasFreeState = Traced<ReturnType<typeof initialState>>;

export const biasFreeCnn: Workload = {
  name: "W3",
  title: `BF-CNN, 21 convolutions of 64, 64 x 64 x 1, batch ${BATCH}, sum of squared errors, Adam`,
  targets: { train: 1, forward: 1.2 },
  config: { network: NETWORK, ...OPTIMISER },
  initialState,
  inputs: { pixels: IMAGES, noise: IMAGES, sigma: [BATCH] },
  feeds() {
    const draw = rng(1, "bench-sigma");
    return {
      pixels: pixels("pixels", IMAGES),
      noise: normals("noise", IMAGES),
      sigma: Float32Array.from({ length: BATCH }, () => draw.uniform()),
    };
  },
  train(args) {
    const state = stateOf<BiasFreeState>(args);
    const noise = mul(args["noise"]!, reshape(args["sigma"]!, [BATCH, 1, 1, 1]));
    const noisy = add(args["pixels"]!, noise);
    const { value, grads, aux } = valueAndGrad((params: BiasFreeState["params"]) => {
      const { y, statistics } = bfCnn(params, state.statistics, noisy, "training");
      return { loss: sum(square(sub(y, noise))), statistics };
    })(state.params);
    const next = adam(state.params, grads, state.adam, OPTIMISER);
    return {
      state: { params: next.params, statistics: aux.statistics, adam: next.state },
      loss: value,
    };
  },
  forward(args) {
    const { params, statistics } = stateOf<BiasFreeState>(args);
    const folded = params.weights.map((weight, l) => {
      const gain = params.gains[l - 1];
      if (gain === undefined) return weight;
      return mul(weight, reshape(div(gain, statistics.deviations[l - 1]!), [NETWORK.width, 1, 1, 1]));
    });
    return foldedBfCnn(folded, args["pixels"]!);
  },
};
