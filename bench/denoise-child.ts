/**
 * @module The process of our side of bench/denoise.ts, so that memory and processor time are its own: answers `setup
 * {...}`, `run k` and `memory` (peak resident bytes) with a line of JSON each, as the peers do.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { decodeSafetensors, encodeSafetensors } from "onnxgrad";
import { node } from "onnxgrad/node";
import { compileDenoiser } from "../packages/subband/src/systems/parts/local/denoiser.ts";
import { restoreModel } from "../packages/subband/src/systems/parts/local/model.ts";
import { inProcess, type Side } from "./harness.ts";

/** What `setup` takes. */
export interface DenoiseSettings {
  /** Safetensors of the model as stored, and of the tiles, `noisy`; ours are added as `denoised` where `write` is true. */
  readonly tensors: string;
  /** Of the model as stored. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly write: boolean;
}

let side: Side | undefined;

async function setup({ tensors: file, metadata, threads, write }: DenoiseSettings): Promise<object> {
  const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(file)));
  const stored = new Map(tensors);
  const noisy = stored.get("noisy")!;
  stored.delete("noisy");
  stored.delete("denoised");
  const model = restoreModel({ tensors: stored, metadata });
  const shape = noisy.shape as readonly [number, number, number, number];
  const started = performance.now();
  const denoiser = await compileDenoiser(node({ threads }), model, shape, { reuse: true });
  const compileMs = performance.now() - started;
  const { image } = await denoiser.run(noisy.data);
  if (write) {
    const all = new Map(tensors).set("denoised", { shape, data: image.slice() });
    writeFileSync(file, encodeSafetensors({ tensors: all, metadata: {} }));
  }
  side = inProcess(() => denoiser.run(noisy.data));
  return { compileMs };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...rest] = line.split(" ");
  const argument = rest.join(" ");
  const answer =
    command === "setup"
      ? await setup(JSON.parse(argument) as DenoiseSettings)
      : command === "run"
        ? await side!.run(Number(argument))
        : { peakBytes: 1024 * process.resourceUsage().maxRSS };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
