/** @module Makes draw steps and weights; here, and nowhere else, the types of one network's arrays are put aside. */
import { layoutOf, type NamedArray, pack, State, type StateTree } from "onnxgrad";
import { requireSteps } from "../../diffusion/schedules/schedule.ts";
import { samplerNamed } from "../../diffusion/samplers/samplers.ts";
import type { Apply, Arrays, Diffuse, Draw, DrawStep, Weights } from "../draw.ts";

/** A {@link Diffuse} step. */
export function diffuse<W extends StateTree, Told extends string>(
  step: Omit<Diffuse<W, Told>, "kind">,
): DrawStep {
  return { kind: "diffuse", ...step } as unknown as Diffuse;
}

/** An {@link Apply} step. */
export function apply<W extends StateTree>(step: Omit<Apply<W>, "kind">): DrawStep {
  return { kind: "apply", ...step } as unknown as Apply;
}

/**
 * Weights that lie in a checkpoint under other names: `parts` says under which, e.g. `{ params: "low.average" }`, for each
 * part of what `template` lays out.
 */
export function stored<W extends Readonly<Record<string, StateTree>>>(
  name: string,
  parts: { readonly [K in keyof W]: string },
  template: () => W,
): Weights<W> {
  return {
    name,
    template,
    *from(arrays) {
      const state = new State<W>(layoutOf(template()));
      yield* state.loading(
        new Map(Object.entries(parts).flatMap(([part, prefix]) => under(arrays, prefix, part))),
      );
      return state;
    },
  };
}

/** The averaged parameters of a stage, whose shapes `init` tells: what most systems draw with. */
export function averaged<P>(
  name: string,
  stage: string,
  init: () => P,
): Weights<{ readonly params: ReturnType<typeof pack<P>> }> {
  return stored(name, { params: `${stage}.average` }, () => ({ params: pack(init()) }));
}

/** The arrays whose names begin with `prefix`, which `name` replaces. */
function under(arrays: Arrays, prefix: string, name: string): (readonly [string, NamedArray])[] {
  return [...arrays].flatMap(([key, array]) =>
    key.startsWith(`${prefix}.`) ? [[`${name}${key.slice(prefix.length)}`, array] as const] : [],
  );
}

/** A sampler down a schedule. */
export interface SamplerChoice {
  /** Name, e.g. `dpmpp2m`. */
  readonly sampler: string;
  readonly steps: number;
}

/** The ability to draw by any sampler, `usual` unless asked otherwise. */
export function drawBySampler(
  usual: SamplerChoice,
  steps: (chosen: SamplerChoice) => readonly DrawStep[],
): Draw<SamplerChoice> {
  return {
    choose({ sampler = usual.sampler, steps: count = usual.steps }) {
      samplerNamed(sampler);
      requireSteps(count);
      return { sampler, steps: count };
    },
    steps,
    describe: (chosen) => [["sampler", `${chosen.sampler}, ${chosen.steps} steps`]],
  };
}
