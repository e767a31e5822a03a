/**
 * @module Trains the multi-scale detail generator on every level at once: first the energy score alone, then with an
 * adversary that judges all bands of each scale together.
 */
import {
  adam,
  adamInit,
  add,
  concat,
  div,
  ema,
  type Feed,
  mul,
  narrow,
  pack,
  reshape,
  rng,
  scheduleFactor,
  stopGradient,
  type Tensor,
  type Traced,
  valueAndGrad,
  constant,
} from "onnxgrad";
import {
  conditionalDiscriminator,
  type ConditionalDiscriminatorConfig,
  initConditionalDiscriminator,
} from "../nn/conditional-discriminator.ts";
import { detailGenerator, type DetailGeneratorConfig, initDetailGenerator } from "../nn/detail-generator.ts";
import { analyseLevel, type BandScaling } from "./band-scaling.ts";
import { energyScore, gradientPenalty, relativisticLoss } from "./detail-losses.ts";
import type { Stage, StepContext } from "./stage.ts";

/** Everything that a detail stage is made of. */
export interface DetailStageOptions {
  readonly name: string;
  readonly share: number;
  readonly generator: DetailGeneratorConfig;
  readonly discriminator: ConditionalDiscriminatorConfig;
  readonly scaling: BandScaling;
  readonly height: number;
  readonly width: number;
  readonly levels: number;
  readonly batch: number;
  /** Peak learning rates: generator alone, generator against the adversary, discriminator. */
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

function initialState({ generator, discriminator }: DetailStageOptions, seed: number) {
  const params = pack(initDetailGenerator(rng(seed, "init-detail"), generator));
  const critic = pack(initConditionalDiscriminator(rng(seed, "init-critic"), discriminator));
  return { params, average: params, adam: adamInit(params), critic, criticAdam: adamInit(critic) };
}

type DetailState = ReturnType<typeof initialState>;
type Args = {
  readonly state: Traced<DetailState>;
  readonly pixels: Tensor;
  readonly lr: Tensor;
  readonly criticLr: Tensor;
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
  /** Two draws of noise, one after the other: [2 n, noise channels, h, w]. */
  readonly noise: Tensor;
}

/** A {@link Stage} that trains the detail generator. */
export function detailStage(options: DetailStageOptions): Stage {
  const { name, share, generator, scaling, levels, batch } = options;
  const c = generator.channels;
  const extents = (level: number) => [options.height / 2 ** level, options.width / 2 ** level] as const;
  const everyLevel = Array.from({ length: levels }, (_, i) => i + 1);
  const inputs = {
    pixels: [batch, c, options.height, options.width],
    lr: [],
    criticLr: [],
    ...Object.fromEntries(
      everyLevel.flatMap((level) => [
        [`noise${level}`, [2 * samplesOf(level, options), generator.noiseChannels, ...extents(level)]],
        [`jitter${level}`, [samplesOf(level, options), c, ...extents(level)]],
        [`augmentation${level}`, [samplesOf(level, options)]],
      ]),
    ),
  };

  const scalesOf = (feed: Args): Scale[] => {
    let image = feed.pixels;
    return everyLevel.map((level) => {
      const { low, detail } = analyseLevel(image, level, scaling);
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
  };

  /** Both draws of a scale's details: [2 n, 3 c, h, w]. */
  const generate = (params: Traced<DetailState>["params"], { level, low, augmentation, noise }: Scale) =>
    detailGenerator(params, {
      low: concat([low, low], 0),
      noise,
      level: constant(level, [1]),
      augmentation: concat([augmentation, augmentation], 0),
    });

  const scoreOf = (draws: Tensor, { detail, level, samples }: Scale) => {
    const [h, w] = extents(level);
    const fitting = options.patches.filter((patch) => h % patch === 0 && w % patch === 0);
    return energyScore(
      narrow(draws, 0, 0, samples),
      narrow(draws, 0, samples, samples),
      detail,
      fitting,
      options.repulsion,
    );
  };
  const average = (terms: readonly Tensor[]) =>
    div(
      terms.reduce((a, b) => add(a, b)),
      terms.length,
    );

  const scoreProgram = {
    inputs,
    build({ state, ...feed }: Args) {
      const scales = scalesOf(feed as Args);
      const { value, grads } = valueAndGrad((params: typeof state.params) =>
        average(scales.map((scale) => scoreOf(generate(params, scale), scale))),
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
      const scales = scalesOf(feed as Args);
      const judge = (critic: typeof state.critic, { level, low }: Scale, detail: Tensor) =>
        conditionalDiscriminator(critic, detail, low, constant(level, [1]));
      const made: Tensor[] = [];
      const real = scales.map((scale) => judge(state.critic, scale, scale.detail));
      const generatorLoss = valueAndGrad((params: typeof state.params) => {
        const terms = scales.map((scale, i) => {
          const draws = generate(params, scale);
          // The adversary sees the first draw only: the second exists for the energy score.
          const draw = narrow(draws, 0, 0, scale.samples);
          made[i] = draw;
          const fooled = relativisticLoss(judge(state.critic, scale, draw), stopGradient(real[i]!));
          return { fooled, score: scoreOf(draws, scale) };
        });
        const energy = average(terms.map(({ score }) => score));
        const fooled = average(terms.map((term) => term.fooled));
        return { loss: add(energy, mul(fooled, options.adversarial)), energy, fooled };
      })(state.params);
      const criticLoss = valueAndGrad((critic: typeof state.critic) => {
        const terms = scales.map((scale, i) => {
          const scores = judge(critic, scale, scale.detail);
          const pairing = relativisticLoss(scores, judge(critic, scale, stopGradient(made[i]!)));
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
      const critic = adam(state.critic, criticLoss.grads, state.criticAdam, {
        lr: feed.criticLr!,
        betas: [0.5, 0.99],
      });
      return {
        state: {
          params: next.params,
          adam: next.state,
          average: ema(state.average, next.params, next.state.step, options.emaDecay),
          critic: critic.params,
          criticAdam: critic.state,
        },
        energy: generatorLoss.aux.energy,
        fooled: generatorLoss.aux.fooled,
        critic: criticLoss.value,
      };
    },
  });

  return {
    name,
    share,
    batch,
    initialState: (seed) => initialState(options, seed) satisfies Record<string, unknown>,
    programs: {
      score: scoreProgram,
      adversarial: adversarialProgram(false),
      penalised: adversarialProgram(true),
    },
    select: ({ step, progress }) =>
      progress < options.scoreShare ? "score" : step % options.r1Every === 0 ? "penalised" : "adversarial",
    feeds: (context) =>
      detailFeeds(
        context,
        options,
        everyLevel.map((level) => [level, extents(level)] as const),
      ),
  };
}

/**
 * Images of a batch that a level learns from: all at the coarsest, half as many with every finer level (each has four
 * times the coefficients), at least 4.
 */
function samplesOf(level: number, { batch, levels }: DetailStageOptions): number {
  return Math.min(batch, Math.max(4, batch >> (levels - level)));
}

function detailFeeds(
  { seed, imagesSeen, progress, lrScale }: StepContext,
  options: DetailStageOptions,
  levels: readonly (readonly [number, readonly [number, number]])[],
): Record<string, Feed> {
  const { generator, lr, scoreShare, augmentation } = options;
  const alone = progress < scoreShare;
  const within = alone ? progress / scoreShare : (progress - scoreShare) / (1 - scoreShare);
  const factor =
    lrScale *
    (alone ? scheduleFactor(within, { warmup: 0.05 }) : scheduleFactor(within, { warmup: 0.03, decay: 0.3 }));
  const feeds: Record<string, Feed> = {
    lr: factor * (alone ? lr.score : lr.generator),
    criticLr: factor * lr.discriminator,
  };
  const normal = (purpose: string, size: number) =>
    rng(seed, purpose, imagesSeen).fillNormal(new Float32Array(size));
  for (const [level, [h, w]] of levels) {
    const samples = samplesOf(level, options);
    feeds[`noise${level}`] = normal(`detail-noise-${level}`, 2 * samples * generator.noiseChannels * h * w);
    feeds[`jitter${level}`] = normal(`detail-jitter-${level}`, samples * generator.channels * h * w);
    const draw = rng(seed, `detail-augmentation-${level}`, imagesSeen);
    feeds[`augmentation${level}`] = Float32Array.from(
      { length: samples },
      () => augmentation * draw.uniform(),
    );
  }
  return feeds;
}
