/** @module Table of contents of subband's Node part: data sets, training, checkpoints, evaluation, pictures. */

// Data
export { batchIndices, fillBatch } from "./images/batches.ts";
export { getCifar10 } from "./data/cifar10.ts";
export { createDataset, type Dataset } from "./data/dataset.ts";
export { type DatasetOptions, KNOWN_DATASETS } from "./data/dataset-recipes.ts";
export { openDataset } from "./data/open-dataset.ts";

// Models trained elsewhere
export { assembleLocal } from "./interop/assemble-local.ts";
export { bfCnnOfCheckpoint, importBfCnn } from "./interop/bf-cnn-checkpoint.ts";
export { readTorchCheckpoint } from "./interop/torch-checkpoint.ts";
export { loadModel, saveModel } from "./training/model-file.ts";

// Training
export { loadCheckpoint, saveCheckpoint } from "./training/checkpoint.ts";
export { loadRun } from "./training/load-run.ts";
export type { RunRecord } from "./training/run-directory.ts";
export { readRunFile } from "./training/run-file.ts";
export { type RunConfig, systemOf } from "./training/run-config.ts";
export type { AnyPreset, Preset } from "./systems/preset.ts";
export { presetNamed, presets } from "./systems/presets.ts";
export { saveEach, saveGrid } from "./training/sample-grid.ts";
export { folderHost, type FolderHostOptions } from "./training/folder-host.ts";
export { planRun, trainRun, type TrainRequest } from "./training/train-run.ts";

// Evaluation
export { openFeatures } from "./evaluation/open-features.ts";
export { psnr } from "./evaluation/psnr.ts";
export { ssim } from "./evaluation/ssim.ts";
export {
  evaluateSubject,
  type Evaluation,
  type Figures,
  measureReference,
  type Reference,
} from "./evaluation/evaluate-subject.ts";
export type { EvaluationHost } from "./evaluation/evaluation-host.ts";
export type { DrawnSubject, ImagesSubject, Subject } from "./evaluation/subject.ts";
export { bandReport, bandStatistics, conditionalSpread } from "./evaluation/band-report.ts";

// Pictures
export { estimateNoise } from "./restoration/noise-level.ts";
export { openModel } from "./restoration/model-source.ts";
export { type OnShare, tiledDenoiser, type TiledDenoiser } from "./restoration/tiled-denoiser.ts";
export { type Picture, readPicture, requireWritable, writePicture } from "./restoration/picture.ts";
export type { RestorationOptions } from "./restoration/restoration-options.ts";
export { denoisePicture, type DenoiseOptions } from "./restoration/denoise-picture.ts";
export { upscalePicture, type Upscaled } from "./restoration/upscale-picture.ts";
export { type ConditionalOptions, upscaleConditional } from "./restoration/upscale-conditional.ts";
export { type Inpainted, inpaintPicture } from "./restoration/inpaint-picture.ts";
export { type Deblurred, deblurPicture } from "./restoration/deblur-picture.ts";
export { kernelOf } from "./restoration/blur-kernel.ts";
export { uncertaintyMap } from "./restoration/restore-measured.ts";
export { type Similarity, similarity } from "./restoration/compare-pictures.ts";
