/**
 * @module Trains the generator of the released WMGM and its discriminator, one scale a step: the finest for a pass over the
 * data, then the next coarser. The discriminator learns in every fourth step, on the generator's images of that step.
 */
import {
  adam,
  adamInit,
  add,
  constant,
  div,
  ema,
  type Feed,
  layoutOf,
  mul,
  pack,
  type Packed,
  reshape,
  type Rng,
  rng,
  stopGradient,
  type StateTree,
  type Tensor,
  valueAndGrad,
} from "onnxgrad";
import {
  type AttentionUnetConfig,
  type AttentionUnetParams,
  type AttentionUnetStatistics,
  initAttentionUnet,
  initAttentionUnetStatistics,
} from "../../nn/attention-unet.ts";
import { type Params, SHAPES } from "../../nn/layers.ts";
import {
  dropoutMask,
  dropoutShape,
  initPixelDiscriminator,
  initPixelDiscriminatorStatistics,
  pixelDiscriminator,
  type PixelDiscriminatorConfig,
  type PixelDiscriminatorParams,
  type PixelDiscriminatorStatistics,
} from "../../nn/pixel-discriminator.ts";
import { haarAnalysis, haarSynthesis } from "../../wavelet/graph.ts";
import { SCORE_IMAGES, type Stage, type StageProgram, type StageScore, type StepContext } from "../stage.ts";
import { refine } from "./bands.ts";
import type { WmgmFaithfulConfig } from "./config.ts";
import {
  faithfulDiscriminatorLoss,
  faithfulFidelity,
  faithfulGeneratorLoss,
  faithfulGradients,
} from "./losses.ts";
import { orthonormalLow, toUnit } from "./low.ts";

/** Size of the generator: low band and noise in, three detail bands out. */
export function generatorNetwork({ channels, detail }: WmgmFaithfulConfig): AttentionUnetConfig {
  return { inputs: 2 * channels, outputs: 3 * channels, width: detail.generatorWidth };
}

/** Size of the discriminator. */
export function discriminatorNetwork({ channels, detail }: WmgmFaithfulConfig): PixelDiscriminatorConfig {
  return { channels, width: detail.discriminatorWidth };
}

/** Under which key of the state `statistics` the generator's running statistics of a level are kept. */
export function statisticsKey(level: number, { defects }: WmgmFaithfulConfig): string {
  return defects.sharedStatistics ? "shared" : `level${level}`;
}

/** Parameters and running statistics of an untrained generator, packed as the state keeps them. */
export interface GeneratorState {
  readonly [key: string]: StateTree;
  readonly params: Packed;
  readonly statistics: Readonly<Record<string, Packed>>;
}

/** Draws the generator of a configuration; see {@link statisticsKey}. */
export function initGenerator(config: WmgmFaithfulConfig, random: Rng): GeneratorState {
  const params = initAttentionUnet(random, generatorNetwork(config));
  const keys = levelsOf(config).map((level) => statisticsKey(level, config));
  return {
    params: pack(params),
    statistics: Object.fromEntries(
      [...new Set(keys)].map((key) => [key, pack(initAttentionUnetStatistics(params))]),
    ),
  };
}

/** Levels 1 (the finest) to the coarsest. */
export function levelsOf({ levels }: WmgmFaithfulConfig): readonly number[] {
  return Array.from({ length: levels }, (_, i) => i + 1);
}

function initialState(config: WmgmFaithfulConfig, draw: (network: string) => Rng): StateTree {
  const generator = initGenerator(config, draw("generator"));
  const discriminator = initPixelDiscriminator(draw("discriminator"), discriminatorNetwork(config));
  const packed = pack(discriminator);
  return {
    ...generator,
    ...(config.defects.lastParameters ? {} : { average: generator.params }),
    adam: adamInit(generator.params),
    critic: packed,
    criticStatistics: pack(initPixelDiscriminatorStatistics(discriminator)),
    criticAdam: adamInit(packed),
  };
}

interface Moments {
  readonly m: Tensor;
  readonly v: Tensor;
  readonly step: Tensor;
}

/** What {@link initialState} is to a traced function. */
interface TracedState {
  readonly params: Params<AttentionUnetParams>;
  readonly statistics: Readonly<Record<string, Params<AttentionUnetStatistics>>>;
  readonly average?: Params<AttentionUnetParams>;
  readonly adam: Moments;
  readonly critic: Params<PixelDiscriminatorParams>;
  readonly criticStatistics: Params<PixelDiscriminatorStatistics>;
  readonly criticAdam: Moments;
}

