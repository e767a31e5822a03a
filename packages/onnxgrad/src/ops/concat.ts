/** @module Joining along an axis and cutting into parts: each is the other's gradient. */
import { GraphError } from "../errors.ts";
import { apply, apply1, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";
import { defineOp, type OpDefinition, type RefArray, shapeError } from "./define-op.ts";
import { joined, parted } from "./emit.ts";
import { every, linear, PARTIAL, samePlace, sharded, type Sharded } from "./placement.ts";
import { forEachSliced } from "./slice.ts";
import { constant } from "./source.ts";
import { broadcastTo } from "./sum.ts";

interface AxisAttrs {
  readonly axis: number;
}

function requireAxis(name: string, axis: number, x: Spec): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= x.shape.length)
    throw shapeError(name, `no axis ${axis}`, [x], "Negative axes count from the end.");
}

/** Joins tensors along an axis. */
export const concatOp: OpDefinition<AxisAttrs> = defineOp<AxisAttrs>({
  name: "concat",
  infer(inputs, { axis }) {
    const [first] = inputs;
    requireAxis("concat", axis, first!);
    const fits = ({ shape, dtype }: Spec) =>
      dtype === first!.dtype &&
      shape.length === first!.shape.length &&
      shape.every((n, i) => i === axis || n === first!.shape[i]);
    if (!inputs.every(fits))
      throw shapeError(
        "concat",
        `cannot join along axis ${axis}`,
        inputs,
        "All other dimensions must be equal.",
      );
    const extent = inputs.reduce((total, spec) => total + spec.shape[axis]!, 0);
    return [{ shape: first!.shape.map((n, i) => (i === axis ? extent : n)), dtype: first!.dtype }];
  },
  vjp({ grad, inputs, attrs: { axis } }) {
    const sizes = inputs.map((x) => x.shape[axis]!);
    const parts = split(
      grad,
      sizes.filter((size) => size > 0),
      axis,
    );
    let next = 0;
    return sizes.map((size) => (size > 0 ? parts[next++]! : null));
  },
  lower(context, inputs, { attrs: { axis }, inputs: specs }) {
    const parts = inputs.filter((_, i) => specs[i]!.shape[axis]! > 0);
    return [joined(context, parts, axis)];
  },
  evaluate(inputs, { axis }, [out]) {
    const data = new Float64Array(sizeOf(out!.shape));
    let start = 0;
    for (const x of inputs) {
      const ranges = x.shape.map((count, i) => ({ start: i === axis ? start : 0, count, step: 1 }));
      forEachSliced(ranges, out!.shape, (at, to) => (data[to] = x.data[at]!));
      start += x.shape[axis]!;
    }
    return [{ shape: out!.shape, data }];
  },
  place(node, places) {
    if (every(places, "partial")) return { inputs: places, outputs: [PARTIAL] };
    const at = places.findIndex(({ kind }) => kind === "sharded");
    if (at < 0 || places.some(({ kind }) => kind === "partial")) return undefined;
    const first = places[at] as Sharded;
    const { axis } = first;
    if (axis !== node.attrs.axis) {
      const fits = places.every((each) => each.kind === "replicated" || samePlace(each, first));
      return fits ? { inputs: places.map(() => first), outputs: [first] } : undefined;
    }
    const unit = node.inputs[at]!.shape[axis]! / first.blocks;
    const wanted = node.inputs.map(({ shape }) => sharded(axis, shape[axis]! / unit));
    const fits = places.every((each, i) =>
      each.kind === "replicated" ? Number.isInteger(wanted[i]!.blocks) : samePlace(each, wanted[i]!),
    );
    const blocks = wanted.reduce((sum, each) => sum + each.blocks, 0);
    return fits ? { inputs: wanted, outputs: [sharded(axis, blocks)] } : undefined;
  },
  macs: null,
  traits: { cheap: true },
});

/**
 * Joins tensors along `axis` (negative counts from the end).
 * @throws GraphError when other dimensions differ.
 */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 0) throw new GraphError("concat: no parts. Give at least one tensor.");
  return parts.length === 1
    ? parts[0]!
    : apply1(concatOp, parts, { axis: axis < 0 ? axis + parts[0]!.rank : axis });
}

interface SplitAttrs extends AxisAttrs {
  readonly sizes: readonly number[];
}

/** Cuts a tensor into parts along an axis: the inverse of concat, with as many outputs as sizes. */
export const splitOp: OpDefinition<SplitAttrs> = defineOp<SplitAttrs>({
  name: "split",
  infer([x], { axis, sizes }) {
    requireAxis("split", axis, x!);
    if (sizes.reduce((a, b) => a + b, 0) !== x!.shape[axis] || sizes.some((size) => !(size > 0)))
      throw shapeError(
        "split",
        `sizes ${sizes.join(" + ")} do not add to ${x!.shape[axis]} on axis ${axis}`,
        [x!],
        "Sizes must be positive and cover the axis.",
      );
    return sizes.map((size) => ({ shape: x!.shape.map((n, i) => (i === axis ? size : n)), dtype: x!.dtype }));
  },
  vjp: ({ grads, outputs, attrs: { axis } }) => [
    concat(
      grads.map((grad, i) => grad ?? broadcastTo(constant(0), outputs[i]!.shape)),
      axis,
    ),
  ],
  lower: (context, [x], { attrs: { axis, sizes } }) => parted(context, x!, sizes, axis),
  evaluate([x], { axis }, outs) {
    let start = 0;
    return outs.map((out): RefArray => {
      const data = new Float64Array(sizeOf(out.shape));
      const ranges = out.shape.map((count, i) => ({ start: i === axis ? start : 0, count, step: 1 }));
      forEachSliced(ranges, x!.shape, (at, from) => (data[at] = x!.data[from]!));
      start += out.shape[axis]!;
      return { shape: out.shape, data };
    });
  },
  place(node, places) {
    const [place] = places;
    if (place!.kind !== "sharded") return linear(node, places);
    const { axis, blocks } = place as Sharded;
    const { sizes } = node.attrs;
    if (axis !== node.attrs.axis) return { inputs: places, outputs: node.outputs.map(() => place!) };
    const unit = node.inputs[0]!.shape[axis]! / blocks;
    if (sizes.some((size) => size % unit !== 0)) return undefined;
    return {
      inputs: places,
      outputs: sizes.map((size) => sharded(axis, size / unit)),
      attrs: (k) => ({ axis, sizes: sizes.map((size) => size / k) }),
    };
  },
  macs: null,
  traits: { cheap: true, oneNode: true },
});

/**
 * Cuts `x` into parts of the given sizes along `axis`.
 * @throws GraphError unless the sizes cover the axis.
 */
export function split(x: Tensor, sizes: readonly number[], axis: number): readonly Tensor[] {
  const at = axis < 0 ? axis + x.rank : axis;
  return sizes.length === 1 && sizes[0] === x.shape[at] ? [x] : apply(splitOp, [x], { sizes, axis: at });
}
