/**
 * @module Trains the multi-scale detail generator on every level at once: first the energy score alone, then with a
 * discriminator that judges the image of each scale beside its low band, or all bands of the scale together.
 */
import {
  adam,
  adamInit,
  add,
  concat,
  div,
  ema,
  type Feed,
  layoutOf,
  mul,
  narrow,
  pack,
  reshape,
  type Rng,
  rng,
  scheduleFactor,
  stopGradient,
  type Tensor,
  type Traced,
  upsampleNearest2d,
  valueAndGrad,
  constant,
} from "onnxgrad";
import { joinChannels } from "../../nn/blocks.ts";
import {
  conditionalDiscriminator,
  type ConditionalDiscriminatorConfig,
  initConditionalDiscriminator,
} from "../../nn/conditional-discriminator.ts";
import {
  detailGenerator,
  type DetailGeneratorConfig,
  initDetailGenerator,
  noiseExtents,
} from "../../nn/detail-generator.ts";
import { SHAPES } from "../../nn/layers.ts";
import { analyseLevel, type BandScaling, synthesiseLevel } from "../parts/band-scaling.ts";
import { energyScore, gradientPenalty, relativisticLoss, spectrumError } from "./detail-losses.ts";
import { SCORE_IMAGES, type Stage, type StepContext } from "../stage.ts";

/**
 * What a discriminator looks at: the image that a low band and its details make, beside the low band enlarged to it; or
 * the low band and the standardised details side by side, which is the same at a quarter of the cost and hides from it
 * where neighbouring blocks do not meet.
 */
export type Judged = "image" | "bands";

/** Everything that a detail stage is made of. */
export interface DetailStageOptions {
  readonly name: string;
  readonly share: number;
  readonly generator: DetailGeneratorConfig;
  readonly discriminator: Omit<ConditionalDiscriminatorConfig, "inputs">;
  /** What the discriminator looks at. */
  readonly judged: Judged;
  readonly scaling: BandScaling;
  readonly height: number;
  readonly width: number;
  readonly levels: number;
  readonly batch: number;
  /** Peak learning rates: generator alone, generator against the discriminator, and the discriminator itself. */
  readonly lr: { readonly score: number; readonly generator: number; readonly discriminator: number };
  readonly emaDecay: number;
  /** Fraction of the stage trained by the energy score alone. */
  readonly scoreShare: number;
  /** Weight of the adversarial loss beside the energy score. */
  readonly adversarial: number;
  /** Repulsion of the energy score: 1 proper, 0 regression. */
  readonly repulsion: number;
  /** Gamma of R1, applied every `r1Every` steps with that much more weight. */
  readonly r1Gamma: number;
  readonly r1Every: number;
  /** Largest standard deviation of the noise put on low bands (image range). */
  readonly augmentation: number;
  /** Patch sizes of the energy score, in detail coefficients. */
  readonly patches: readonly number[];
}

function initialState(
  { generator, discriminator, judged }: DetailStageOptions,
  draw: (network: string) => Rng,
) {
  const params = pack(initDetailGenerator(draw("detail"), generator));
  const inputs = judgedChannels(judged, generator.channels);
  const judging = pack(initConditionalDiscriminator(draw("critic"), { ...discriminator, inputs }));
  return {
    ...{ params, average: params, adam: adamInit(params) },
    ...{ critic: judging, criticAdam: adamInit(judging) },
  };
}

type DetailState = ReturnType<typeof initialState>;
type Args = {
  readonly state: Traced<DetailState>;
  readonly pixels: Tensor;
  readonly lr: Tensor;
  readonly discriminatorLr: Tensor;
} & Readonly<Record<string, Tensor>>;

/** One scale of a traced batch: what is known, what is to be made, and what was drawn. */
interface Scale {
  readonly level: number;
  /** Images of the batch that this scale learns from: n below. */
  readonly samples: number;
  /** Low band as the generator sees it (with augmentation noise); a constant for every gradient. */
  readonly low: Tensor;
  readonly detail: Tensor;
  readonly augmentation: Tensor;
  /** Two draws of noise, one after the other: [2 n, ...]. */
  readonly noise: Tensor;
}

/** Levels 1 (the finest) to the coarsest, each with the extents of its bands. */
function levelsOf({ levels, height, width }: DetailStageOptions) {
  return Array.from({ length: levels }, (_, i) => {
    const level = i + 1;
    return { level, extents: [height / 2 ** level, width / 2 ** level] as const };
  });
}

/** What a batch needs besides learning rates. */
function scaleInputs(options: DetailStageOptions): Readonly<Record<string, readonly number[]>> {
  const { batch, generator, height, width } = options;
  const c = generator.channels;
  return {
    pixels: [batch, c, height, width],
    ...Object.fromEntries(
      levelsOf(options).flatMap(({ level, extents }) => [
        [`noise${level}`, [2 * samplesOf(level, options), ...noiseExtents(generator, ...extents)]],
        [`jitter${level}`, [samplesOf(level, options), c, ...extents]],
        [`augmentation${level}`, [samplesOf(level, options)]],
      ]),
    ),
  };
}