type Args = { readonly state: TracedState } & Readonly<Record<string, Tensor>>;

/** The step of one level, with or without the discriminator's. */
function levelProgram(config: WmgmFaithfulConfig, level: number, withDiscriminator: boolean): StageProgram {
  const { channels, height, width, defects, detail } = config;
  const { batch, weights, weightDecay } = detail;
  const bands = [batch, channels, height / 2 ** level, width / 2 ** level];
  const mask = dropoutShape(discriminatorNetwork(config), batch);
  const key = statisticsKey(level, config);
  return {
    inputs: {
      pixels: [batch, channels, height, width],
      [`noise${level}`]: bands,
      ...(defects.cleanConditions ? {} : { [`jitter${level}`]: bands, augmentation: [batch] }),
      dropout: mask,
      lr: [],
      ...(withDiscriminator ? { dropoutFake: mask, dropoutReal: mask, discriminatorLr: [] } : {}),
    },
    build({ state, ...inputs }: Args) {
      const feed = inputs as Readonly<Record<string, Tensor>>;
      const real = orthonormalLow(toUnit(feed["pixels"]!), level - 1);
      const { low } = haarAnalysis(real);
      const seen = defects.cleanConditions
        ? low
        : add(
            low,
            mul(feed[`jitter${level}`]!, reshape(mul(feed["augmentation"]!, 2 ** level), [batch, 1, 1, 1])),
          );

      const generator = valueAndGrad((params: TracedState["params"]) => {
        const generator = { params, statistics: state.statistics[key]!, phase: "training" } as const;
        const made = refine(generator, seen, feed[`noise${level}`]!, level, defects);
        // The true low band, whatever the generator was shown.
        const fake = haarSynthesis(low, made.detail);
        const judged = pixelDiscriminator(
          state.critic,
          state.criticStatistics,
          fake,
          "training",
          feed["dropout"]!,
        );
        const terms = faithfulGeneratorLoss({ fake, real, fakeScore: judged.y, level }, weights, defects);
        return { ...terms, fake, statistics: made.statistics, criticStatistics: judged.statistics };
      })(state.params);
      const { adversarial, reconstruction, similarity, fake, statistics, criticStatistics } = generator.aux;
      const next = adam(state.params, faithfulGradients(generator.grads, defects), state.adam, {
        lr: feed["lr"]!,
        weightDecay,
      });
      const generatorState = {
        params: next.params,
        adam: next.state,
        statistics: { [key]: statistics },
        criticStatistics,
        ...(state.average === undefined
          ? {}
          : { average: ema(state.average, next.params, next.state.step, detail.emaDecay) }),
      };
      const report = {
        loss: generator.value,
        adversarial,
        reconstruction,
        similarity,
        level: constant(level),
      };
      if (!withDiscriminator) return { state: generatorState, ...report };

      // The discriminator before its own step, on the images that the generator made before its step; fake goes first.
      const discriminator = valueAndGrad((params: TracedState["critic"]) => {
        const onFake = pixelDiscriminator(
          params,
          criticStatistics,
          stopGradient(fake),
          "training",
          feed["dropoutFake"]!,
        );
        const onReal = pixelDiscriminator(params, onFake.statistics, real, "training", feed["dropoutReal"]!);
        return {
          loss: faithfulDiscriminatorLoss(onReal.y, onFake.y, defects),
          statistics: onReal.statistics,
        };
      })(state.critic);
      const nextDiscriminator = adam(
        state.critic,
        faithfulGradients(discriminator.grads, defects),
        state.criticAdam,
        {
          lr: feed["discriminatorLr"]!,
          weightDecay,
        },
      );
      return {
        state: {
          ...generatorState,
          critic: nextDiscriminator.params,
          criticAdam: nextDiscriminator.state,
          criticStatistics: discriminator.aux.statistics,
        },
        ...report,
        critic: discriminator.value,
      };
    },
  };
}

/**
 * The level that a step trains, 1 the finest. Released: one pass over the data (whole batches only) for each level in
 * turn; a budget of fewer than `leastEpochs` epochs is divided into as many. Repaired: the levels take turns.
 */
export function scaleOfStep(
  { levels, detail, defects }: WmgmFaithfulConfig,
  { step, progress }: Pick<StepContext, "step" | "progress">,
): number {
  if (!defects.scaleAfterScale) return (step % levels) + 1;
  const stepsPerPass = Math.max(1, Math.floor(detail.passImages / detail.batch));
  const pass = Math.floor(Math.max(step / stepsPerPass, progress * detail.leastEpochs * levels));
  return (pass % levels) + 1;
}

