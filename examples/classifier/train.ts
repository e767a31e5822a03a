/** @module Trains an image classifier on any labelled images of one size, measures it, and writes it as ONNX. */
import {
  type Backend,
  compile,
  exportModel,
  inlineState,
  logSumExp,
  mean,
  mul,
  pack,
  rng,
  scheduleFactor,
  sgd,
  sgdInit,
  type State,
  sub,
  sum,
  type Tensor,
  valueAndGrad,
} from "onnxgrad";
import type { ImageSource } from "../../packages/subband/src/images/image-source.ts";
import {
  imageClassifier,
  type ImageClassifierConfig,
  initImageClassifier,
  initImageClassifierStatistics,
} from "../../packages/subband/src/nn/image-classifier.ts";
import { fillMoved } from "./moved-batch.ts";

/** How it is trained. */
export interface ClassifierTraining {
  readonly backend: Backend;
  readonly config: ImageClassifierConfig;
  readonly epochs: number;
  readonly batch: number;
  /** Peak of the learning rate, reached after a fifth of the steps. */
  readonly rate: number;
  readonly seed: number;
  /** Told of every step's loss. */
  readonly onStep?: (step: number, steps: number, loss: number) => void;
}

/** Parameters, statistics and momentum of a training. */
function beginning(seed: number, config: ImageClassifierConfig) {
  const params = pack(initImageClassifier(rng(seed, "classifier"), config));
  const statistics = pack(initImageClassifierStatistics(config));
  return { params, statistics, velocity: sgdInit(params) };
}

/** A classifier in its state. */
export type TrainedClassifier = State<ReturnType<typeof beginning>>;

/** Trains by SGD with Nesterov's momentum, weight decay, smoothed targets and a rate that rises, then falls, linearly. */
export async function trainClassifier(
  source: ImageSource,
  { backend, config, epochs, batch, rate, seed, onStep }: ClassifierTraining,
): Promise<TrainedClassifier> {
  const shape = [batch, source.channels, source.height, source.width];
  const step = await compile(
    backend,
    {
      state: beginning(seed, config),
      inputs: { images: shape, targets: [batch, config.classes], lr: [] },
    },
    ({ state, images, targets, lr }) => {
      const { value, grads, aux } = valueAndGrad((own: typeof state.params) => {
        const { logits, statistics } = imageClassifier(own, state.statistics, images, "training");
        return { loss: crossEntropy(logits, targets), statistics };
      })(state.params);
      const settings = { lr, momentum: 0.9, nesterov: true, weightDecay: 5e-4 };
      const { params, velocity } = sgd(state.params, grads, state.velocity, settings);
      return { state: { params, statistics: aux.statistics, velocity }, loss: value };
    },
  );
  const images = new Float32Array(shape.reduce((a, b) => a * b));
  const targets = new Float32Array(batch * config.classes);
  const steps = Math.round((epochs * source.count) / batch);
  for (let i = 0; i < steps; i++) {
    fillMoved(source, { seed, seen: i * batch }, { images, targets });
    const lr = rate * scheduleFactor(i / steps, { warmup: 0.2, decay: 0.8, shape: "linear" });
    const { loss } = await step.run({ images, targets, lr });
    onStep?.(i + 1, steps, loss[0]!);
  }
  await step.state.pull();
  await step.dispose();
  return step.state;
}

/** Mean of -sum_k t_k log softmax(logits)_k. */
function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return mean(sub(logSumExp(logits), sum(mul(logits, targets), [1])));
}

/** Share of the images whose largest logit is that of their label. */
export async function accuracy(
  backend: Backend,
  trained: TrainedClassifier,
  source: ImageSource,
  batch: number,
): Promise<number> {
  const shape = [batch, source.channels, source.height, source.width];
  const classify = await compile(
    backend,
    { state: trained, inputs: { images: shape } },
    ({ state, images }) => ({
      logits: imageClassifier(state.params, state.statistics, images, "inference").logits,
    }),
  );
  const images = new Float32Array(shape.reduce((a, b) => a * b));
  let right = 0;
  for (let first = 0; first < source.count; first += batch) {
    const count = Math.min(batch, source.count - first);
    for (let i = 0; i < count; i++) source.read(first + i, false, images, (i * images.length) / batch);
    const { logits } = await classify.run({ images });
    const classes = logits.length / batch;
    for (let i = 0; i < count; i++) {
      const row = logits.subarray(i * classes, (i + 1) * classes);
      if (row.indexOf(Math.max(...row)) === source.labels![first + i]) right++;
    }
  }
  await classify.dispose();
  return right / source.count;
}

/** An ONNX file: `image` [batch, c, h, w] in [-1, 1] in, `features` and `logits` out. */
export function classifierModel(
  name: string,
  trained: TrainedClassifier,
  shape: readonly number[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  return exportModel({ name, inputs: { image: shape }, metadata }, ({ image }) => {
    const { params, statistics } = inlineState(trained);
    const { features, logits } = imageClassifier(params, statistics, image, "inference");
    return { features, logits };
  }).bytes;
}