function scalesOf(feed: Readonly<Record<string, Tensor>>, options: DetailStageOptions): Scale[] {
  let image = feed["pixels"]!;
  return levelsOf(options).map(({ level }) => {
    const { low, detail } = analyseLevel(image, level, options.scaling);
    image = low;
    const samples = samplesOf(level, options);
    const some = (t: Tensor) => narrow(t, 0, 0, samples);
    const augmentation = feed[`augmentation${level}`]!;
    const jitter = mul(feed[`jitter${level}`]!, reshape(augmentation, [samples, 1, 1, 1]));
    return {
      level,
      samples,
      low: stopGradient(add(some(low), jitter)),
      detail: some(detail),
      augmentation,
      noise: feed[`noise${level}`]!,
    };
  });
}

/** Both draws of a scale's details: [2 n, 3 c, h, w]. */
function generate(params: Traced<DetailState>["params"], { level, low, augmentation, noise }: Scale): Tensor {
  return detailGenerator(params, {
    low: concat([low, low], 0),
    noise,
    level: constant(level, [1]),
    augmentation: concat([augmentation, augmentation], 0),
  });
}

/** Energy score of both draws of a scale, over the patches that divide its bands. */
function scoreOf(
  draws: Tensor,
  { detail, samples }: Scale,
  { patches, repulsion }: DetailStageOptions,
): Tensor {
  const [h, w] = detail.shape.slice(2) as [number, number];
  const fitting = patches.filter((patch) => h % patch === 0 && w % patch === 0);
  const [first, second] = [narrow(draws, 0, 0, samples), narrow(draws, 0, samples, samples)];
  return energyScore(first, second, detail, fitting, repulsion);
}

/** Channels of what the discriminator looks at. */
export function judgedChannels(judged: Judged, channels: number): number {
  return judged === "image" ? 2 * channels : 4 * channels;
}

/** What it looks at where these are the details of a scale: [n, 2 c, 2 h, 2 w] or [n, 4 c, h, w]. */
export function judgedOf(
  { level, low }: Pick<Scale, "level" | "low">,
  detail: Tensor,
  { judged, scaling }: Pick<DetailStageOptions, "judged" | "scaling">,
): Tensor {
  return judged === "image"
    ? concat([upsampleNearest2d(low, 2), synthesiseLevel(low, detail, level, scaling)], 1)
    : joinChannels([low, detail]);
}

function average(terms: readonly Tensor[]): Tensor {
  return div(
    terms.reduce((a, b) => add(a, b)),
    terms.length,
  );
}

