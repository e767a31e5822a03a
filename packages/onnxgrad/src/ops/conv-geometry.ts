/** @module Geometry of convolutions: options with their defaults, and the shape rule with its errors. */
import { type Shape, sizeOf, type Spec } from "../trace/tensor.ts";
import { type OnnxAttribute, requireFloat, shapeError } from "./define-op.ts";

/** Geometry of a convolution. Pairs are [vertical, horizontal]. */
export interface ConvGeometry {
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Shapes of the input x [n, c, h, w], of the weight [o, c / groups, kh, kw] and of the output y [n, o, oh, ow]. */
export interface ConvShapes {
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
}

/** Geometry, each entry optional; a single number serves both directions. */
export interface ConvOptions {
  readonly stride?: number | readonly [number, number];
  /** Zeros on each side. */
  readonly padding?: number | readonly [number, number];
  readonly dilation?: number | readonly [number, number];
  readonly groups?: number;
}

/** A single number serves both directions; `otherwise` where nothing is given. */
export const pair = (
  value: number | readonly [number, number] | undefined,
  otherwise: number,
): readonly [number, number] =>
  value === undefined ? [otherwise, otherwise] : typeof value === "number" ? [value, value] : value;

/** Fills in the defaults of {@link ConvOptions}. */
export function convGeometry({ stride, padding, dilation, groups = 1 }: ConvOptions): ConvGeometry {
  return { stride: pair(stride, 1), padding: pair(padding, 0), dilation: pair(dilation, 1), groups };
}

/** Attributes of ONNX's Conv. */
export const onnxAttrs = (g: ConvGeometry): Readonly<Record<string, OnnxAttribute>> => ({
  strides: g.stride.map(BigInt),
  pads: [...g.padding, ...g.padding].map(BigInt),
  dilations: g.dilation.map(BigInt),
  group: BigInt(g.groups),
});

/** @throws GraphError unless the bias has one value a channel of the output `y`. */
export function requireBias(name: string, bias: Spec, y: Shape, inputs: readonly Spec[]): void {
  if (bias.shape.length !== 1 || bias.shape[0] !== y[1])
    throw shapeError(name, `bias must be [${y[1]}]`, inputs, "One bias an output channel.");
}

/** @throws GraphError unless the geometry is made of whole numbers in range. */
export function requireGeometry(name: string, g: ConvGeometry, inputs: readonly Spec[]): void {
  const counts = [...g.stride, ...g.dilation, g.groups];
  if (
    [...counts, ...g.padding].every(Number.isInteger) &&
    Math.min(...counts) > 0 &&
    Math.min(...g.padding) >= 0
  )
    return;
  const { stride, padding, dilation, groups } = g;
  throw shapeError(
    name,
    `stride [${stride.join(",")}], padding [${padding.join(",")}], dilation [${dilation.join(",")}], groups ${groups}`,
    inputs,
    "All are whole numbers; padding may be 0, the others start at 1.",
  );
}

/** Extent of the output along direction d (0 vertical, 1 horizontal). */
function outputExtent(input: number, kernel: number, g: ConvGeometry, d: 0 | 1): number {
  return Math.floor((input + 2 * g.padding[d] - g.dilation[d] * (kernel - 1) - 1) / g.stride[d]) + 1;
}

/**
 * Shape of conv(x, w).
 * @throws GraphError when channels, groups or extents do not fit.
 */
export function outputShape(name: string, x: Spec, w: Spec, g: ConvGeometry): number[] {
  requireFloat(name, [x, w]);
  requireGeometry(name, g, [x, w]);
  if (x.shape.length !== 4 || w.shape.length !== 4)
    throw shapeError(
      name,
      "takes input [n,c,h,w] and weight [out,c/groups,kh,kw]",
      [x, w],
      "Add or drop dimensions with reshape().",
    );
  const [n, c, height, width] = x.shape as [number, number, number, number];
  const [out, perGroup, kh, kw] = w.shape as [number, number, number, number];
  if (sizeOf(w.shape) === 0 || height * width === 0)
    throw shapeError(
      name,
      "has no pixels or no weights",
      [x, w],
      "Of all extents, the batch alone may be 0.",
    );
  if (c !== perGroup * g.groups)
    throw shapeError(
      name,
      `input has ${c} channels but the weight takes ${perGroup * g.groups} (groups ${g.groups})`,
      [x, w],
      "Give the layer the input's channels, or set groups.",
    );
  if (out % g.groups !== 0)
    throw shapeError(
      name,
      `${out} output channels are not divisible by groups ${g.groups}`,
      [x, w],
      "Choose a divisor.",
    );
  const oh = outputExtent(height, kh, g, 0);
  const ow = outputExtent(width, kw, g, 1);
  if (oh < 1 || ow < 1)
    throw shapeError(
      name,
      `kernel ${kh}x${kw} does not fit ${height}x${width}`,
      [x, w],
      "Pad the input, or take fewer down-samplings.",
    );
  return [n, out, oh, ow];
}

/**
 * The geometry of the convolution, with the taps in reverse and channels exchanged, that is the input gradient of one with
 * kernels kh x kw; undefined where there is none.
 */
export function adjointGeometry(
  g: ConvGeometry,
  [kh, kw]: readonly [number, number],
): ConvGeometry | undefined {
  const padding = [g.dilation[0] * (kh - 1) - g.padding[0], g.dilation[1] * (kw - 1) - g.padding[1]] as const;
  const exists = g.stride[0] === 1 && g.stride[1] === 1 && Math.min(...padding) >= 0;
  return exists ? { ...g, padding } : undefined;
}
