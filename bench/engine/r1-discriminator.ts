/**
 * @module W4: a step of the product's conditional discriminator with the R1 penalty (Mescheder et al. 2018, eq. 9), whose
 * gradient is of second order. This discriminator and not the released one in pixels, because it has no batch
 * normalisation: there the penalty of one image would depend on the others of its batch.
 */
import {
  adam,
  adamInit,
  add,
  constant,
  mean,
  mul,
  neg,
  pack,
  rng,
  softplus,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import {
  conditionalDiscriminator,
  initConditionalDiscriminator,
} from "../../packages/subband/src/nn/conditional-discriminator.ts";
import { joinChannels } from "../../packages/subband/src/nn/blocks.ts";
import { gradientPenalty } from "../../packages/subband/src/systems/wmgm/detail-losses.ts";
import { type Arguments, normals, pixels, stateOf, type Workload } from "./workload.ts";

const BATCH = 16;
/** Bands of 32 x 32: the finest scale of 64 x 64 images. */
const LOW = [BATCH, 3, 32, 32];
const DETAIL = [BATCH, 9, 32, 32];
const NETWORK = { inputs: 12, widths: [64, 128, 256] };
const LOSS = { gamma: 10 };
const OPTIMISER = { lr: 4e-4, betas: [0.5, 0.99] } as const;

function initialState() {
  const params = pack(initConditionalDiscriminator(rng(1, "bench-r1-discriminator"), NETWORK));
  return { params, adam: adamInit(params) };
}

type R1State = Traced<ReturnType<typeof initialState>>;

/** Scores of details of the finest level beside their low bands. */
const score = (params: R1State["params"], args: Arguments, detail: "real" | "fake") =>
  conditionalDiscriminator(params, joinChannels([args["low"]!, args[detail]!]), constant(1, [1]));

export const r1Discriminator: Workload = {
  name: "W4",
  title: `discriminator step with R1 (second order), widths 64,128,256, 32 x 32, batch ${BATCH}, Adam`,
  targets: { train: 1 },
  config: { network: NETWORK, ...LOSS, ...OPTIMISER },
  initialState,
  inputs: { low: LOW, real: DETAIL, fake: DETAIL },
  feeds: () => ({
    low: pixels("low", LOW),
    real: normals("real", DETAIL),
    fake: normals("fake", DETAIL),
  }),
  train(args) {
    const state = stateOf<R1State>(args);
    const { value, grads, aux } = valueAndGrad((params: R1State["params"]) => {
      const real = score(params, args, "real");
      const adversarial = add(mean(softplus(neg(real))), mean(softplus(score(params, args, "fake"))));
      const penalty = gradientPenalty(real, args["real"]!);
      return { loss: add(adversarial, mul(penalty, LOSS.gamma / 2)), penalty };
    })(state.params);
    const next = adam(state.params, grads, state.adam, OPTIMISER);
    return { state: { params: next.params, adam: next.state }, loss: value, penalty: aux.penalty };
  },
  forward: (args) => score(stateOf<R1State>(args).params, args, "real"),
};