/** A {@link Stage} that trains the detail generator. */
export function detailStage(options: DetailStageOptions): Stage {
  const { name, share, batch } = options;
  const inputs = { ...scaleInputs(options), lr: [], discriminatorLr: [] };

  const scoreProgram = {
    inputs,
    build({ state, ...feed }: Args) {
      const scales = scalesOf(feed, options);
      const { value, grads } = valueAndGrad((params: typeof state.params) =>
        average(scales.map((scale) => scoreOf(generate(params, scale), scale, options))),
      )(state.params);
      const next = adam(state.params, grads, state.adam, { lr: feed.lr!, betas: [0.9, 0.99] });
      return {
        state: {
          params: next.params,
          adam: next.state,
          average: ema(state.average, next.params, next.state.step, options.emaDecay),
        },
        energy: value,
      };
    },
  };

  const adversarialProgram = (penalised: boolean) => ({
    inputs,
    build({ state, ...feed }: Args) {
      const scales = scalesOf(feed, options);
      const judge = (discriminator: typeof state.critic, scale: Scale, detail: Tensor) =>
        conditionalDiscriminator(discriminator, judgedOf(scale, detail, options), constant(scale.level, [1]));
      const made: Tensor[] = [];
      const real = scales.map((scale) => judge(state.critic, scale, scale.detail));
      const generatorLoss = valueAndGrad((params: typeof state.params) => {
        const terms = scales.map((scale, i) => {
          const draws = generate(params, scale);
          // The discriminator sees the first draw only: the second exists for the energy score.
          const draw = narrow(draws, 0, 0, scale.samples);
          made[i] = draw;
          const fooled = relativisticLoss(judge(state.critic, scale, draw), stopGradient(real[i]!));
          return { fooled, score: scoreOf(draws, scale, options) };
        });
        const energy = average(terms.map(({ score }) => score));
        const fooled = average(terms.map((term) => term.fooled));
        return { loss: add(energy, mul(fooled, options.adversarial)), energy, fooled };
      })(state.params);
      const discriminatorLoss = valueAndGrad((discriminator: typeof state.critic) => {
        const terms = scales.map((scale, i) => {
          const scores = judge(discriminator, scale, scale.detail);
          const pairing = relativisticLoss(scores, judge(discriminator, scale, stopGradient(made[i]!)));
          return penalised
            ? add(
                pairing,
                mul(gradientPenalty(scores, scale.detail), 0.5 * options.r1Gamma * options.r1Every),
              )
            : pairing;
        });
        return average(terms);
      })(state.critic);
      const next = adam(state.params, generatorLoss.grads, state.adam, { lr: feed.lr!, betas: [0.5, 0.99] });
      const discriminator = adam(state.critic, discriminatorLoss.grads, state.criticAdam, {
        lr: feed.discriminatorLr!,
        betas: [0.5, 0.99],
      });
      return {
        state: {
          params: next.params,
          adam: next.state,
          average: ema(state.average, next.params, next.state.step, options.emaDecay),
          critic: discriminator.params,
          criticAdam: discriminator.state,
        },
        energy: generatorLoss.aux.energy,
        fooled: generatorLoss.aux.fooled,
        critic: discriminatorLoss.value,
      };
    },
  });

  const judged = { ...options, batch: Math.min(batch, SCORE_IMAGES) };
  return {
    name,
    share,
    batch,
    layout: () => layoutOf(initialState(options, () => SHAPES)),
    begin: ({ seed }) => initialState(options, (network) => rng(seed, `init-${network}`)),
    networks: { generator: "params", discriminator: "critic" },
    programs: {
      score: scoreProgram,
      adversarial: adversarialProgram(false),
      penalised: adversarialProgram(true),
    },
    select: ({ step, progress }) =>
      progress < options.scoreShare ? "score" : step % options.r1Every === 0 ? "penalised" : "adversarial",
    feeds: (context) => ({
      ...learningRates(context, options),
      ...scaleFeeds((purpose) => rng(context.seed, `detail-${purpose}`, context.imagesSeen), options),
    }),
    score: {
      weights: ["average"],
      batch: judged.batch,
      batches: Math.ceil(SCORE_IMAGES / judged.batch),
      program: {
        inputs: scaleInputs(judged),
        build({ state, ...feed }: Args) {
          const terms = scalesOf(feed, judged).map((scale) => {
            const draws = generate(state.average, scale);
            const draw = narrow(draws, 0, 0, scale.samples);
            return { energy: scoreOf(draws, scale, judged), spectrum: spectrumError(draw, scale.detail) };
          });
          const energy = average(terms.map((term) => term.energy));
          const spectrum = average(terms.map((term) => term.spectrum));
          // The discriminator sharpens the spectrum at some cost of the energy score: it has a part in both.
          return { score: add(energy, spectrum), energy, spectrum };
        },
      },
      feeds: (seed, index) => scaleFeeds((purpose) => rng(seed, `score-detail-${purpose}`, index), judged),
    },
  };
}

/**
 * Images of a batch that a level learns from: all at the coarsest, half as many with every finer level (each has four
 * times the coefficients), at least 4.
 */
function samplesOf(level: number, { batch, levels }: DetailStageOptions): number {
  return Math.min(batch, Math.max(4, batch >> (levels - level)));
}

/** Both phases warm up; the second comes to rest. */
function learningRates(
  { progress, lrScale }: StepContext,
  { lr, scoreShare }: DetailStageOptions,
): Record<string, Feed> {
  const alone = progress < scoreShare;
  const within = alone ? progress / scoreShare : (progress - scoreShare) / (1 - scoreShare);
  const factor =
    lrScale *
    (alone ? scheduleFactor(within, { warmup: 0.05 }) : scheduleFactor(within, { warmup: 0.03, decay: 0.3 }));
  return { lr: factor * (alone ? lr.score : lr.generator), discriminatorLr: factor * lr.discriminator };
}

/** Noise of a batch, from streams by purpose and level. */
function scaleFeeds(stream: (purpose: string) => Rng, options: DetailStageOptions): Record<string, Feed> {
  const { generator, augmentation } = options;
  const normal = (purpose: string, size: number) => stream(purpose).fillNormal(new Float32Array(size));
  const feeds: Record<string, Feed> = {};
  for (const {
    level,
    extents: [h, w],
  } of levelsOf(options)) {
    const samples = samplesOf(level, options);
    const noise = noiseExtents(generator, h, w).reduce((a, b) => a * b);
    feeds[`noise${level}`] = normal(`noise-${level}`, 2 * samples * noise);
    feeds[`jitter${level}`] = normal(`jitter-${level}`, samples * generator.channels * h * w);
    const draw = stream(`augmentation-${level}`);
    feeds[`augmentation${level}`] = Float32Array.from(
      { length: samples },
      () => augmentation * draw.uniform(),
    );
  }
  return feeds;
}
