/** @module The rule of `import-rules.ts` for Pad. */
import { quoteName } from "../errors.ts";
import { broadcastTo } from "../ops/sum.ts";
import { concat } from "../ops/concat.ts";
import { padReflect, padZero } from "../ops/pad.ts";
import { narrow } from "../ops/slice.ts";
import { constant } from "../ops/source.ts";
import type { Tensor } from "../trace/tensor.ts";
import { axesOf, type ImportContext, intsOf, knownScalar, knownValues, type Rule } from "./import-node.ts";

type Pairs = readonly (readonly [before: number, after: number])[];

/** What is added on each side of an axis; `[before, after]` of the places in `x`. */
type Border = (x: Tensor, axis: number, amount: number, isAfter: boolean) => Tensor;

const repeated = (x: Tensor, axis: number, amount: number): Tensor =>
  broadcastTo(
    x,
    x.shape.map((n, i) => (i === axis ? amount : n)),
  );

/** The value everywhere. */
const constantBorder =
  (value: number): Border =>
  (x, axis, amount) =>
    broadcastTo(
      constant(value),
      x.shape.map((n, i) => (i === axis ? amount : n)),
    );

/** The outermost element. */
const edgeBorder: Border = (x, axis, amount, isAfter) =>
  repeated(narrow(x, axis, isAfter ? x.shape[axis]! - 1 : 0, 1), axis, amount);

/** What lies at the other side. */
const wrapBorder: Border = (x, axis, amount, isAfter) =>
  narrow(x, axis, isAfter ? 0 : x.shape[axis]! - amount, amount);

function withBorders(x: Tensor, pairs: Pairs, border: Border): Tensor {
  return pairs.reduce(
    (padded, [before, after], axis) =>
      before === 0 && after === 0
        ? padded
        : concat(
            [
              ...(before > 0 ? [border(padded, axis, before, false)] : []),
              padded,
              ...(after > 0 ? [border(padded, axis, after, true)] : []),
            ],
            axis,
          ),
    x,
  );
}

function pairsOf(node: ImportContext, rank: number): Pairs {
  const pads = intsOf(node, "pads", 1) ?? [];
  const axes = node.inputs[3] === undefined ? undefined : axesOf(node, knownValues(node, 3), rank);
  const count = axes?.length ?? rank;
  if (pads.length !== 2 * count) node.fail(`has ${pads.length} pads for ${count} axes`);
  if (pads.some((n) => !Number.isSafeInteger(n))) node.fail("a pad is too large");
  return Array.from({ length: rank }, (_, axis): readonly [number, number] => {
    const i = axes === undefined ? axis : axes.indexOf(axis);
    return i < 0 ? [0, 0] : [pads[i]!, pads[i + count]!];
  });
}

/** Negative pads take away. */
function cropped(node: ImportContext, x: Tensor, pairs: Pairs): Tensor {
  return pairs.reduce((kept, [before, after], axis) => {
    const [from, to] = [Math.max(0, -before), Math.max(0, -after)];
    const count = x.shape[axis]! - from - to;
    return count < 1 ? node.fail(`nothing is left of axis ${axis}`) : narrow(kept, axis, from, count);
  }, x);
}

export const padRule: Rule = (node) => {
  const x = node.input(0);
  const pairs = pairsOf(node, x.rank);
  const mode = node.string("mode", "constant");
  const value = node.inputs[2] === undefined ? node.float("value", 0) : knownScalar(node, 2);
  if (mode !== "constant" && pairs.flat().some((n) => n < 0))
    node.fail(`negative pads with mode "${mode}" are not supported`);
  const beyond = (most: (extent: number) => number) =>
    pairs.findIndex((pair, axis) => Math.max(...pair) > most(x.shape[axis]!));
  switch (mode) {
    case "constant": {
      const kept = cropped(node, x, pairs);
      const added = pairs.map(([before, after]) => [Math.max(0, before), Math.max(0, after)] as const);
      return value === 0 ? padZero(kept, added) : withBorders(kept, added, constantBorder(value));
    }
    case "reflect": {
      const axis = beyond((extent) => extent - 1);
      return axis < 0
        ? padReflect(x, pairs)
        : node.fail(`pads ${pairs[axis]!.join(" and ")} reflect more than axis ${axis} has`);
    }
    case "edge":
      return withBorders(x, pairs, edgeBorder);
    case "wrap": {
      if (node.opset < 19) break;
      const axis = beyond((extent) => extent);
      return axis < 0
        ? withBorders(x, pairs, wrapBorder)
        : node.fail(`pads ${pairs[axis]!.join(" and ")} wrap more than axis ${axis} has`);
    }
  }
  return node.fail(`attribute "mode" has no value ${quoteName(mode)} in operator set ${node.opset}`);
};
