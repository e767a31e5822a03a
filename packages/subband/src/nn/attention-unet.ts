/**
 * @module The released generator of WMGM: a U-Net of five resolutions with batch normalisation whose skips pass additive
 * attention gates (Oktay et al. 2018), ending in tanh. Low band and noise go in, the detail bands of that scale come out.
 */
import {
  add,
  concat,
  GraphError,
  leakyRelu,
  maxPool2d,
  mul,
  type NdArray,
  type ResizeConvOptions,
  relu,
  resizeConv2d,
  type Rng,
  scope,
  sigmoid,
  tanh,
  type Tensor,
} from "onnxgrad";
import {
  type BatchNormPass,
  batchNormPass,
  type BatchStatistics,
  initBatchStatistics,
  type Normalized,
  type Phase,
} from "./batch-norm.ts";
import type { AffineParams } from "./blocks.ts";
import { at, conv, initAffine, initConv, initWeight, type Params, type Weighted } from "./layers.ts";

/** Size of an {@link attentionUnet}. */
export interface AttentionUnetConfig {
  /** Channels of the input: low band and noise, 6 for colour images. */
  readonly inputs: number;
  /** Channels of the output: three detail bands, 9 for colour images. */
  readonly outputs: number;
  /** Feature channels at the finest resolution, even; each of the four coarser ones has twice as many. Released: 64. */
  readonly width: number;
}

/** Poolings, and as many up-samplings: extents must be multiples of 2 to this power. */
const POOLINGS = 4;

/** All the released layers but batch normalisation draw from PyTorch's default, U(-1, 1) / sqrt(fan in). */
const PYTORCH = { scheme: "uniform" } as const;

interface BlockParams {
  readonly conv1: Weighted;
  readonly norm1: AffineParams;
  readonly conv2: Weighted;
  readonly norm2: AffineParams;
  /** 1 x 1, without bias or normalisation. */
  readonly shortcut: NdArray;
}

interface BlockStatistics {
  readonly norm1: BatchStatistics;
  readonly norm2: BatchStatistics;
}

interface GateParams {
  readonly gating: Weighted;
  readonly gatingNorm: AffineParams;
  readonly skip: Weighted;
  readonly skipNorm: AffineParams;
  readonly psi: Weighted;
  readonly psiNorm: AffineParams;
}

interface GateStatistics {
  readonly gatingNorm: BatchStatistics;
  readonly skipNorm: BatchStatistics;
  readonly psiNorm: BatchStatistics;
}

/** Parameters of an {@link attentionUnet}. */
export interface AttentionUnetParams {
  /** From the finest to the coarsest resolution. */
  readonly down: readonly BlockParams[];
  /** From the coarsest to the finest resolution. */
  readonly up: readonly { readonly block: BlockParams; readonly gate: GateParams }[];
  readonly last: BlockParams;
  readonly output: Weighted;
}

/** Running statistics of an {@link attentionUnet}, in the structure of its parameters. */
export interface AttentionUnetStatistics {
  readonly down: readonly BlockStatistics[];
  readonly up: readonly { readonly block: BlockStatistics; readonly gate: GateStatistics }[];
  readonly last: BlockStatistics;
}

/** A block from `inputs` to `outputs` channels through their mean, rounded down. */
function initBlock(rng: Rng, inputs: number, outputs: number): BlockParams {
  const middle = Math.floor((inputs + outputs) / 2);
  return {
    conv1: initConv(rng, inputs, middle, 3, PYTORCH),
    norm1: initAffine(middle),
    conv2: initConv(rng, middle, outputs, 3, PYTORCH),
    norm2: initAffine(outputs),
    shortcut: initWeight(rng, [outputs, inputs, 1, 1], inputs, PYTORCH),
  };
}

/**
 * leaky(norm2(conv2(leaky(norm1(conv1(x))))) + shortcut(x)) with slope 0.1: [n, in, h, w] -> [n, out, h, w]. With a factor
 * x is enlarged first, bilinearly, to [n, in, factor h, factor w].
 */
function block(
  params: Params<BlockParams>,
  statistics: Params<BlockStatistics>,
  x: Tensor,
  { normalize }: BatchNormPass,
  factor = 1,
): Tensor {
  const [, , height, width] = x.shape.map((extent) => factor * extent) as [number, number, number, number];
  const enlarged = (weight: Tensor, options: ResizeConvOptions = {}) =>
    resizeConv2d(x, weight, height, width, options);
  const first = at(params, "conv1", ({ weight, bias }) => enlarged(weight, { padding: 1, bias }));
  const h = leakyRelu(at(params, "norm1", normalize, statistics.norm1, first), 0.1);
  const y = at(params, "norm2", normalize, statistics.norm2, at(params, "conv2", conv, h));
  return leakyRelu(add(y, at(params, "shortcut", enlarged)), 0.1);
}

