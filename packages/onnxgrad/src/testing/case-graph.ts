/**
 * @module Turns one case of the op table into a graph: its outputs, the gradient of their random projection, and the
 * gradient of a random projection of that gradient, together with the values to feed. Knows no runtime, so that any
 * provider and the float64 interpreter can be asked the same questions.
 */
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { add, mul } from "../ops/arithmetic.ts";
import { cast } from "../ops/compare.ts";
import { sum } from "../ops/sum.ts";
import { input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { type Shape, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";

/** One input of an {@link OpCase}. */
export interface CaseInput extends Spec {
  readonly dtype: "float32" | "int64";
  /** Values are uniform in [low, high); integers for int64. */
  readonly range: readonly [low: number, high: number];
  /** Whether the operation has a gradient here; float32 inputs only. */
  readonly differentiable: boolean;
}

/** One row of the op table: an operation at given shapes, ranges and attributes. */
export interface OpCase {
  readonly name: string;
  readonly inputs: readonly CaseInput[];
  readonly build: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  /** Take the gradient of the gradient too; default true. */
  readonly secondOrder?: boolean;
  /** Compare gradients with finite differences; default true, false where the case is too large for that. */
  readonly differences?: boolean;
}

/** At least one case. */
export type OpCases = readonly [OpCase, ...OpCase[]];

/** Cases by the name of what they are of. */
export type CaseTable = Readonly<Record<string, OpCases>>;

/** A value to feed. */
export interface CaseFeed {
  readonly spec: Spec & { readonly dtype: "float32" | "int64" };
  readonly values: Float64Array;
}

/** Everything that a case computes, by name; absent orders are empty. */
export interface CaseOutputs {
  /** `y0`, `y1`, ...: the outputs, cast to float32. */
  readonly forward: Readonly<Record<string, Tensor>>;
  /** `dx0`, ...: gradient of the projected outputs with respect to each differentiable input. */
  readonly first: Readonly<Record<string, Tensor>>;
  /** `ddx0`, ..., `ddg0`, ...: gradient of the projected first gradient, to the inputs and to the projection `g`. */
  readonly second: Readonly<Record<string, Tensor>>;
  /** The scalars that were differentiated: sum of y * g, and sum of dx * r. */
  readonly projections: readonly Tensor[];
}

/** A case with its values and its graph. */
export interface CaseGraph {
  /** Inputs `x0`, ...; projection weights `g0`, ... of the outputs and `r0`, ... of the gradients. */
  readonly feeds: Readonly<Record<string, CaseFeed>>;
  /** Traces the case on tensors that stand for the feeds. */
  trace(inputs: Readonly<Record<string, Tensor>>): CaseOutputs;
}

const asList = (value: Tensor | readonly Tensor[]): readonly Tensor[] =>
  Array.isArray(value) ? (value as readonly Tensor[]) : [value as Tensor];

const named = <T>(prefix: string, list: readonly T[]): Record<string, T> =>
  Object.fromEntries(list.map((value, i) => [`${prefix}${i}`, value]));

/** Sum over all pairs of sum(tensor * weight). */
function projection(tensors: readonly Tensor[], weights: readonly Tensor[]): Tensor {
  return tensors.map((tensor, i) => sum(mul(tensor, weights[i]!))).reduce((a, b) => add(a, b));
}

/** Values exactly representable in float32, so that every provider sees the same ones. */
function draw({ shape, dtype, range: [low, high] }: CaseInput, stream: string): Float64Array {
  const random = rng(1, stream);
  const value = () => low + (high - low) * random.uniform();
  return Float64Array.from({ length: sizeOf(shape) }, () =>
    dtype === "int64" ? Math.floor(value()) : Math.fround(value()),
  );
}

/** Prepares a case: draws its values from its name. */
export function caseGraph(op: string, testCase: OpCase): CaseGraph {
  const wanted = testCase.inputs.flatMap(({ differentiable }, i) => (differentiable ? [i] : []));
  const order = (testCase.secondOrder ?? true) ? 2 : 1;

  const probe = testCase.inputs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype));
  const outputs = asList(testCase.build(...probe)).filter(({ dtype }) => dtype === "float32");
  const differentiable = wanted.length > 0 && outputs.length > 0;
  const weights = (prefix: string, shapes: readonly Shape[]) =>
    named(
      prefix,
      shapes.map((shape): CaseInput => ({ shape, dtype: "float32", range: [-1, 1], differentiable: true })),
    );
  const specs: Record<string, CaseInput> = {
    ...named("x", testCase.inputs),
    ...(differentiable &&
      weights(
        "g",
        outputs.map(({ shape }) => shape),
      )),
    ...(differentiable &&
      order === 2 &&
      weights(
        "r",
        wanted.map((i) => testCase.inputs[i]!.shape),
      )),
  };
  const feeds = Object.fromEntries(
    Object.entries(specs).map(([name, spec]): [string, CaseFeed] => [
      name,
      { spec, values: draw(spec, `${op}/${testCase.name}/${name}`) },
    ]),
  );

  return {
    feeds,
    trace(given) {
      const family = (prefix: string) =>
        Object.keys(specs).flatMap((name) => (name.startsWith(prefix) ? [given[name]!] : []));
      const x = family("x");
      const y = asList(testCase.build(...x));
      const forward = named(
        "y",
        y.map((tensor) => cast(tensor, "float32")),
      );
      if (!differentiable) return { forward, first: {}, second: {}, projections: [] };

      const g = family("g");
      const targets = wanted.map((i) => x[i]!);
      const value = projection(
        y.filter(({ dtype }) => dtype === "float32"),
        g,
      );
      const dx = gradients(value, targets);
      const first = Object.fromEntries(dx.map((grad, k) => [`dx${wanted[k]}`, grad]));
      if (order === 1) return { forward, first, second: {}, projections: [value] };

      const projected = projection(dx, family("r"));
      const dd = gradients(projected, [...targets, ...g]);
      const second = Object.fromEntries(
        dd.map((grad, k) => [k < targets.length ? `ddx${wanted[k]}` : `ddg${k - targets.length}`, grad]),
      );
      return { forward, first, second, projections: [value, projected] };
    },
  };
}

/**
 * Gradient of a scalar of the graph with respect to the input `name`, by central differences in float64. The error of
 * the formula is h^2 f'''/6, that of rounding 1e-16 |f| / h: both near 1e-10 at the default step.
 */
export function finiteDifferences(
  scalar: Tensor,
  feeds: Readonly<Record<string, ArrayLike<number>>>,
  name: string,
  h = 1e-5,
): Float64Array {
  const at = Float64Array.from(feeds[name]!);
  const value = () => interpret([scalar], { ...feeds, [name]: at })[0]!.data[0]!;
  return Float64Array.from(at, (middle, i) => {
    at[i] = middle + h;
    const above = value();
    at[i] = middle - h;
    const below = value();
    at[i] = middle;
    return (above - below) / (2 * h);
  });
}
