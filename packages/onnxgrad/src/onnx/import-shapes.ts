/** @module Rules of `import-rules.ts` for what moves numbers without changing them, and for constants. */
import { gather } from "../ops/gather.ts";
import { reshape, transpose } from "../ops/reshape.ts";
import { padReflect, padZero, sliceRanges, split } from "../ops/slice.ts";
import { constant } from "../ops/source.ts";
import type { DType } from "../trace/tensor.ts";
import { axisOf, intsOf, knownValues, type Rule } from "./import-node.ts";

export const reshapeRule: Rule = (node) => {
  const x = node.input(0);
  const to = intsOf(node, "shape", 1) ?? [];
  return reshape(x, node.int("allowzero", 0) === 1 ? to : to.map((n, i) => (n === 0 ? x.shape[i]! : n)));
};

export const squeezeRule: Rule = (node) => {
  const x = node.input(0);
  const axes = intsOf(node, "axes", 1)?.map((axis) => axisOf(axis, x.rank));
  return reshape(
    x,
    x.shape.filter((n, i) => (axes === undefined ? n !== 1 : !axes.includes(i))),
  );
};

export const unsqueezeRule: Rule = (node) => {
  const x = node.input(0);
  const axes = intsOf(node, "axes", 1) ?? [];
  const rank = x.rank + axes.length;
  const added = axes.map((axis) => axisOf(axis, rank));
  const rest = [...x.shape];
  return reshape(
    x,
    Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : rest.shift()!)),
  );
};

export const sliceRule: Rule = (node) => {
  const x = node.input(0);
  const starts = intsOf(node, "starts", 1) ?? [];
  const ends = intsOf(node, "ends", 2) ?? [];
  const axes = (intsOf(node, "axes", 3) ?? starts.map((_, i) => i)).map((axis) => axisOf(axis, x.rank));
  const steps = intsOf(node, "steps", 4) ?? starts.map(() => 1);
  return sliceRanges(
    x,
    x.shape.map((extent, axis) => {
      const i = axes.indexOf(axis);
      if (i < 0) return { start: 0, count: extent, step: 1 };
      const step = steps[i]!;
      const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
      const bound = (at: number) => Math.min(Math.max(at < 0 ? at + extent : at, low), high);
      const start = bound(starts[i]!);
      return { start, count: Math.max(0, Math.ceil((bound(ends[i]!) - start) / step)), step };
    }),
  );
};

export const splitRule: Rule = (node) => {
  const x = node.input(0);
  const axis = axisOf(node.int("axis", 0), x.rank);
  const part = Math.ceil(x.shape[axis]! / node.outputs);
  const even = Array.from({ length: node.outputs }, (_, i) => Math.min(part, x.shape[axis]! - i * part));
  return split(x, intsOf(node, "split", 1) ?? even, axis);
};

export const padRule: Rule = (node) => {
  const x = node.input(0);
  const pads = intsOf(node, "pads", 1) ?? [];
  const axes =
    node.inputs[3] === undefined
      ? x.shape.map((_, i) => i)
      : knownValues(node, 3).map((axis) => axisOf(axis, x.rank));
  const pairs = x.shape.map((_, axis): [number, number] => {
    const i = axes.indexOf(axis);
    return i < 0 ? [0, 0] : [pads[i]!, pads[i + axes.length]!];
  });
  const mode = node.string("mode", "constant");
  if (mode === "reflect") return padReflect(x, pairs);
  const value = node.inputs[2] === undefined ? node.float("value", 0) : knownValues(node, 2)[0]!;
  if (mode !== "constant" || value !== 0)
    node.fail(`pads with ${mode} ${value}; only zeros and reflection are supported`);
  return padZero(x, pairs);
};

export const gatherRule: Rule = (node) => {
  const [x, indices] = [node.input(0), node.input(1)];
  const axis = axisOf(node.int("axis", 0), x.rank);
  const wrapped =
    indices.node.op.name === "constant"
      ? constant(
          knownValues(node, 1).map((i) => axisOf(i, x.shape[axis]!)),
          indices.shape,
          "int64",
        )
      : indices;
  const front = [axis, ...x.shape.map((_, i) => i).filter((i) => i !== axis)];
  const rows = gather(transpose(x, front), wrapped); // [...indices, ...other axes]
  const k = indices.rank;
  const back = Array.from({ length: rows.rank }, (_, i) => (i < axis ? k + i : i < axis + k ? i - axis : i));
  return transpose(rows, back);
};

/** Our element types, by ONNX's. */
export const TYPES: Readonly<Record<number, DType>> = {
  1: "float32",
  6: "int64",
  7: "int64",
  9: "bool",
  10: "float32",
  11: "float32",
};

export const constantRule: Rule = (node) => {
  const ints = node.ints("value_ints");
  if (ints !== undefined && ints.length > 0) return constant(ints, [ints.length], "int64");
  if (node.has("value_float")) return constant(node.float("value_float", 0));
  if (node.has("value_int")) return constant([node.int("value_int", 0)], [], "int64");
  return node.tensor("value") ?? node.fail("holds no number");
};

export const constantOfShapeRule: Rule = (node) => {
  const shape = knownValues(node, 0);
  const value = node.tensor("value");
  const { values } = (value?.node.attrs ?? { values: [0] }) as { readonly values: ArrayLike<number> };
  const size = shape.reduce((a, b) => a * b, 1);
  return constant(
    new Float64Array(size).fill(values[0]!),
    shape,
    value?.dtype === "int64" ? "int64" : "float32",
  );
};

export const shapeRule: Rule = (node) => {
  const { shape, rank } = node.input(0);
  const part = shape.slice(
    axisOf(node.int("start", 0), rank),
    node.has("end") ? axisOf(node.int("end", rank), rank) : rank,
  );
  return constant(part, [part.length], "int64");
};
