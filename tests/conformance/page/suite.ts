/** @module What the conformance run calls in the page, as `conformance`: a check by its number. */
import { type Backend, compile, mul } from "onnxgrad";
import { web } from "onnxgrad/web";
import { CHECKS, type Outcome, runCheck } from "../checks.ts";

let backend: Backend | undefined;
let strict: Backend | undefined;

const conformance = {
  /** Chooses where the checks run. */
  async use(provider: "wasm" | "webgpu", threads: number): Promise<string> {
    backend = web({ provider, threads });
    if (provider === "webgpu") strict = web({ provider, threads, cpuFallback: false });
    // Never disposed of: with its last session ONNX Runtime would close the GPU and forget the compiled shaders.
    await compile(backend, { inputs: { x: [1] } }, ({ x }) => ({ y: mul(x, 2) }));
    return backend.name;
  },

  check: (number: number): Promise<Outcome> => runCheck(CHECKS[number]!, backend!, strict),
};
export type Conformance = typeof conformance;
(globalThis as unknown as { conformance: Conformance }).conformance = conformance;
