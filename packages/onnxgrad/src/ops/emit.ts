/** @module Short forms for lowerings: nodes of one output, by the name of that. */
import type { Shape } from "../trace/tensor.ts";
import type { LowerContext } from "./define-op.ts";

/** A node of one output. */
export const emit1 = (context: LowerContext, ...args: Parameters<LowerContext["emit"]>): string =>
  context.emit(...args)[0]!;

/** The same numbers as `dims`. */
export const reshaped = (context: LowerContext, value: string, dims: Shape): string =>
  emit1(context, "Reshape", [value, context.shape(dims)]);

/** Axis i of the result is axis `perm[i]` of the value. */
export const transposed = (context: LowerContext, value: string, perm: readonly number[]): string =>
  emit1(context, "Transpose", [value], { attrs: { perm: perm.map(BigInt) } });

/** Values one after the other along an axis: by one Concat, or by Concats of Concats where a node may not take as many. */
export function joined(context: LowerContext, values: readonly string[], axis: number): string {
  if (values.length === 1) return values[0]!;
  const parts = inGroups(values, context.mostValues - 1).map((group) => joined(context, group, axis));
  return emit1(context, "Concat", parts, { attrs: { axis: BigInt(axis) } });
}

/** A value cut into parts of these sizes: by one Split, or by Splits of what a Split gives. */
export function parted(
  context: LowerContext,
  value: string,
  sizes: readonly number[],
  axis: number,
): readonly string[] {
  if (sizes.length === 1) return [value];
  const groups = inGroups(sizes, context.mostValues - 2);
  const parts = context.emit("Split", [value, context.sums(groups)], {
    outputs: groups.length,
    attrs: { axis: BigInt(axis) },
  });
  return parts.flatMap((part, i) => parted(context, part, groups[i]!, axis));
}

/** At most `most` groups of neighbours, as even as can be. */
function inGroups<T>(items: readonly T[], most: number): readonly (readonly T[])[] {
  const count = Math.min(items.length, most);
  const start = (group: number) => Math.floor((group * items.length) / count);
  return Array.from({ length: count }, (_, group) => items.slice(start(group), start(group + 1)));
}

/** Entries of an axis up to which a product with the identity costs little. */
const FEW = 16;

/**
 * [a, b, c] -> [a, c, b]. Where b or c are few, such as the taps of a kernel, by a product with the identity, with which
 * ONNX Runtime merges the transposition: on two threads that takes half the time of the transposition, which uses one.
 */
export function swapped(context: LowerContext, value: string, [, b, c]: Shape): string {
  const turned = transposed(context, value, [0, 2, 1]);
  const few = Math.min(b!, c!);
  if (context.processor !== "cpu" || few > FEW || context.isFixed(value)) return turned;
  const identity = Float32Array.from({ length: few * few }, (_, i) => (i % (few + 1) === 0 ? 1 : 0));
  const one = context.floats([few, few], identity);
  return emit1(context, "MatMul", few === c ? [one, turned] : [turned, one]);
}

/** The entries of an axis of this length, the last first: a Slice that walks backwards takes three times as long. */
export function reversed(context: LowerContext, value: string, axis: number, length: number): string {
  if (length === 1) return value;
  const order = context.ints(Array.from({ length }, (_, i) => length - 1 - i));
  return emit1(context, "Gather", [value, order], { attrs: { axis: BigInt(axis) } });
}
