/**
 * @module What makes a {@link CompiledSampler} of compiled networks: callers that overlap take turns, and get arrays of
 * their own unless they have the networks alone.
 */
import { Lifetime } from "onnxgrad";
import type { CompiledSampler, SamplerNetworks } from "./system.ts";

/** Networks that work on arrays of their own, and what they are made of. */
export interface SamplerParts extends Pick<CompiledSampler, "batch" | "detailCalls"> {
  /** Both read what they are given where it lies, and may reuse what they return. */
  readonly networks: SamplerNetworks;
  readonly programs: readonly { dispose(): Promise<void> }[];
}

/** A sampler over `parts`, whose programs it disposes of. */
export function compiledSampler({ batch, detailCalls, networks, programs }: SamplerParts): CompiledSampler {
  const lifetime = new Lifetime({
    what: "sampler",
    again: "Create another",
    async free() {
      await Promise.all(programs.map((program) => program.dispose()));
    },
  });
  const owned = async (call: () => Promise<Float32Array>): Promise<Float32Array> =>
    lifetime.run(async () => (await call()).slice());
  return {
    batch,
    detailCalls,
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
