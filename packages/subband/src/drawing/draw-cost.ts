/**
 * @module What the networks of a system cost: parameters, by what its stages train, and calls and multiply-accumulates of
 * drawing an image, by the traced steps.
 */
import { input, isNdArray, Packed, State, type StateTree, type Tensor, type Traced, treeMap } from "onnxgrad";
import { countMacs } from "../nn/gmac.ts";
import type { DrawStep, Extents } from "../systems/draw.ts";
import type { Stage } from "../systems/stage.ts";

/** Cost of one step. */
export interface StepCost {
  readonly name: string;
  /** Name of the network that it runs. */
  readonly network: string;
  /** Calls of the network for an image. */
  readonly calls: number;
  /** Billions of multiply-accumulates of one call for one image. */
  readonly gmac: number;
}

/** Cost of one network. */
export interface NetworkCost {
  readonly name: string;
  /** Numbers that are learned. */
  readonly parameters: number;
  /** The steps of drawing that run it; none where only training does, or a step that cannot be counted. */
  readonly steps: readonly StepCost[];
}

/** Costs of all networks that `stages` train, of which `steps` draw. */
export function networkCosts(stages: readonly Stage[], steps: readonly DrawStep[]): readonly NetworkCost[] {
  const costs = drawCost(steps);
  return stages.flatMap((stage) => {
    const layout = stage.layout() as Readonly<Record<string, StateTree>>;
    return Object.entries(stage.networks).map(([name, part]) => ({
      name,
      parameters: sizeOf(layout[part]!),
      steps: costs.filter(({ network }) => network === name),
    }));
  });
}

/** Costs of the steps of a chain that can be counted: what stops by itself is left out. */
export function drawCost(steps: readonly DrawStep[]): readonly StepCost[] {
  return steps.flatMap((step, i): StepCost[] => {
    if (step.kind === "host") return [];
    const { name, weights } = step;
    const network = weights.name;
    const before = steps[i - 1];
    const one = (what: string, extents: Extents): Tensor => input(what, [1, ...extents]);
    const at = { given: before && one("given", before.gives) };
    const params = asInputs(weights.template());
    if (step.kind === "apply") {
      const noise = Object.entries(step.noise).map(
        ([each, { extents }]) => [each, one(each, extents)] as const,
      );
      return [{ name, network, calls: 1, gmac: gmacOf(step.run(params, at, Object.fromEntries(noise))) }];
    }
    const told = Object.keys(step.told(step.plan[0]!)).map((each) => [each, input(each, [])] as const);
    const gmac = gmacOf(step.predict(params, one("x", step.state), Object.fromEntries(told), at));
    return [{ name, network, calls: step.plan.length, gmac }];
  });
}

function sizeOf(part: StateTree): number {
  const shapes = [...new State({ part }).tensors().values()].map(({ shape }) => shape);
  return shapes.reduce((total, shape) => total + shape.reduce((a, b) => a * b, 1), 0);
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
