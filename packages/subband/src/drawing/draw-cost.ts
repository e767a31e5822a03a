/** @module What drawing an image costs, counted on the traced steps: parameters, network calls and multiply-accumulates. */
import { input, isNdArray, Packed, type StateTree, type Tensor, type Traced, treeMap } from "onnxgrad";
import { countMacs } from "../nn/gmac.ts";
import type { DrawStep, Extents, Weights } from "../systems/draw.ts";

/** Cost of one step. */
export interface StepCost {
  readonly name: string;
  /** The network that it runs. */
  readonly weights: Weights;
  /** Calls of the network for an image. */
  readonly calls: number;
  /** Billions of multiply-accumulates of one call for one image. */
  readonly gmac: number;
}

/** Costs of the steps of a chain that can be counted: what stops by itself is left out. */
export function drawCost(steps: readonly DrawStep[]): readonly StepCost[] {
  return steps.flatMap((step, i): StepCost[] => {
    if (step.kind === "host") return [];
    const { name, weights } = step;
    const before = steps[i - 1];
    const one = (what: string, extents: Extents): Tensor => input(what, [1, ...extents]);
    const at = { given: before && one("given", before.gives) };
    const params = asInputs(weights.template());
    if (step.kind === "apply") {
      const noise = Object.entries(step.noise).map(
        ([each, { extents }]) => [each, one(each, extents)] as const,
      );
      return [{ name, weights, calls: 1, gmac: gmacOf(step.run(params, at, Object.fromEntries(noise))) }];
    }
    const told = Object.keys(step.told(step.plan[0]!)).map((each) => [each, input(each, [])] as const);
    const gmac = gmacOf(step.predict(params, one("x", step.state), Object.fromEntries(told), at));
    return [{ name, weights, calls: step.plan.length, gmac }];
  });
}

/** Numbers of a network that a checkpoint holds: parameters, and running statistics where there are any. */
export function parametersOf(weights: Weights): number {
  const count = (value: StateTree): number =>
    value instanceof Packed || isNdArray(value)
      ? value.data.length
      : Object.values(value).reduce((total, child) => total + count(child), 0);
  return count(weights.template());
}

const gmacOf = (output: Tensor): number => countMacs([output]).network / 1e9;

/** Inputs in the place of arrays, to trace what is only counted. */
function asInputs(tree: StateTree): Traced<StateTree> {
  const symbol = ({ shape }: { readonly shape: Extents }, name: string): Tensor =>
    input(name || "array", shape);
  const visit = (value: StateTree): unknown =>
    value instanceof Packed
      ? treeMap(value.tree, isNdArray, symbol)
      : isNdArray(value)
        ? symbol(value, "")
        : Object.fromEntries(Object.entries(value).map(([key, child]) => [key, visit(child)]));
  return visit(tree) as Traced<StateTree>;
}
