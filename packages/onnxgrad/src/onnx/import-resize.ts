/**
 * @module The rule of `import-rules.ts` for Resize. Each direction is a list of places in the input, from which nearest
 * picks, and linear and cubic interpolation mix; places are found in float32, as ONNX Runtime does, so that ties fall to
 * the same side.
 */
import { quoteName } from "../errors.ts";
import { upsampleNearest2d } from "../ops/pool.ts";
import { resizeByMatrices } from "../ops/resize.ts";
import { constant } from "../ops/source.ts";
import type { Tensor } from "../trace/tensor.ts";
import { axesOf, type ImportContext, knownValues, type Rule } from "./import-node.ts";
import { gatherAlong } from "./import-shapes.ts";

const { fround } = Math;

/** Extents that are resized, and that they are resized to, at most. */
const LARGEST_EXTENT = 65_536;

/** Resizing along one axis. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
}

/** What a node asks for. */
interface Modes {
  readonly mode: string;
  readonly place: string;
  readonly nearest: string;
  /** Whether places beyond the image count for nothing; else they count as its edge. */
  readonly excludeOutside: boolean;
  readonly cubicA: number;
}

/** `coordinate_transformation_mode`: where element i of the result lies in the input. */
const PLACES: Readonly<Record<string, (i: number, axis: Axis) => number>> = {
  half_pixel: (i, { scale }) => fround(fround(fround(i + 0.5) / scale) - 0.5),
  half_pixel_symmetric: (i, { from, to, scale }) => {
    const adjustment = fround(to / fround(scale * from));
    const offset = fround(fround(from / 2) * fround(1 - adjustment));
    return fround(fround(offset + fround(fround(i + 0.5) / scale)) - 0.5);
  },
  pytorch_half_pixel: (i, { to, scale }) => (to > 1 ? fround(fround(fround(i + 0.5) / scale) - 0.5) : 0),
  align_corners: (i, { from, to }) => (to === 1 ? 0 : fround(fround(i * (from - 1)) / (to - 1))),
  asymmetric: (i, { scale }) => fround(i / scale),
  tf_half_pixel_for_nn: (i, { scale }) => fround(fround(i + 0.5) / scale),
};

/** Half-way, but for rounding errors; what ONNX Runtime takes for that. */
const isTie = (x: number) => Math.abs(x - Math.floor(x) - 0.5) < 1e-6;

/** `nearest_mode`: the element that counts for a place. */
const ROUNDINGS: Readonly<Record<string, (x: number, axis: Axis) => number>> = {
  round_prefer_floor: (x) => (isTie(x) ? Math.floor(x) : Math.round(x)),
  round_prefer_ceil: (x) => (isTie(x) ? Math.ceil(x) : Math.round(x)),
  floor: (x) => Math.floor(x),
  ceil: (x) => Math.ceil(x),
  /** Operator set 10. */
  simple: (x, { scale }) => (scale < 1 ? Math.ceil(x) : Math.trunc(x)),
};

/** Weights of the four neighbours of a place, by its distance from the second (Keys 1981). */
function cubicWeights(s: number, a: number): readonly number[] {
  const inner = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const outer = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [outer(s + 1), inner(s), inner(1 - s), outer(2 - s)];
}

const placeOf = (i: number, axis: Axis, { place }: Modes): number =>
  axis.scale === 1 ? i : PLACES[place]!(i, axis);

function nearestIndices(axis: Axis, modes: Modes): readonly number[] {
  const clip = (i: number) => Math.min(Math.max(i, 0), axis.from - 1);
  return Array.from({ length: axis.to }, (_, i) =>
    clip(ROUNDINGS[modes.nearest]!(placeOf(i, axis, modes), axis)),
  );
}

/** Matrix [to, from] of linear or cubic interpolation. */
function interpolation(axis: Axis, modes: Modes): Float64Array {
  const { from, to } = axis;
  const matrix = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const raw = placeOf(i, axis, modes);
    const at = modes.mode === "linear" ? Math.min(Math.max(raw, 0), from - 1) : raw;
    const low = Math.floor(at);
    const [first, weights] =
      modes.mode === "linear"
        ? [low, [1 - (at - low), at - low]]
        : [low - 1, cubicWeights(at - low, modes.cubicA)];
    const inside = (k: number) => first + k >= 0 && first + k < from;
    const counted = weights.map((weight, k) => (modes.excludeOutside && !inside(k) ? 0 : weight));
    const total = modes.excludeOutside ? counted.reduce((a, b) => a + b, 0) : 1;
    counted.forEach((weight, k) => {
      matrix[i * from + Math.min(Math.max(first + k, 0), from - 1)]! += weight / total;
    });
  }
  return matrix;
}

