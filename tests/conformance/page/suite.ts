/** @module What the conformance run calls in the page, as `conformance`: a check by its number, and the default preset. */
import type { Backend } from "onnxgrad";
import { web } from "onnxgrad/web";
import { CHECKS, type Outcome, runCheck } from "../checks.ts";
import { type DemoImages, drawDemo } from "../demo-sampler.ts";
import { type StepReport, stepWmgm } from "../wmgm-step.ts";

let backend: Backend | undefined;
let strict: Backend | undefined;

const conformance = {
  /** Chooses where the checks run. */
  use(provider: "wasm" | "webgpu", threads: number): string {
    backend = web({ provider, threads });
    if (provider === "webgpu") strict = web({ provider, threads, cpuFallback: false });
    return backend.name;
  },

  check: (number: number): Promise<Outcome> => runCheck(CHECKS[number]!, backend!, strict),

  draw: (): Promise<DemoImages> => drawDemo(backend!),

  step: (): Promise<StepReport> => stepWmgm(backend!),
};
export type Conformance = typeof conformance;
(globalThis as unknown as { conformance: Conformance }).conformance = conformance;
