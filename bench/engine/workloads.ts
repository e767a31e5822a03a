/** @module The workloads of the engine bench, by name. */
import { attentionGateUnet } from "./attention-gate-unet.ts";
import { biasFreeCnn } from "./bias-free-cnn.ts";
import { edmUnet } from "./edm-unet.ts";
import { r1Discriminator } from "./r1-discriminator.ts";
import type { Workload } from "./workload.ts";

/** In the order of the table. */
export const WORKLOADS: readonly Workload[] = [edmUnet, attentionGateUnet, biasFreeCnn, r1Discriminator];

/** The workload called `name`. @throws Error when there is none. */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((each) => each.name === name);
  if (found === undefined)
    throw new Error(`unknown workload: "${name}". Known: ${WORKLOADS.map((each) => each.name).join(", ")}.`);
  return found;
}
