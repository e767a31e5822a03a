/**
 * @module W2: the attention-gate U-Net generator of the released WMGM at half its width, trained on the squared error and
 * structural similarity of its bands with AdamW; batch normalisation by the batch, running statistics kept.
 */
import {
  adam,
  adamInit,
  add,
  mean,
  mul,
  pack,
  rng,
  square,
  sub,
  type Tensor,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import {
  attentionUnet,
  initAttentionUnet,
  initAttentionUnetStatistics,
} from "../../packages/subband/src/nn/attention-unet.ts";
import { ssim } from "../../packages/subband/src/systems/parts/ssim.ts";
import { normals, pixels, stateOf, type Workload } from "./workload.ts";

const BATCH = 16;
const SIZE = 32;
/** Low band and noise of colour images in, three detail bands out. */
const NETWORK = { inputs: 6, outputs: 9, width: 32 };
const INPUT = [BATCH, NETWORK.inputs, SIZE, SIZE];
const TARGET = [BATCH, NETWORK.outputs, SIZE, SIZE];
const OPTIMISER = { lr: 2e-4, weightDecay: 0.01 };

function initialState() {
  const tree = initAttentionUnet(rng(1, "bench-attention-unet"), NETWORK);
  const params = pack(tree);
  return { params, statistics: pack(initAttentionUnetStatistics(tree)), adam: adamInit(params) };
}

type GateState = Traced<ReturnType<typeof initialState>>;

/** (-1, 1) to the range of the similarity's constants. */
const toUnit = (x: Tensor) => mul(add(x, 1), 0.5);

export const attentionGateUnet: Workload = {
  name: "W2",
  title: `attention-gate U-Net generator, width ${NETWORK.width}, ${SIZE} x ${SIZE}, batch ${BATCH}, MSE + SSIM, AdamW`,
  targets: { train: 1, forward: 1.2 },
  config: { network: NETWORK, ...OPTIMISER },
  initialState,
  inputs: { x: INPUT, target: TARGET },
  feeds: () => ({ x: normals("x", INPUT), target: pixels("target", TARGET) }),
  train(args) {
    const state = stateOf<GateState>(args);
    const { value, grads, aux } = valueAndGrad((params: GateState["params"]) => {
      const { y, statistics } = attentionUnet(params, state.statistics, args["x"]!, "training");
      const similarity = ssim(toUnit(y), toUnit(args["target"]!));
      const loss = add(mean(square(sub(y, args["target"]!))), sub(1, similarity));
      return { loss, similarity, statistics };
    })(state.params);
    const next = adam(state.params, grads, state.adam, OPTIMISER);
    return {
      state: { params: next.params, statistics: aux.statistics, adam: next.state },
      loss: value,
      similarity: aux.similarity,
    };
  },
  forward(args) {
    const { params, statistics } = stateOf<GateState>(args);
    return attentionUnet(params, statistics, args["x"]!, "inference").y;
  },
};
