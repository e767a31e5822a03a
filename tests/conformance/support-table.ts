/** @module Writes `docs/support.md` from the data that the conformance run holds to. */
import { type Check, CHECKS } from "./checks.ts";
import { ALLOWANCES, DETOURS, GAPS, type Provider, PROVIDERS } from "./gaps.ts";
import { TRAINING_RUNS } from "./training-runs.ts";

/** The page. */
export function supportPage(): string {
  return `# Where what runs

Made by \`npm run support\`, which runs the conformance table; do not edit by hand. Every provider is asked the same ${CHECKS.length} questions: each operation at several shapes and attributes, its gradient, the gradient of that gradient, and ${TRAINING_RUNS.length} short training runs. Answers are compared with a float64 interpreter. What fails is listed here with its reason, and a failure that has gone away fails the run too.

${table(
  ["provider", "how", "what was tested"],
  PROVIDERS.map(({ name, backend, what }) => [name, `\`${backend}\``, what]),
)}

**yes**: right, forward and with both gradients. **yes (2 CPU)**: right, but in two of the cases something leaves the device for the CPU, with a copy each way; the reasons are [below](#left-to-the-cpu). **no**: see [gaps](#gaps).

## Training runs

${table(
  ["run", "what it exercises", ...PROVIDERS.map(({ name }) => name)],
  TRAINING_RUNS.map(({ name, what }) => [name, what, ...cells([`training / ${name}`])]),
)}

On WebGPU **yes** says too that nothing of the step leaves the device: parameters, moments and averages go there once and come back only when asked for.

The default preset of subband trains on every provider as on the CPU, and the sampler of \`subband demo\` draws the same images, compiled and as one exported file: no node of a model written here reads and writes more than 8 values together, which is what every WebGPU can bind to a shader, and the device in Chromium is asked for no more. Programs compiled for a CPU have no such limit.

## Operations

${table(["operation", "cases", ...PROVIDERS.map(({ name }) => name)], operations())}

## Gaps

${list(GAPS.map(({ providers, checks, parts, reason }) => `${providers.join(", ")}: \`${checks.join("`, `")}\` (${parts.join(", ")}). ${reason}`))}

Coarser than elsewhere, as permitted:

${list(ALLOWANCES.map(({ providers, subjects, reason }) => `${providers.join(", ")}: ${subjects.join(", ")}. ${reason}`))}

## Left to the CPU

${list(DETOURS.map(({ providers, checks, reason }) => `${providers.join(", ")}: ${reason} Cases: ${checks.map((id) => `\`${id}\``).join(", ")}.`))}

With \`cpuFallback: false\` such a model is refused instead.

## WebGPU without a GPU

Debian's \`chromium\` brings SwiftShader, a GPU in software. It is slow, but it is right, and enough for tests:

\`\`\`sh
apt-get install chromium libvulkan1
export VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json
\`\`\`

## State on a device

On WebGPU the state stays in buffers of the GPU, two for each array, which steps read and write in turn. \`await state.pull()\` copies it to the host, once for every run since; \`tree()\` and \`tensors()\` then show it, and say so where it was forgotten. \`readEvery\` of \`compile\` brings the outputs back on every k-th run only. Steps are queued on the GPU faster than it computes, and only reading waits for it: leave a run of many steps no longer unread than its queued batches may take memory.

The GPU is ONNX Runtime's for the whole process, and it bears one thread at a time. A step in a worker thread beside one in the main thread, or two workers, ended the process by a signal (onnxruntime-node 1.30 on SwiftShader, in each of three tries); taking turns worked in each of ten. So a session on WebGPU is refused while another thread has one (\`webgpu/thread\`).

\`Tensor.getData()\` of onnxruntime-node 1.30 must not be called on a GPU tensor: it is a stub that throws a C++ string, which nothing can catch, and the process aborts. onnxgrad reads by a model that hands its input through, with its output on the host.
`;
}

/** One row an operation. */
function operations(): string[][] {
  const subjects = new Map<string, Check[]>();
  for (const check of CHECKS)
    if (check.case) subjects.set(check.subject, [...(subjects.get(check.subject) ?? []), check]);
  return [...subjects]
    .sort(([a], [b]) => a.localeCompare(b, "en"))
    .map(([subject, checks]) => [subject, String(checks.length), ...cells(checks.map(({ id }) => id))]);
}

/** What each provider makes of these checks. */
function cells(ids: readonly string[]): string[] {
  return PROVIDERS.map(({ name }) => {
    const failing = new Set(ids.filter((id) => concerns(GAPS, name, id)));
    if (failing.size > 0) return `**no** in ${failing.size} of ${ids.length}`;
    const leaving = ids.filter((id) => concerns(DETOURS, name, id)).length;
    return leaving === 0 ? "yes" : `yes (${leaving} CPU)`;
  });
}

type Entry = { readonly providers: readonly Provider[]; readonly checks: readonly string[] };

function concerns(entries: readonly Entry[], provider: Provider, id: string): boolean {
  return entries.some((each) => each.providers.includes(provider) && each.checks.includes(id));
}

/** A Markdown table with aligned columns. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]!.length), 3));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join("\n");
