/** @module Rules of `import-rules.ts` for what moves numbers without changing them, and for constants. */
import { broadcastTo } from "../ops/sum.ts";
import { gather } from "../ops/gather.ts";
import { reshape, transpose } from "../ops/reshape.ts";
import { split } from "../ops/concat.ts";
import { type SliceRange, sliceRanges } from "../ops/slice.ts";
import { constant } from "../ops/source.ts";
import { sizeOf, type Tensor } from "../trace/tensor.ts";
import {
  axesOf,
  axisOf,
  type ImportContext,
  intsOf,
  knownValues,
  requireExtents,
  type Rule,
} from "./import-node.ts";
import { MOST_DIMENSIONS } from "./import-tensor.ts";

export const reshapeRule: Rule = (node) => {
  const x = node.input(0);
  const to = knownValues(node, 1);
  const keepsZeros = node.int("allowzero", 0) !== 0;
  if (keepsZeros && to.includes(0) && to.includes(-1))
    node.fail(`shape [${to.join(",")}] has 0 and -1, with attribute "allowzero"`);
  if (to.filter((n) => n === -1).length > 1) node.fail(`shape [${to.join(",")}] has -1 more than once`);
  const extents = to.map((n, i) =>
    n === 0 && !keepsZeros
      ? (x.shape[i] ??
        node.fail(`shape [${to.join(",")}] copies an extent that [${x.shape.join(",")}] lacks`))
      : n,
  );
  const known = requireExtents(
    node,
    extents.filter((n) => n !== -1),
  ).reduce((a, b) => a * b, 1);
  const target = extents.map((n) => (n === -1 && known > 0 ? x.size / known : n));
  if (sizeOf(requireExtents(node, target)) !== x.size)
    node.fail(`[${x.shape.join(",")}] does not reshape to [${to.join(",")}]`);
  return reshape(x, target);
};

export const flattenRule: Rule = (node) => {
  const x = node.input(0);
  const axis = node.int("axis", 1);
  if (axis < 0 && node.opset < 11) node.fail(`axis ${axis} is negative in operator set ${node.opset}`);
  const at = axis === x.rank ? axis : axisOf(node, axis, x.rank);
  return reshape(x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
};

export const squeezeRule: Rule = (node) => {
  const x = node.input(0);
  if (node.inputs.length > 1 && node.inputs[1] === undefined) node.fail("input 1 is missing");
  const given = intsOf(node, "axes", 1) ?? [];
  const axes = given.length === 0 ? undefined : given.map((axis) => axisOf(node, axis, x.rank));
  const wrong = axes?.find((axis) => x.shape[axis] !== 1);
  if (wrong !== undefined) node.fail(`axis ${wrong} of [${x.shape.join(",")}] is not of extent 1`);
  return reshape(
    x,
    x.shape.filter((n, i) => (axes === undefined ? n !== 1 : !axes.includes(i))),
  );
};

export const unsqueezeRule: Rule = (node) => {
  const x = node.input(0);
  const axes = node.ints("axes") ?? knownValues(node, 1, 0);
  const rank = x.rank + axes.length;
  if (rank > MOST_DIMENSIONS) node.fail(`makes ${rank} dimensions; at most ${MOST_DIMENSIONS} are supported`);
  const added = axesOf(node, axes, rank);
  const rest = [...x.shape];
  return reshape(
    x,
    Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : rest.shift()!)),
  );
};

/** Where a slice begins and how many elements it has, by ONNX Runtime's clipping. */
function rangeOf(extent: number, from: number, to: number, step: number): SliceRange {
  const clip = (at: number, low: number, high: number) => Math.min(Math.max(at, low), high);
  const place = (at: number) => (at < 0 ? at + extent : at);
  const start = clip(place(from), 0, step < 0 ? extent - 1 : extent);
  const stop = clip(place(to), step < 0 ? -1 : 0, extent);
  return { start, count: Math.max(0, Math.ceil((stop - start) / step)), step };
}

export const sliceRule: Rule = (node) => {
  const x = node.input(0);
  const starts = intsOf(node, "starts", 1) ?? [];
  const ends = intsOf(node, "ends", 2) ?? [];
  const given = intsOf(node, "axes", 3) ?? starts.map((_, i) => i);
  const steps = intsOf(node, "steps", 4) ?? starts.map(() => 1);
  if ([ends, given, steps].some(({ length }) => length !== starts.length))
    node.fail(
      `${starts.length} starts, ${ends.length} ends, ${given.length} axes and ${steps.length} steps do not match`,
    );
  if (steps.includes(0)) node.fail("a step is 0");
  const axes = axesOf(node, given, x.rank);
  const ranges = x.shape.map((extent, axis): SliceRange => {
    const i = axes.indexOf(axis);
    return i < 0 ? { start: 0, count: extent, step: 1 } : rangeOf(extent, starts[i]!, ends[i]!, steps[i]!);
  });
  const counts = ranges.map(({ count }) => count);
  if (!counts.includes(0))
    return sliceRanges(
      x,
      ranges.map((each) => (each.count === 1 ? { ...each, step: 1 } : each)),
    );
  return emptyOf(node, x, counts);
};

