/** @module Table of contents of onnxgrad: trace, differentiate, compile, train. */
export {
  didYouMean,
  GraphError,
  invariant,
  printable,
  printableJson,
  quoteName,
  unknownName,
  UserError,
} from "./errors.ts";
export { rng, type Rng } from "./random/threefry.ts";

// Trace
export { scope } from "./trace/scope.ts";
export {
  type DType,
  formatSpec,
  type GraphNode,
  reachable,
  sameShape,
  type Shape,
  sizeOf,
  type Spec,
  Tensor,
} from "./trace/tensor.ts";
export { full, isNdArray, type NdArray, ndarray, scalar } from "./trace/ndarray.ts";
export { pack, Packed, type PackedEntry } from "./trace/packed.ts";
export { printGraph } from "./trace/print.ts";
export { type Mapped, type NamedLeaf, type Tree, treeLeaves, treeMap } from "./trace/tree.ts";

// Operations
export { add, div, maximum, minimum, mul, square, sub } from "./ops/arithmetic.ts";
export {
  abs,
  cos,
  erf,
  exp,
  gelu,
  leakyRelu,
  log,
  neg,
  pow,
  relu,
  round,
  sigmoid,
  sign,
  silu,
  sin,
  softplus,
  sqrt,
  tanh,
} from "./ops/elementary.ts";
export { broadcastTo, sum, sumTo } from "./ops/sum.ts";
export {
  cast,
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  oneHot,
  onesLike,
  stopGradient,
  where,
} from "./ops/compare.ts";
export { channelMoments } from "./ops/channels.ts";
export { clamp } from "./ops/clamp.ts";
export { type ConvOptions } from "./ops/conv-geometry.ts";
export { conv2d, convTranspose2d } from "./ops/conv.ts";
export { gather } from "./ops/gather.ts";
export { matmul } from "./ops/matmul.ts";
export { norm } from "./ops/norm.ts";
export {
  type Affine,
  affineChannels,
  batchNormInference,
  type BatchNormResult,
  batchNormTraining,
  groupNorm,
  layerNorm,
  standardize,
} from "./ops/normalization.ts";
export { avgPool2d, maxPool2d, upsampleNearest2d } from "./ops/pool.ts";
export { max, mean, min } from "./ops/reduce.ts";
export { type ReduceOptions, type Reduction } from "./ops/reduction.ts";
export { matrixTranspose, reshape, transpose } from "./ops/reshape.ts";
export { resizeBilinear2d, type ResizeOptions } from "./ops/resize.ts";
export { resizeConv2d, type ResizeConvOptions } from "./ops/resize-conv.ts";
export { concat, split } from "./ops/concat.ts";
export { padReflect, padZero } from "./ops/pad.ts";
export { flip, narrow, slice, type SliceRange, sliceRanges, unslice } from "./ops/slice.ts";
export { logSumExp, scaledDotProductAttention, softmax } from "./ops/softmax.ts";
export { constant, input, type InputSpec } from "./ops/source.ts";

// Differentiate
export { gradients, type ValueAndGrad, valueAndGrad } from "./grad/gradients.ts";

// Optimise
export { adam, adamInit, type AdamOptions, type AdamState } from "./optim/adam.ts";
export { clipByGlobalNorm } from "./optim/clip.ts";
export { ema } from "./optim/ema.ts";
export { flatten, unflatten } from "./optim/flat.ts";
export { scheduleFactor, type ScheduleOptions } from "./optim/schedule.ts";
export { sgd, sgdInit, type SgdOptions } from "./optim/sgd.ts";

// Lower and run
export { multiplyAccumulates } from "./parallel/multiply-accumulates.ts";
export type { DynamicBatch } from "./onnx/dynamic-batch.ts";
export { exportingModel, exportModel, type ExportOptions } from "./onnx/export-model.ts";
export {
  type ImportedInput,
  type ImportedModel,
  importModel,
  type ImportOptions,
} from "./onnx/import-model.ts";
export { type LoweredModel, type ModelOptions, type ModelPort, toOnnx } from "./onnx/model.ts";
export {
  decodeSafetensors,
  decodingSafetensors,
  encodeSafetensors,
  type Safetensors,
  safetensorsPieces,
} from "./onnx/safetensors.ts";
export { interpret } from "./interpret/interpret.ts";
export { optimize } from "./passes/optimize.ts";
export type { Backend, RuntimeTensor, Session } from "./runtime/backend.ts";
export {
  compile,
  type CompileOptions,
  type Feed,
  type Program,
  type RunOptions,
  type TraceArguments,
} from "./runtime/compile.ts";
export { reckoningMemory, workingMemory, type WorkingMemory } from "./runtime/working-memory.ts";
export {
  inlineState,
  inliningState,
  layoutOf,
  type NamedArray,
  State,
  type StateEntry,
  type StateTree,
  type Traced,
} from "./runtime/state/state.ts";
export { atOnce, inOnePiece, inSlices, slices, turnOfEventLoop } from "./slices.ts";
export { Lifetime, type LifetimeOptions, Turns } from "./turns.ts";
