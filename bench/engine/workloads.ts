/** @module The workloads of the engine bench, by name. */
import { edmUnet } from "./edm-unet.ts";
import type { Workload } from "./workload.ts";

/** In the order of the table. */
export const WORKLOADS: readonly Workload[] = [edmUnet];

/** The workload called `name`. @throws Error when there is none. */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((each) => each.name === name);
  if (found === undefined)
    throw new Error(`unknown workload: "${name}". Known: ${WORKLOADS.map((each) => each.name).join(", ")}.`);
  return found;
}
