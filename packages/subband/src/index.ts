/**
 * @module Table of contents of subband, the portable part: wavelets, spectra, diffusion, networks and systems run in Node
 * and in browsers alike. Data sets, training and files are in `subband/node`.
 */
export { UserError } from "onnxgrad";

// Wavelets
export { type Band, type BandKind, bandLayout, packBands, unpackBands } from "./wavelet/bands.ts";
export { type BandMoments, bandMoments, standardise, unstandardise } from "./wavelet/band-statistics.ts";
export { BOUNDARY_MODES, type BoundaryMode } from "./wavelet/boundary-modes.ts";
export { type Details, dwt, dwt2, idwt, idwt2 } from "./wavelet/dwt.ts";
export { coefficientLength, maxLevel } from "./wavelet/filter-bank.ts";
export { dwt2Graph, haarAnalysis, haarSynthesis, idwt2Graph } from "./wavelet/graph.ts";
export { type Planes, planes } from "./wavelet/planes.ts";
export { wavedec, wavedec2, waverec, waverec2 } from "./wavelet/wavedec.ts";
export { listWavelets, type Wavelet, wavelet } from "./wavelet/wavelets.ts";

// Spectra
export { fft } from "./spectrum/fft.ts";
export { greyImages, radialMean, radialPowerSpectrum, radialSpectrumError } from "./spectrum/radial.ts";

// Diffusion
export type { Denoiser } from "./diffusion/denoiser.ts";
export { type NoiseSource, startNoise, stepNoise } from "./diffusion/noise.ts";
export {
  type Coefficients,
  edmFormulation,
  flowVelocityFormulation,
  type Formulation,
  formulationNamed,
  ouEpsilonFormulation,
  veScoreFormulation,
  vpEpsilonFormulation,
} from "./diffusion/preconditioning.ts";
export {
  linearPlan,
  sample,
  type SamplerName,
  samplerNamed,
  samplerCost,
  samplers,
} from "./diffusion/samplers/samplers.ts";
export { edmSchedule } from "./diffusion/schedules/edm.ts";
export { flowSchedule } from "./diffusion/schedules/flow.ts";
export { ornsteinUhlenbeckSchedule } from "./diffusion/schedules/ornstein-uhlenbeck.ts";
export type { Schedule } from "./diffusion/schedules/schedule.ts";
export { type ScheduleName, scheduleNamed, schedules } from "./diffusion/schedules/schedules.ts";

export { constrainedResidual, type MeasuredData, sampleConstrained } from "./diffusion/ascent/constrained.ts";
export {
  type ConditionalResidual,
  type DetailScale,
  releasedSynthesis,
  synthesise,
  synthesiseDetails,
} from "./diffusion/ascent/multi-scale.ts";
export { blindDenoiser, type Residual } from "./diffusion/ascent/residual.ts";
export { type AscentSettings, stochasticAscent } from "./diffusion/ascent/stochastic-ascent.ts";
export { blockAverages } from "./diffusion/measurements/block-averages.ts";
export { blurMeasurement } from "./diffusion/measurements/blur.ts";
export { lowFrequencies } from "./diffusion/measurements/frequencies.ts";
export type { LinearMeasurement } from "./diffusion/measurements/measurement.ts";
export { inpainting, randomPixels } from "./diffusion/measurements/pixels.ts";
export { randomRows } from "./diffusion/measurements/random-rows.ts";
export { sampleMoments } from "./diffusion/sample-moments.ts";

// Networks
export { attentionUnet, initAttentionUnet } from "./nn/attention-unet.ts";
export {
  bfCnn,
  conditionalConfig,
  flatConfig,
  foldBfCnn,
  foldedBfCnn,
  initBfCnn,
  initBfCnnStatistics,
  lowPassConfig,
} from "./nn/bf-cnn.ts";
export { conditionalDiscriminator, initConditionalDiscriminator } from "./nn/conditional-discriminator.ts";
export { detailGenerator, initDetailGenerator } from "./nn/detail-generator.ts";
export { countMacs } from "./nn/gmac.ts";
export { iddpmUnet, type IddpmUnetConfig, initIddpmUnet } from "./nn/iddpm-unet.ts";
export { countParameters } from "./nn/layers.ts";
export {
  imageClassifier,
  initImageClassifier,
  initImageClassifierStatistics,
} from "./nn/image-classifier.ts";
export { initPixelDiscriminator, pixelDiscriminator } from "./nn/pixel-discriminator.ts";
export { initScoreUnet, scoreUnet } from "./nn/score-unet.ts";