/**
 * A {@link Stage} that trains generator and discriminator; `<state>.params` and `.statistics` are the generator's. The
 * discriminator's steps are counted through, where the released counter begins anew with each pass.
 */
export function faithfulDetailStage(config: WmgmFaithfulConfig): Stage {
  const { detail, lowShare } = config;
  return {
    name: "detail",
    share: 1 - lowShare,
    batch: detail.batch,
    layout: () => layoutOf(initialState(config, () => SHAPES)),
    begin: ({ seed }) => initialState(config, (network) => rng(seed, `init-${network}`)),
    networks: { generator: "params", discriminator: "critic" },
    programs: Object.fromEntries(
      levelsOf(config).flatMap((level) => [
        [`generator${level}`, levelProgram(config, level, false)],
        [`both${level}`, levelProgram(config, level, true)],
      ]),
    ),
    select: (context) =>
      `${(context.step + 1) % detail.discriminatorEvery === 0 ? "both" : "generator"}${scaleOfStep(config, context)}`,
    feeds: (context) => detailFeeds(context, config),
    score: detailScore(config),
  };
}

/**
 * The generator's loss without its discriminator, over the images of every level, as sampling runs it: batch normalisation
 * by the running statistics.
 */
function detailScore(config: WmgmFaithfulConfig): StageScore {
  const { channels, height, width, detail, defects } = config;
  const batch = Math.min(detail.batch, SCORE_IMAGES);
  const kept = defects.lastParameters ? "params" : "average";
  const bands = (level: number) => [batch, channels, height / 2 ** level, width / 2 ** level];
  return {
    weights: [kept, "statistics"],
    batch,
    batches: Math.ceil(SCORE_IMAGES / batch),
    program: {
      inputs: {
        pixels: [batch, channels, height, width],
        ...Object.fromEntries(levelsOf(config).map((level) => [`noise${level}`, bands(level)])),
      },
      build({ state, ...inputs }: Args) {
        const feed = inputs as Readonly<Record<string, Tensor>>;
        const losses = levelsOf(config).map((level) => {
          const real = orthonormalLow(toUnit(feed["pixels"]!), level - 1);
          const statistics = state.statistics[statisticsKey(level, config)]!;
          const generator = { params: state[kept]!, statistics, phase: "inference" } as const;
          const { low } = haarAnalysis(real);
          const { image: fake } = refine(generator, low, feed[`noise${level}`]!, level, defects);
          return faithfulFidelity({ fake, real, level }, detail.weights, defects).loss;
        });
        return {
          score: div(
            losses.reduce((a, b) => add(a, b)),
            losses.length,
          ),
        };
      },
    },
    feeds: (seed, index) =>
      Object.fromEntries(
        levelsOf(config).map((level) => [
          `noise${level}`,
          rng(seed, `score-noise-${level}`, index).fillNormal(
            new Float32Array(bands(level).reduce((a, b) => a * b)),
          ),
        ]),
      ),
  };
}

/** Noise, dropout masks and learning rates of one step: a pure function of (seed, images seen). */
function detailFeeds(
  { seed, imagesSeen, lrScale }: StepContext,
  config: WmgmFaithfulConfig,
): Record<string, Feed> {
  const { channels, height, width, detail, defects } = config;
  const { batch, lr, augmentation } = detail;
  const mask = dropoutShape(discriminatorNetwork(config), batch).reduce((a, b) => a * b);
  const draw = (purpose: string) => rng(seed, `faithful-${purpose}`, imagesSeen);
  const feeds: Record<string, Feed> = {
    lr: lr.generator * lrScale,
    discriminatorLr: lr.discriminator * lrScale,
    dropout: dropoutMask(draw("dropout"), mask),
    dropoutFake: dropoutMask(draw("dropout-fake"), mask),
    dropoutReal: dropoutMask(draw("dropout-real"), mask),
  };
  // All levels, though a step takes one: whoever times the programs runs each with the feeds of any step.
  for (const level of levelsOf(config)) {
    const size = (batch * channels * height * width) / 4 ** level;
    feeds[`noise${level}`] = draw(`noise-${level}`).fillNormal(new Float32Array(size));
    if (!defects.cleanConditions)
      feeds[`jitter${level}`] = draw(`jitter-${level}`).fillNormal(new Float32Array(size));
  }
  if (!defects.cleanConditions) {
    const amounts = draw("augmentation");
    feeds["augmentation"] = Float32Array.from({ length: batch }, () => augmentation * amounts.uniform());
  }
  return feeds;
}
