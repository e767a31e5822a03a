/**
 * @module Small training runs, as data: every provider must train them as the float64 interpreter does. Between
 * them they use what networks of this project are made of. Runs in Node and browsers alike.
 */
import {
  add,
  adam,
  adamInit,
  avgPool2d,
  clipByGlobalNorm,
  concat,
  conv2d,
  ema,
  type Feed,
  gelu,
  gradients,
  groupNorm,
  type InputSpec,
  leakyRelu,
  matmul,
  mean,
  mul,
  type NdArray,
  narrow,
  ndarray,
  neg,
  pack,
  reshape,
  rng,
  silu,
  softplus,
  square,
  type StateTree,
  sub,
  sum,
  type Tensor,
  upsampleNearest2d,
  valueAndGrad,
} from "onnxgrad";

/** One run. */
export interface TrainingRun {
  readonly name: string;
  /** What it exercises. */
  readonly what: string;
  readonly steps: number;
  /** A fresh state. */
  state(): StateTree;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The step; its outputs are compared at every step, the state at the end. */
  readonly build: (args: never) => object;
  feeds(step: number): Readonly<Record<string, Feed>>;
}

/** A run whose step sees its state and inputs by their types. */
function trainingRun<S extends StateTree, Args>(
  run: Omit<TrainingRun, "state" | "build"> & {
    state(): S;
    build(args: Args): object;
  },
): TrainingRun {
  return run as unknown as TrainingRun;
}

/** Normal values with the variance 2 / fan-in that keeps activations near 1 (He et al. 2015). */
function weight(name: string, shape: readonly number[]): NdArray {
  const size = shape.reduce((a, b) => a * b, 1);
  // [out, in, kh, kw] of a convolution, [in, out] of a matrix.
  const fanIn = shape.length === 4 ? size / shape[0]! : shape[0]!;
  const values = rng(3, name).fillNormal(new Float32Array(size));
  return ndarray(
    shape,
    values.map((v) => v * Math.sqrt(2 / fanIn)),
  );
}
const filled = (n: number, value: number): NdArray => ndarray([n], new Float32Array(n).fill(value));
const normal = (name: string, step: number, size: number): Float32Array =>
  rng(4, name, step).fillNormal(new Float32Array(size));

type TensorTree<T> = { readonly [K in keyof T]: T[K] extends NdArray ? Tensor : TensorTree<T[K]> };

const MLP = { batch: 32, from: 3, hidden: 24 };
const mlpParams = () => ({
  first: weight("mlp.first", [MLP.from, MLP.hidden]),
  firstBias: filled(MLP.hidden, 0),
  last: weight("mlp.last", [MLP.hidden, 1]),
  lastBias: filled(1, 0),
});
type MlpParams = TensorTree<ReturnType<typeof mlpParams>>;
type Adam = { readonly m: Tensor; readonly v: Tensor; readonly step: Tensor };

const mlp: TrainingRun = trainingRun({
  name: "regression",
  what: "two-layer perceptron, GELU, mean squared error, Adam",
  steps: 20,
  state() {
    const params = pack(mlpParams());
    return { params, adam: adamInit(params) };
  },
  inputs: { x: [MLP.batch, MLP.from] },
  build({ state, x }: { state: { params: MlpParams; adam: Adam }; x: Tensor }) {
    const target = sum(mul(narrow(x, 1, 0, 2), narrow(x, 1, 1, 2)), [1], { keepDims: true });
    const { value, grads } = valueAndGrad((p: MlpParams) => {
      const hidden = gelu(add(matmul(x, p.first), p.firstBias));
      return mean(square(sub(add(matmul(hidden, p.last), p.lastBias), target)));
    })(state.params);
    const next = adam(state.params, grads, state.adam, { lr: 1e-2 });
    return { state: { params: next.params, adam: next.state }, loss: value };
  },
  feeds: (step) => ({ x: normal("mlp", step, MLP.batch * MLP.from) }),
});

const NET = { batch: 4, channels: 8, size: 8 };
const netParams = () => ({
  in: weight("net.in", [NET.channels, 2, 3, 3]),
  down: weight("net.down", [2 * NET.channels, NET.channels, 3, 3]),
  scale: filled(2 * NET.channels, 1),
  shift: filled(2 * NET.channels, 0),
  middle: weight("net.middle", [2 * NET.channels, 2 * NET.channels, 3, 3]),
  up: weight("net.up", [2, 3 * NET.channels, 1, 1]),
});
type NetParams = TensorTree<ReturnType<typeof netParams>>;

/** A denoiser of one level: convolutions down and up again, a residual block below, a skip across. */
function unet(p: NetParams, x: Tensor): Tensor {
  const first = silu(groupNorm(conv2d(x, p.in, { padding: 1 }), 2)); // [n, c, h, w]
  const down = conv2d(avgPool2d(first, 2), p.down, { padding: 1 }); // [n, 2c, h/2, w/2]
  const normed = silu(groupNorm(down, 4, { scale: p.scale, shift: p.shift }));
  const below = add(down, conv2d(normed, p.middle, { padding: 1 }));
  return conv2d(concat([first, upsampleNearest2d(below, 2)], 1), p.up); // [n, 2, h, w]
}