// Systems
export { type BandScaling, measureBandScaling } from "./systems/parts/band-scaling.ts";
export { energyScore, gradientPenalty, relativisticLoss } from "./systems/wmgm/detail-losses.ts";
export { compileDenoiser, compileResidual, conditionalResidual } from "./systems/parts/local/denoiser.ts";
export {
  type LocalModel,
  localModel,
  restoreModel,
  storeModel,
  summarise,
} from "./systems/parts/local/model.ts";
export type { Arrays, Draw, DrawChoice, DrawStep } from "./systems/draw.ts";
export type { Stage, StageProgram, StageScore, StepContext } from "./systems/stage.ts";
export type { ImageShape, Pyramid, System } from "./systems/system.ts";
export { wmgm } from "./systems/wmgm/wmgm.ts";
export { resolveWmgmConfig, type WmgmConfig } from "./systems/wmgm/config.ts";
export { wmgmFaithful } from "./systems/wmgm-faithful/wmgm-faithful.ts";
export { resolveWmgmFaithfulConfig, type WmgmFaithfulConfig } from "./systems/wmgm-faithful/config.ts";

// Drawing
export { type CompiledDraw, compileDraw, type Drawn, type DrawingRequest } from "./drawing/compile-draw.ts";
export { drawCost, type NetworkCost, networkCosts, type StepCost } from "./drawing/draw-cost.ts";
export { type ExportedSampler, exportDraw, exportingDraw, type NoiseInput } from "./drawing/export-draw.ts";

// Distances between sets of features
export { bootstrapInterval, type Interval, resampleWeights } from "./evaluation/metrics/bootstrap.ts";
export { type ExtrapolatedFrechet, extrapolatedFrechet } from "./evaluation/metrics/extrapolated-frechet.ts";
export { frechetInterval } from "./evaluation/metrics/frechet-interval.ts";
export { frechet, frechetDistance, frechetTo } from "./evaluation/metrics/frechet.ts";
export { kid, type KernelDistance } from "./evaluation/metrics/kid.ts";
export { type Memorisation, memorisation } from "./evaluation/metrics/memorisation.ts";
export type { Metric } from "./evaluation/metrics/metric.ts";
export { covariance, type Moments, moments, momentsOf } from "./evaluation/metrics/moments.ts";
export { type NeighbourFigures, neighbours } from "./evaluation/metrics/neighbours.ts";
export { type Rows, rows, rowsOf } from "./evaluation/metrics/rows.ts";
export { type SlicedDistance, slicedWasserstein } from "./evaluation/metrics/sliced-wasserstein.ts";
export {
  type SymmetricEigen,
  symmetricEigen,
  symmetricEigenvalues,
} from "./linear-algebra/symmetric-eigen.ts";
export { traceSqrt } from "./linear-algebra/trace-sqrt.ts";

// Training
export type { LoopHost, Saved, TrainEvent } from "./loop/host.ts";
export { train, type TrainOptions, type TrainSummary } from "./loop/trainer.ts";

// Evaluation
export { type Blockiness, blockiness, changeSums } from "./evaluation/pictures/blockiness.ts";
export { type BandCalibration, calibration, compareDraws } from "./evaluation/pictures/calibration.ts";
export { drawDetails, drawLow, graft, type OracleRequest } from "./evaluation/pictures/oracles.ts";
export { type Specks, specks, speckSums } from "./evaluation/pictures/specks.ts";
export { cifarFeatures } from "./evaluation/features/cifar-features.ts";
export {
  distanceName,
  type FeatureExtractor,
  type OpenFeatures,
  scaledFrom,
} from "./evaluation/features/feature-extractor.ts";
export type { PixelRange } from "./evaluation/features/image-input.ts";
export { onnxFeatures, type OnnxFeaturesOptions } from "./evaluation/features/onnx-features.ts";
