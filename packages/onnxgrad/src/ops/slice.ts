/** @module Strided boxes: taking one out of a tensor, and writing one into zeros. */
import { invariant } from "../errors.ts";
import { apply1, type Shape, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";
import { defineOp, type NodeSpec, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { stridesOf } from "./index-arithmetic.ts";
import { linear, localShape, type PlacementRule, sharded, type Sharded } from "./placement.ts";

/** One dimension of a slice: elements start, start + step, ... (`count` of them); a negative step runs backwards. */
export interface SliceRange {
  readonly start: number;
  readonly count: number;
  readonly step: number;
}

interface SliceAttrs {
  /** One range an axis. */
  readonly ranges: readonly SliceRange[];
}

interface UnsliceAttrs extends SliceAttrs {
  readonly shape: Shape;
}

const isWhole = (range: SliceRange, extent: number) =>
  range.start === 0 && range.step === 1 && range.count === extent;

/** Calls `visit(linear index in the box, linear index in shape)` for every element of the box. */
export function forEachSliced(
  ranges: readonly SliceRange[],
  shape: Shape,
  visit: (at: number, from: number) => void,
): void {
  const strides = stridesOf(shape);
  const counts = ranges.map((range) => range.count);
  const index = new Array<number>(counts.length).fill(0);
  const total = sizeOf(counts);
  for (let at = 0; at < total; at++) {
    visit(
      at,
      ranges.reduce(
        (offset, { start, step }, axis) => offset + (start + index[axis]! * step) * strides[axis]!,
        0,
      ),
    );
    for (let i = index.length - 1; i >= 0 && ++index[i]! === counts[i]; i--) index[i] = 0;
  }
}

function checkRanges(name: string, ranges: readonly SliceRange[], shape: Shape, spec: Spec): void {
  if (ranges.length !== shape.length || spec.shape.length !== shape.length)
    throw shapeError(
      name,
      `${ranges.length} ranges for [${shape.join(",")}]`,
      [spec],
      "Give one range an axis, and keep the number of axes.",
    );
  ranges.forEach(({ start, count, step }, axis) => {
    const last = start + (count - 1) * step;
    const extent = shape[axis]!;
    const whole = [start, count, step].every(Number.isInteger);
    if (!whole || count < 1 || step === 0 || start < 0 || last < 0 || start >= extent || last >= extent)
      throw shapeError(
        name,
        count < 1
          ? `range from ${start} by ${step} on axis ${axis} is empty`
          : `range ${start}..${last} leaves axis ${axis} of extent ${extent}`,
        [spec],
        "Ranges are whole numbers and are not clipped.",
      );
  });
}

/** A slice (or its adjoint) of other axes, or of whole stretches of the sharded one. */
const stretches =
  <A extends SliceAttrs & { readonly shape?: Shape }>(
    /** Shape of the larger side: of the input of a slice, of the output of its adjoint. */
    largerOf: (node: NodeSpec<A>) => Shape,
  ): PlacementRule<A> =>
  (node, places) => {
    const [place] = places;
    if (place!.kind !== "sharded") return linear(node, places);
    const { axis, blocks } = place as Sharded;
    const { attrs } = node;
    const { start, count, step } = attrs.ranges[axis]!;
    const unit = node.inputs[0]!.shape[axis]! / blocks;
    const whole = largerOf(node)[axis]!;
    if (step !== 1 || start % unit !== 0 || count % unit !== 0 || whole % unit !== 0) return undefined;
    return {
      inputs: places,
      outputs: [sharded(axis, node.outputs[0]!.shape[axis]! / unit)],
      attrs: (k) => ({
        ranges: attrs.ranges.map((range, i) =>
          i === axis ? { start: start / k, count: count / k, step } : range,
        ),
        ...(attrs.shape && { shape: localShape(attrs.shape, place!, k) }),
      }),
    };
  };

/** Takes a strided box out of a tensor. */
export const sliceOp: OpDefinition<SliceAttrs> = defineOp<SliceAttrs>({
  name: "slice",
  infer([x], { ranges }) {
    checkRanges("slice", ranges, x!.shape, x!);
    return [{ shape: ranges.map((range) => range.count), dtype: x!.dtype }];
  },
  vjp: ({ grad, inputs: [x], attrs: { ranges } }) => [apply1(unsliceOp, [grad], { ranges, shape: x!.shape })],
  lower(context, [x], { attrs: { ranges }, inputs: [spec] }) {
    const cut = ranges.flatMap((range, axis) =>
      isWhole(range, spec!.shape[axis]!) ? [] : [{ ...range, axis }],
    );
    const emit = (value: string, boxes: readonly (SliceRange & { readonly axis: number })[]) =>
      context.emit("Slice", [
        value,
        context.ints(boxes.map((box) => box.start)),
        // An end before the first element is written as the most negative index, since -1 would mean the last element.
        context.ints(
          boxes.map(({ start, count, step }) => {
            const end = start + (count - 1) * step + Math.sign(step);
            return end < 0 ? -(2 ** 31) : end;
          }),
        ),
        context.ints(boxes.map((box) => box.axis)),
        context.ints(boxes.map((box) => box.step)),
      ]);
    // ONNX Runtime 1.30 on WebGPU starts every backward slice at the last element, whatever it is told: make that right.
    const late = cut.filter(({ start, step, axis }) => step < 0 && start < spec!.shape[axis]! - 1);
    if (late.length === 0) return emit(x!, cut);
    const [upToStart] = emit(
      x!,
      late.map(({ start, axis }) => ({ start: 0, count: start + 1, step: 1, axis })),
    );
    return emit(upToStart!, cut);
  },
  evaluate([x], { ranges }, [out]) {
    const data = new Float64Array(sizeOf(out!.shape));
    forEachSliced(ranges, x!.shape, (at, from) => (data[at] = x!.data[from]!));
    return [{ shape: out!.shape, data }];
  },
  place: stretches(({ inputs }) => inputs[0]!.shape),
  macs: null,
  traits: { cheap: true, handsOn: true },
});

/** The adjoint of slice: writes a tensor into a strided box of zeros. */
export const unsliceOp: OpDefinition<UnsliceAttrs> = defineOp<UnsliceAttrs>({
  name: "unslice",
  infer([x], { ranges, shape }) {
    requireFloat("unslice", [x!]);
    checkRanges("unslice", ranges, shape, x!);
    if (ranges.some(({ count }, axis) => count !== x!.shape[axis]))
      throw shapeError(
        "unslice",
        `ranges hold [${ranges.map(({ count }) => count).join(",")}] elements`,
        [x!],
        "Counts must be the shape of the tensor.",
      );
    return [{ shape, dtype: "float32" }];
  },
  vjp: ({ grad, attrs: { ranges } }) => [apply1(sliceOp, [grad], { ranges })],
  lower(context, [x], { attrs: { ranges, shape } }) {
    const rank = shape.length;
    let value = x!;
    const reversed = ranges.flatMap((range, axis) => (range.step < 0 ? [axis] : []));
    if (reversed.length > 0)
      [value] = context.emit("Slice", [
        value,
        context.ints(reversed.map(() => -1)),
        context.ints(reversed.map(() => -(2 ** 31))),
        context.ints(reversed),
        context.ints(reversed.map(() => -1)),
      ]) as [string];
    // Strides: [.., n, ..] -> [.., n, 1, ..], pad the unit axis to the step, merge, and cut the surplus by negative pads.
    const steps = ranges.map((range) => Math.abs(range.step));
    const strided = steps.flatMap((step, axis) => (step > 1 ? [axis] : []));
    const extents = ranges.map((range) => range.count);
    for (const axis of strided) {
      const step = steps[axis]!;
      const opened = [...extents.slice(0, axis + 1), 1, ...extents.slice(axis + 1)];
      [value] = context.emit("Reshape", [value, context.shape(opened)]) as [string];
      const pads = new Array<number>(2 * opened.length).fill(0);
      pads[opened.length + axis + 1] = step - 1;
      [value] = context.emit("Pad", [value, context.ints(pads)]) as [string];
      extents[axis] = extents[axis]! * step;
      [value] = context.emit("Reshape", [value, context.shape(extents)]) as [string];
    }
    const before = ranges.map(({ start, count, step }) => (step < 0 ? start + (count - 1) * step : start));
    const after = before.map((pad, axis) => shape[axis]! - pad - extents[axis]!);
    if ([...before, ...after].every((pad) => pad === 0)) return [value];
    invariant(before.length === rank, "unslice keeps the rank");
    return context.emit("Pad", [value, context.ints([...before, ...after])]);
  },
  evaluate([x], { ranges, shape }) {
    const data = new Float64Array(sizeOf(shape));
    forEachSliced(ranges, shape, (at, from) => (data[from] = x!.data[at]!));
    return [{ shape, data }];
  },
  place: stretches(({ outputs }) => outputs[0]!.shape),
  macs: null,
  traits: { handsOn: true },
});

/**
 * The box `start[i] <= index < end[i]` (end exclusive; negative values count from the end), optionally strided.
 * Axes beyond the given ones are whole.
 * @throws GraphError when a range leaves the tensor or is empty.
 */
export function slice(
  x: Tensor,
  start: readonly number[],
  end: readonly number[],
  steps: readonly number[] = [],
): Tensor {
  const ranges = x.shape.map((extent, axis): SliceRange => {
    const from = start[axis] ?? 0;
    const to = end[axis] ?? extent;
    const step = steps[axis] ?? 1;
    const first = from < 0 ? from + extent : from;
    const stop = to < 0 ? to + extent : to;
    return { start: first, count: Math.ceil((stop - first) / step), step };
  });
  return sliceRanges(x, ranges);
}

/** {@link slice} by explicit ranges, one an axis. */
export function sliceRanges(x: Tensor, ranges: readonly SliceRange[]): Tensor {
  const whole = ranges.length === x.rank && ranges.every((range, axis) => isWhole(range, x.shape[axis]!));
  return whole ? x : apply1(sliceOp, [x], { ranges });
}

/** The indices `start..start+count-1` of one axis. */
export function narrow(x: Tensor, axis: number, start: number, count: number): Tensor {
  const at = axis < 0 ? axis + x.rank : axis;
  return sliceRanges(
    x,
    x.shape.map((n, i) => (i === at ? { start, count, step: 1 } : { start: 0, count: n, step: 1 })),
  );
}

/** Reverses the given axes. */
export function flip(x: Tensor, axes: readonly number[]): Tensor {
  const which = new Set(axes.map((axis) => (axis < 0 ? axis + x.rank : axis)));
  return sliceRanges(
    x,
    x.shape.map((n, i) =>
      which.has(i) ? { start: n - 1, count: n, step: -1 } : { start: 0, count: n, step: 1 },
    ),
  );
}

/**
 * Writes `x` into zeros of `shape` at the strided box `ranges`: the adjoint of {@link sliceRanges}.
 * @throws GraphError when a range leaves `shape`.
 */
export function unslice(x: Tensor, ranges: readonly SliceRange[], shape: Shape): Tensor {
  return apply1(unsliceOp, [x], { ranges, shape });
}