/** A gate on a skip of `channels`, steered by as many, through half as many. */
function initGate(rng: Rng, channels: number): GateParams {
  const inner = channels / 2;
  return {
    gating: initConv(rng, channels, inner, 1, PYTORCH),
    gatingNorm: initAffine(inner),
    skip: initConv(rng, channels, inner, 1, PYTORCH),
    skipNorm: initAffine(inner),
    psi: initConv(rng, inner, 1, 1, PYTORCH),
    psiNorm: initAffine(1),
  };
}

/** skip * sigmoid(norm(psi(relu(norm(gating(g)) + norm(skip(s)))))), one weight a pixel. */
function gate(
  params: Params<GateParams>,
  statistics: Params<GateStatistics>,
  gating: Tensor,
  skip: Tensor,
  { normalize }: BatchNormPass,
): Tensor {
  const hidden = relu(
    add(
      at(params, "gatingNorm", normalize, statistics.gatingNorm, at(params, "gating", conv, gating)),
      at(params, "skipNorm", normalize, statistics.skipNorm, at(params, "skip", conv, skip)),
    ),
  );
  const psi = at(params, "psiNorm", normalize, statistics.psiNorm, at(params, "psi", conv, hidden));
  return mul(skip, sigmoid(psi));
}

/**
 * Draws the parameters of an {@link attentionUnet}: 36,471,600 at width 64 for 6 inputs and 9 outputs.
 * @throws GraphError when the width is odd: the last block and the gates halve it.
 */
export function initAttentionUnet(
  rng: Rng,
  { inputs, outputs, width }: AttentionUnetConfig,
): AttentionUnetParams {
  if (width % 2 !== 0)
    throw new GraphError(`attentionUnet: width ${width} is odd. Gates halve it: choose an even width.`);
  const sizes = Array.from({ length: POOLINGS + 1 }, (_, i) => width * 2 ** i);
  const down = sizes.map((size, i) => initBlock(rng, sizes[i - 1] ?? inputs, size));
  const up = Array.from({ length: POOLINGS }, (_, i) => {
    const size = sizes[POOLINGS - 1 - i]!;
    // The first takes the coarsest features; the others what the gate and the block before them give, joined: 4 * size.
    return { block: initBlock(rng, i === 0 ? 2 * size : 4 * size, size), gate: initGate(rng, size) };
  });
  const last = initBlock(rng, 2 * width, width / 2);
  return { down, up, last, output: initConv(rng, width / 2, outputs, 1, PYTORCH) };
}

/** The running statistics of an untrained {@link attentionUnet}. */
export function initAttentionUnetStatistics(params: AttentionUnetParams): AttentionUnetStatistics {
  const of = ({ scale }: AffineParams) => initBatchStatistics(scale.shape[0]!);
  const ofBlock = ({ norm1, norm2 }: BlockParams) => ({ norm1: of(norm1), norm2: of(norm2) });
  return {
    down: params.down.map(ofBlock),
    up: params.up.map(({ block, gate }) => ({
      block: ofBlock(block),
      gate: {
        gatingNorm: of(gate.gatingNorm),
        skipNorm: of(gate.skipNorm),
        psiNorm: of(gate.psiNorm),
      },
    })),
    last: ofBlock(params.last),
  };
}

/**
 * x [n, inputs, h, w] (low band and noise) to detail bands [n, outputs, h, w] in (-1, 1). Up-sampling is bilinear with
 * half-pixel centres (PyTorch's align_corners = false), as in the released code: it keeps constant images constant and
 * does not shift features between resolutions.
 * @throws GraphError unless h and w are multiples of 16.
 */
export function attentionUnet(
  params: Params<AttentionUnetParams>,
  statistics: Params<AttentionUnetStatistics>,
  x: Tensor,
  phase: Phase,
): Normalized<AttentionUnetStatistics> {
  const [, , height, width] = x.shape as [number, number, number, number];
  const multiple = 2 ** POOLINGS;
  if (x.rank !== 4 || height % multiple !== 0 || width % multiple !== 0)
    throw new GraphError(
      `attentionUnet: takes [n,c,h,w] with h and w multiples of ${multiple}, got [${x.shape.join(",")}]. ` +
        `Take fewer wavelet levels or larger images.`,
    );
  return scope("attentionUnet", () => {
    const pass = batchNormPass(phase);
    const skips: Tensor[] = [];
    let h = x;
    params.down.forEach((down, i) => {
      if (i > 0) h = maxPool2d(h, 2);
      h = scope(`down.${i}`, () => block(down, statistics.down[i]!, h, pass));
      skips.push(h);
    });
    skips.pop(); // the coarsest features go on, they are no skip
    params.up.forEach((up, i) => {
      h = scope(`up.${i}`, () => {
        const { block: own, gate: ofGate } = statistics.up[i]!;
        const y = at(up, "block", block, own, h, pass, 2);
        return concat([at(up, "gate", gate, ofGate, y, skips.pop()!, pass), y], 1);
      });
    });
    h = at(params, "last", block, statistics.last, h, pass);
    return { y: tanh(at(params, "output", conv, h)), statistics: pass.next(statistics) };
  });
}
