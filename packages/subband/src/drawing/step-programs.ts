/** @module The programs that a draw step runs, with their inputs: what the host loop compiles, and what is reckoned from. */
import { type InputSpec, scope, type StateTree, type Tensor, type Traced } from "onnxgrad";
import type { Apply, At, Diffuse, Extents } from "../systems/draw.ts";

/** What a program is traced with: the weights of its step, and its inputs by name. */
type StepArguments = { readonly state: Traced<StateTree> } & Readonly<Record<string, Tensor>>;

/** A function of arrays by name, over the weights of its step, as `compile` takes it. */
export interface StepProgram {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  build(args: StepArguments): { readonly result: Tensor };
}

/**
 * What a diffusion runs, for a batch: `predict` at every call of its plan, `finish` once; `given` is what the step before
 * gives of one image. Their input is called `x`.
 */
export function diffuseProgramsOf(
  step: Diffuse,
  given: Extents | undefined,
  batch: number,
): { readonly predict: StepProgram; readonly finish: StepProgram } {
  const x = [batch, ...step.state];
  const told = Object.keys(step.told(step.plan[0]!)).map((name) => [name, []] as const);
  const at = placed(step, given, batch);
  return {
    predict: at({ x, ...Object.fromEntries(told) }, (weights, inputs, before) =>
      step.predict(weights, inputs["x"]!, inputs, before),
    ),
    finish: at({ x }, (_, inputs, before) => step.finish(inputs["x"]!, before)),
  };
}

/** What a step runs that calls its network once, for a batch; its inputs are its noise. */
export function applyProgramOf(step: Apply, given: Extents | undefined, batch: number): StepProgram {
  const noises = Object.entries(step.noise).map(
    ([name, { extents }]) => [name, [batch, ...extents]] as const,
  );
  return placed(
    step,
    given,
    batch,
  )(Object.fromEntries(noises), (weights, inputs, before) => step.run(weights, before, inputs));
}

/** All of either, whatever it is. */
export function stepPrograms(
  step: Diffuse | Apply,
  given: Extents | undefined,
  batch: number,
): readonly StepProgram[] {
  return step.kind === "apply"
    ? [applyProgramOf(step, given, batch)]
    : Object.values(diffuseProgramsOf(step, given, batch));
}

/** Adds what the step before gave to the inputs, and the name of the step to the places that errors name. */
function placed({ name }: Diffuse | Apply, given: Extents | undefined, batch: number) {
  return (
    inputs: StepProgram["inputs"],
    build: (weights: Traced<StateTree>, inputs: Readonly<Record<string, Tensor>>, at: At) => Tensor,
  ): StepProgram => ({
    inputs: { ...inputs, ...(given && { given: [batch, ...given] }) },
    build: ({ state, ...tensors }) => ({
      result: scope(name, () => build(state, tensors, { given: tensors["given"] })),
    }),
  });
}
