/**
 * @module What makes a {@link CompiledSampler} of compiled networks: callers that overlap take turns, and get arrays of
 * their own unless they have the networks alone.
 */
import { Lifetime, type RunOptions } from "onnxgrad";
import type { Coefficients, Formulation } from "../diffusion/preconditioning.ts";
import type { CompiledSampler, SamplerNetworks } from "./system.ts";

/** A compiled program of inputs and one output. */
interface Runs<Feeds, Output extends string> {
  run(feeds: Feeds, options?: RunOptions): Promise<Readonly<Record<Output, Float32Array>>>;
  dispose(): Promise<void>;
}

/** The programs of a sampler. */
export interface SamplerPrograms {
  readonly batch: number;
  /** Of the low band, preconditioned by `formulation`. */
  readonly denoiser: Runs<{ readonly x: Float32Array } & Coefficients, "denoised">;
  readonly formulation: Formulation;
  /** Standardised low band to the coarsest image. */
  readonly start: Runs<{ readonly low: Float32Array }, "image">;
  /** From the coarsest to the finest: an image to the next finer one, by noise that is drawn into `noise`. */
  readonly refinements: readonly {
    readonly level: number;
    readonly program: Runs<{ readonly low: Float32Array; readonly noise: Float32Array }, "image">;
    readonly noise: Float32Array;
  }[];
}

/** A sampler over programs, of which it disposes. */
export function compiledSampler(programs: SamplerPrograms): CompiledSampler {
  const { batch, denoiser, start, refinements } = programs;
  const networks = networksOf(programs);
  const lifetime = new Lifetime({
    what: "sampler",
    again: "Create another",
    async free() {
      const all = [denoiser, start, ...refinements.map(({ program }) => program)];
      await Promise.all(all.map((program) => program.dispose()));
    },
  });
  const owned = (call: () => Promise<Float32Array>): Promise<Float32Array> =>
    lifetime.run(async () => (await call()).slice());
  return {
    batch,
    detailCalls: refinements.length,
    denoise(x, sigma) {
      const given = x.slice();
      return owned(() => networks.denoise(given, sigma));
    },
    decode(low, noise) {
      const given = low.slice();
      return owned(() => networks.decode(given, noise));
    },
    alone: (task) => lifetime.run(() => task(networks)),
    dispose: () => lifetime.dispose(),
  };
}

/** Networks that read what they are given where it lies, and reuse what they return. */
function networksOf({ denoiser, formulation, start, refinements }: SamplerPrograms): SamplerNetworks {
  const reuse = { reuse: true };
  return {
    denoise: async (x, sigma) =>
      (await denoiser.run({ x, ...formulation.coefficients(sigma) }, reuse)).denoised,
    async decode(low, draw) {
      let { image } = await start.run({ low }, reuse);
      for (const { level, program, noise } of refinements) {
        draw(level, noise);
        ({ image } = await program.run({ low: image, noise }, reuse));
      }
      return image;
    },
  };
}
