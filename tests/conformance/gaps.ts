/**
 * @module The providers, and what is known to be missing on each: the data that the conformance run holds to, and from
 * which `docs/support.md` is made. A gap that has closed fails the run as well as one that has opened.
 */
import type { Outcome, Part } from "./checks.ts";

/** A provider by the name of its backend. */
export type Provider = "node-cpu" | "node-webgpu" | "web-wasm" | "web-webgpu";

/** Who runs the checks where; the columns of the support table. */
export const PROVIDERS: readonly {
  readonly name: Provider;
  /** What one writes for it. */
  readonly backend: string;
  readonly what: string;
}[] = [
  { name: "node-cpu", backend: "node()", what: "Node, native code on the CPU" },
  {
    name: "node-webgpu",
    backend: 'node({ provider: "webgpu" })',
    what: "Node, native WebGPU; here on SwiftShader",
  },
  { name: "web-wasm", backend: "web()", what: "Chromium, WebAssembly on two threads" },
  {
    name: "web-webgpu",
    backend: 'web({ provider: "webgpu" })',
    what: "Chromium, its WebGPU; here on SwiftShader",
  },
];

const WEBGPU: readonly Provider[] = ["node-webgpu", "web-webgpu"];

/** Checks of which parts give a wrong result or none. */
export interface Gap {
  readonly providers: readonly Provider[];
  readonly checks: readonly string[];
  readonly parts: readonly Part[];
  readonly reason: string;
}

/** Wrong or missing. */
export const GAPS: readonly Gap[] = [
  {
    providers: WEBGPU,
    checks: ["pow / both broadcast"],
    parts: ["forward", "gradient", "second order"],
    reason:
      "ONNX Runtime 1.30 writes an invalid shader for Pow where only one operand's last extent is a multiple of four and both are broadcast.",
  },
];

/** Operations whose results a provider may round more coarsely than float32 arithmetic does. */
export interface Allowance {
  readonly providers: readonly Provider[];
  readonly subjects: readonly string[];
  /** Absolute error allowed, in parts of the largest element, or of 1 where that is larger. */
  readonly atol: number;
  readonly reason: string;
}

/** Coarser, as the standard of the provider permits. */
export const ALLOWANCES: readonly Allowance[] = [
  {
    providers: WEBGPU,
    subjects: ["sin", "cos"],
    atol: 2 ** -11,
    reason:
      "WGSL promises sine and cosine to an absolute error of 2^-11 within [-pi, pi]; SwiftShader makes use of it.",
  },
];

/** The absolute tolerance that a provider has for an operation, in parts of the largest element. */
export function toleranceOf(provider: string, subject: string): number {
  const found = ALLOWANCES.find(
    (each) => each.subjects.includes(subject) && each.providers.some((name) => name === provider),
  );
  // float32 has 24 bits; sums cancel.
  return found?.atol ?? 2e-6;
}

/** Checks that pass, partly on the CPU: operations that the device lacks are done there, with a copy each way. */
export interface Detour {
  readonly providers: readonly Provider[];
  readonly checks: readonly string[];
  readonly reason: string;
}

/** Right, but not wholly on the device. */
export const DETOURS: readonly Detour[] = [
  {
    providers: WEBGPU,
    reason:
      "WebGPU has no int64 arithmetic: comparisons, casts, slices and indices of integers are done on the CPU.",
    checks: [
      "input / int64",
      ...["equal", "less", "greater", "lessEqual", "greaterEqual"].flatMap((name) => [
        `${name} / floats with ties`,
        `${name} / integers with ties`,
      ]),
      "cast / float to int truncates",
      "cast / int to float",
      "cast / int to bool",
      "cast / bool to int",
      "cast / int to byte",
      "cast / bytes keep their place",
      ...["[5] of 4", "[2,3] of 5", "scalar", "as embedding"].map((name) => `oneHot / ${name}`),
      "slice / integers",
      "concat / integers",
      "gather / integers",
    ],
  },
  {
    providers: WEBGPU,
    reason: "ONNX Runtime has no Round on WebGPU.",
    checks: ["round / [3,7]", "round / pixels"],
  },
  {
    providers: WEBGPU,
    reason:
      "ONNX Runtime has no scatter of repeated rows on WebGPU: it adds up gradients of gather, an embedding's.",
    checks: [
      "gather / rows",
      "gather / of a vector by a matrix",
      "gather / by a scalar",
      "scatterAdd / repeated rows",
      "scatterAdd / matrix of indices",
      "scatterAdd / by a scalar",
    ],
  },
];

/** How an outcome disagrees with the data above, one line each; nothing when it is as known. */
export function disagreements(provider: Provider, { id, failures, leavesDevice }: Outcome): string[] {
  const known = GAPS.filter((gap) => gap.providers.includes(provider) && gap.checks.includes(id));
  const parts = new Set(known.flatMap((gap) => gap.parts));
  const lines = Object.entries(failures)
    .filter(([part]) => !parts.has(part as Part))
    .map(([part, why]) => `${provider}, ${id}, ${part}: ${why}`);
  for (const part of parts)
    if (failures[part] === undefined)
      lines.push(`${provider}, ${id}, ${part}: passes, though GAPS says that it does not. Remove it there.`);
  if (leavesDevice !== undefined) {
    const expected = DETOURS.some((each) => each.providers.includes(provider) && each.checks.includes(id));
    if (leavesDevice && !expected)
      lines.push(`${provider}, ${id}: leaves the device for the CPU. Add it to DETOURS with the reason.`);
    if (!leavesDevice && expected)
      lines.push(
        `${provider}, ${id}: stays on the device, though DETOURS says that it does not. Remove it there.`,
      );
  }
  return lines;
}