const network: TrainingRun = trainingRun({
  name: "denoiser",
  what: "convolutions, group normalisation, SiLU, pooling and skip, clipping, AdamW, moving average",
  steps: 10,
  state() {
    const params = pack(netParams());
    return { params, adam: adamInit(params), average: params };
  },
  inputs: { x: [NET.batch, 2, NET.size, NET.size], noise: [NET.batch, 2, NET.size, NET.size], lr: [] },
  build({
    state,
    x,
    noise,
    lr,
  }: {
    state: { params: NetParams; adam: Adam; average: NetParams };
    x: Tensor;
    noise: Tensor;
    lr: Tensor;
  }) {
    const { value, grads } = valueAndGrad((p: NetParams) =>
      mean(square(sub(unet(p, add(x, mul(noise, 0.5))), x))),
    )(state.params);
    const clipped = clipByGlobalNorm(grads, 1);
    const next = adam(state.params, clipped.grads, state.adam, { lr, weightDecay: 0.01, betas: [0.9, 0.99] });
    const average = ema(state.average, next.params, next.state.step, 0.9);
    return {
      state: { params: next.params, adam: next.state, average },
      loss: value,
      norm: clipped.norm,
    };
  },
  feeds: (step) => {
    const size = NET.batch * 2 * NET.size * NET.size;
    return {
      x: normal("net.x", step, size),
      noise: normal("net.noise", step, size),
      lr: 2e-3 / (1 + step / 10),
    };
  },
});

const DISCRIMINATOR = { batch: 4, channels: 8, size: 8 };
const discriminatorParams = () => ({
  first: weight("critic.first", [DISCRIMINATOR.channels, 1, 4, 4]),
  firstBias: filled(DISCRIMINATOR.channels, 0.1),
  second: weight("critic.second", [2 * DISCRIMINATOR.channels, DISCRIMINATOR.channels, 3, 3]),
  last: weight("critic.last", [
    (2 * DISCRIMINATOR.channels * DISCRIMINATOR.size * DISCRIMINATOR.size) / 16,
    1,
  ]),
});
type DiscriminatorParams = TensorTree<ReturnType<typeof discriminatorParams>>;

function discriminator(p: DiscriminatorParams, x: Tensor): Tensor {
  const first = leakyRelu(conv2d(x, p.first, { stride: 2, padding: 1, bias: p.firstBias }), 0.2);
  const second = leakyRelu(conv2d(first, p.second, { stride: 2, padding: 1 }), 0.2);
  return matmul(reshape(second, [DISCRIMINATOR.batch, p.last.shape[0]!]), p.last); // [n, 1]
}

const r1: TrainingRun = trainingRun({
  name: "discriminator",
  what: "strided convolutions, leaky ReLU, logistic loss with the R1 penalty (second order), Adam",
  steps: 10,
  state() {
    const params = pack(discriminatorParams());
    return { params, adam: adamInit(params) };
  },
  inputs: {
    real: [DISCRIMINATOR.batch, 1, DISCRIMINATOR.size, DISCRIMINATOR.size],
    fake: [DISCRIMINATOR.batch, 1, DISCRIMINATOR.size, DISCRIMINATOR.size],
  },
  build({
    state,
    real,
    fake,
  }: {
    state: { params: DiscriminatorParams; adam: Adam };
    real: Tensor;
    fake: Tensor;
  }) {
    let penalty: Tensor | undefined;
    const { value, grads } = valueAndGrad((p: DiscriminatorParams) => {
      const score = discriminator(p, real);
      const [slope] = gradients(sum(score), [real]);
      // Mescheder et al. 2018, equation 9.
      penalty = mul(mean(sum(square(slope!), [1, 2, 3])), 0.5);
      const loss = add(mean(softplus(neg(score))), mean(softplus(discriminator(p, fake))));
      return add(loss, mul(penalty, 0.1));
    })(state.params);
    const next = adam(state.params, grads, state.adam, { lr: 1e-3, betas: [0.5, 0.99] });
    return { state: { params: next.params, adam: next.state }, loss: value, penalty: penalty! };
  },
  feeds(step) {
    const size = DISCRIMINATOR.batch * DISCRIMINATOR.size * DISCRIMINATOR.size;
    return {
      real: normal("critic.real", step, size),
      fake: normal("critic.fake", step, size).map((v) => 0.5 * v + 0.5),
    };
  },
});

const DEEP = { batch: 8, layers: 21, width: 6 };
const deepParams = () =>
  Array.from({ length: DEEP.layers }, (_, i) => ({
    weight: weight(`deep.${i}`, [DEEP.width, DEEP.width]),
    bias: filled(DEEP.width, 0.1),
  }));
type DeepParams = readonly { readonly weight: Tensor; readonly bias: Tensor }[];

const deep: TrainingRun = trainingRun({
  name: "deep",
  what: "42 parameters in one pack and 42 averages as arrays of their own, clipping, Adam",
  steps: 3,
  state() {
    const params = pack(deepParams());
    return { params, adam: adamInit(params), average: Object.fromEntries(deepParams().entries()) };
  },
  inputs: { x: [DEEP.batch, DEEP.width] },
  build({ state, x }: { state: { params: DeepParams; adam: Adam; average: DeepParams }; x: Tensor }) {
    const { value, grads } = valueAndGrad((p: DeepParams) => {
      const y = p.reduce((h, { weight: w, bias }) => add(h, mul(silu(add(matmul(h, w), bias)), 0.3)), x);
      return mean(square(sub(y, mul(x, x))));
    })(state.params);
    const clipped = clipByGlobalNorm(grads, 1);
    const next = adam(state.params, clipped.grads, state.adam, { lr: 1e-2 });
    const average = ema(
      state.average,
      Object.fromEntries(next.params.entries()) as never,
      next.state.step,
      0.9,
    );
    return { state: { params: next.params, adam: next.state, average }, loss: value };
  },
  feeds: (step) => ({ x: normal("deep", step, DEEP.batch * DEEP.width) }),
});

/** The runs. */
export const TRAINING_RUNS: readonly TrainingRun[] = [mlp, network, r1, deep];