/** Sizes and scales of all axes of x, from the node's inputs. */
function axesFrom(node: ImportContext, x: Tensor): readonly Axis[] {
  const given = node.ints("axes");
  const axes = given === undefined ? x.shape.map((_, i) => i) : axesOf(node, given, x.rank);
  const at = node.opset < 11 ? 1 : 2;
  const read = (i: number) =>
    node.inputs[i] === undefined || node.inputs[i].size === 0 ? undefined : knownValues(node, i);
  const [scales, sizes] = [read(at), read(3)];
  if ((scales === undefined) === (sizes === undefined))
    return node.fail("needs either scales (input 2) or sizes (input 3)");
  const policy = node.string("keep_aspect_ratio_policy", "stretch");
  if (policy !== "stretch" && given?.some((axis) => axis < 0) === true)
    node.fail('attribute "axes" is negative, which is not supported with "keep_aspect_ratio_policy"');
  const list = (sizes ?? scales)!;
  if (list.length !== axes.length)
    node.fail(`has ${list.length} ${sizes === undefined ? "scales" : "sizes"} for ${axes.length} axes`);
  if (!list.every((v) => v > 0 && Number.isFinite(v)) || sizes?.every(Number.isSafeInteger) === false)
    node.fail(`${sizes === undefined ? "scales" : "sizes"} ${list.join(" x ")} are not positive`);
  const ratio = ratioOf(
    node,
    policy,
    sizes?.map((n, i) => fround(n / x.shape[axes[i]!]!)),
  );
  return x.shape.map((from, axis): Axis => {
    const i = axes.indexOf(axis);
    if (i < 0) return { from, to: from, scale: 1 };
    if (sizes === undefined) {
      const scale = fround(list[i]!);
      return { from, to: Math.floor(fround(from * scale)), scale };
    }
    if (ratio === undefined) return { from, to: list[i]!, scale: fround(list[i]! / from) };
    return { from, to: Math.round(fround(ratio * from)), scale: ratio };
  });
}

/** The one scale of all axes that keeps their ratio; undefined where the sizes are met whatever becomes of it. */
function ratioOf(
  node: ImportContext,
  policy: string,
  scales: readonly number[] | undefined,
): number | undefined {
  if (policy === "stretch") return undefined;
  if (policy !== "not_larger" && policy !== "not_smaller")
    return node.fail(`attribute "keep_aspect_ratio_policy" has no value ${quoteName(policy)}`);
  if (scales === undefined) return node.fail('has scales and attribute "keep_aspect_ratio_policy"');
  return policy === "not_larger" ? Math.min(...scales) : Math.max(...scales);
}

function modesOf(node: ImportContext): Modes {
  const old = node.opset < 11;
  const modes = {
    mode: node.string("mode", "nearest"),
    place: node.string("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
    nearest: node.string("nearest_mode", old ? "simple" : "round_prefer_floor"),
    excludeOutside: node.int("exclude_outside", 0) !== 0,
    cubicA: node.float("cubic_coeff_a", -0.75),
  };
  const known = (name: string, value: string, values: readonly string[]) => {
    if (!values.includes(value))
      node.fail(
        `attribute "${name}" ${quoteName(value)} is not supported; supported are ${values.join(", ")}`,
      );
  };
  known("mode", modes.mode, ["nearest", "linear", "cubic"]);
  known("coordinate_transformation_mode", modes.place, Object.keys(PLACES));
  if (modes.mode === "nearest" && !old)
    known("nearest_mode", modes.nearest, Object.keys(ROUNDINGS).slice(0, 4));
  // ONNX Runtime rounds differently there, and which of two neighbours is nearest depends on it.
  if (modes.mode === "nearest" && modes.place === "half_pixel_symmetric")
    node.fail(
      'attribute "coordinate_transformation_mode" "half_pixel_symmetric" is not supported for "nearest"',
    );
  if (node.int("antialias", 0) !== 0) node.fail('attribute "antialias" is not supported');
  if (modes.excludeOutside && modes.mode !== "cubic")
    node.fail('attribute "exclude_outside" is supported for cubic interpolation alone');
  return modes;
}

export const resizeRule: Rule = (node) => {
  const x = node.input(0);
  const modes = modesOf(node);
  const axes = axesFrom(node, x);
  if (axes.some(({ to }) => !(to >= 1)))
    node.fail(`gives an empty tensor [${axes.map(({ to }) => to).join(",")}]`);
  if (axes.some(({ from, to, scale }) => scale !== 1 && Math.max(from, to) > LARGEST_EXTENT))
    node.fail(
      `resizes to [${axes.map(({ to }) => to).join(",")}]; extents up to ${LARGEST_EXTENT} are supported`,
    );
  if (modes.mode === "nearest") return nearestRule(node, x, axes, modes);
  const [batch, channels, rows, columns] = axes as [Axis, Axis, Axis, Axis];
  if (x.rank !== 4 || batch.scale !== 1 || channels.scale !== 1)
    node.fail(`${modes.mode} resizing takes images [n,c,h,w] and changes their extents alone`);
  node.reserve(rows.from * rows.to + columns.from * columns.to, "matrices of interpolation");
  return resizeByMatrices(x, interpolation(rows, modes), interpolation(columns, modes));
};

function nearestRule(node: ImportContext, x: Tensor, axes: readonly Axis[], modes: Modes): Tensor {
  const isKept = ({ from, to, scale }: Axis) => scale === 1 && from === to;
  const changed = axes.filter((axis) => !isKept(axis));
  node.reserve(
    changed.reduce((total, { to }) => total + to, 0),
    "indices",
  );
  const picked = axes.map((axis) => (isKept(axis) ? undefined : nearestIndices(axis, modes)));
  const [batch, channels, rows, columns] = axes as [Axis, Axis, Axis?, Axis?];
  const factor = rows === undefined ? 1 : rows.to / rows.from;
  if (x.rank === 4 && isKept(batch) && isKept(channels) && columns!.to === factor * columns!.from)
    if (Number.isInteger(factor) && picked.slice(2).every((indices) => repeated(indices, factor)))
      return upsampleNearest2d(x, factor);
  return picked.reduce<Tensor>(
    (y, indices, axis) =>
      indices === undefined ? y : gatherAlong(y, constant(indices, [indices.length], "int64"), axis),
    x,
  );
}

/** Whether every pixel is repeated `factor` times; undefined: each is there once. */
const repeated = (indices: readonly number[] | undefined, factor: number): boolean =>
  indices === undefined ? factor === 1 : indices.every((from, i) => from === Math.floor(i / factor));