/** No numbers, of a shape. What is fed cannot become that: there would be nothing to compute. */
function emptyOf(node: ImportContext, x: Tensor, shape: readonly number[]): Tensor {
  if (node.values(0) === undefined || (x.dtype !== "float32" && x.dtype !== "int64"))
    node.fail(`gives an empty tensor [${shape.join(",")}]`);
  return constant([], shape, x.dtype === "int64" ? "int64" : "float32");
}

export const splitRule: Rule = (node) => {
  const x = node.input(0);
  const axis = axisOf(node, node.int("axis", 0), x.rank);
  const extent = x.shape[axis]!;
  const given = intsOf(node, "split", 1);
  const parts = node.outputs;
  const asked = node.has("num_outputs") ? node.int("num_outputs", 0) : undefined;
  if (asked !== undefined && node.inputs.length > 1) node.fail('has input 1 and attribute "num_outputs"');
  if (asked === undefined && given === undefined && node.opset >= 18)
    node.fail('needs input 1 or attribute "num_outputs"');
  if (asked !== undefined && asked !== parts)
    node.fail(`attribute "num_outputs" is ${asked}, and there are ${parts} outputs`);
  if (given === undefined && node.opset < 18 && extent % parts !== 0)
    node.fail(`${extent} elements on axis ${axis} do not split into ${parts} equal parts`);
  const part = Math.ceil(extent / parts);
  const sizes = given ?? Array.from({ length: parts }, (_, i) => Math.min(part, extent - i * part));
  if (sizes.length !== parts) node.fail(`has ${sizes.length} sizes, and ${parts} outputs`);
  if (sizes.some((n) => !(n > 0)) || sizes.reduce((a, b) => a + b, 0) !== extent)
    node.fail(`sizes ${sizes.join(" + ")} do not make ${extent}, or one is not positive`);
  return split(x, sizes, axis);
};

/** Picks places along an axis: `indices` may have any shape, which takes the place of that axis. */
export function gatherAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  const front = [axis, ...x.shape.map((_, i) => i).filter((i) => i !== axis)];
  const rows = gather(transpose(x, front), indices); // [...indices, ...other axes]
  const k = indices.rank;
  const back = Array.from({ length: rows.rank }, (_, i) => (i < axis ? k + i : i < axis + k ? i - axis : i));
  return transpose(rows, back);
}

export const gatherRule: Rule = (node) => {
  const [x, indices] = [node.input(0), node.input(1)];
  const axis = axisOf(node, node.int("axis", 0), x.rank);
  const known = node.values(1);
  if (known === undefined) return gatherAlong(x, indices, axis);
  const extent = x.shape[axis]!;
  const wrong = Array.from(known).find((i) => !(i >= -extent && i < extent));
  if (wrong !== undefined) node.fail(`index ${wrong} is not within ${-extent} to ${extent - 1}`);
  node.reserve(known.length, "indices");
  const places = Array.from(known, (i) => (i < 0 ? i + extent : i));
  return gatherAlong(x, constant(places, indices.shape, "int64"), axis);
};

export const constantRule: Rule = (node) => {
  const given = ["value", "value_float", "value_floats", "value_int", "value_ints"].filter(node.has);
  if (given.length !== 1) node.fail(`has ${given.length} values, and must have one`);
  const [ints, floats] = [node.ints("value_ints"), node.floats("value_floats")];
  if (ints !== undefined) return constant(ints, [ints.length], "int64");
  if (floats !== undefined) return constant(floats, [floats.length]);
  if (node.has("value_float")) return constant(node.float("value_float", 0));
  if (node.has("value_int")) return constant([node.int("value_int", 0)], [], "int64");
  return node.tensor("value")!.tensor;
};

export const constantOfShapeRule: Rule = (node) => {
  const shape = requireExtents(node, knownValues(node, 0));
  const value = node.tensor("value")?.tensor ?? constant([0], [1]);
  if (value.rank !== 1 || value.size !== 1) node.fail('attribute "value" must be one number');
  if (shape.length > MOST_DIMENSIONS)
    node.fail(`makes ${shape.length} dimensions; at most ${MOST_DIMENSIONS} are supported`);
  return broadcastTo(reshape(value, []), shape);
};

/** The extents from `start` to `end`, which count from the end where they are negative, and are clipped. */
export const shapeRule: Rule = (node) => {
  const { shape } = node.input(0);
  const part = shape.slice(node.int("start", 0), node.has("end") ? node.int("end", 0) : undefined);
  return constant(part, [part.length], "int64");
};

/** Whether a tensor of no elements may go into an operator: as a shape, or where it is only moved. */
export function takesEmpty(opType: string, i: number): boolean {
  if (opType === "Resize") return i > 0;
  if (opType === "Expand" || opType === "Reshape") return true;
  return EMPTY.has(opType);
}

const EMPTY: ReadonlySet<string> = new Set([
  "Cast",
  "Concat",
  "ConstantOfShape",
  "Identity",
  "ReduceMax",
  "ReduceMean",
  "ReduceMin",
  "ReduceSum",
  "Shape",
  "Slice",
  "Squeeze",
  "Unsqueeze",
]);
