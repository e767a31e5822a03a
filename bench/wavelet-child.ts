/**
 * @module The process of our side of bench/wavelet.ts, so that the heap that the collector walks holds the transform and
 * little else: answers `setup {"wavelet", "mode"}` and `run k` with a line of JSON each, as the peer does.
 */
import { createInterface } from "node:readline";
import type { BoundaryMode } from "../packages/subband/src/wavelet/boundary-modes.ts";
import { planes } from "../packages/subband/src/wavelet/planes.ts";
import { wavedec2 } from "../packages/subband/src/wavelet/wavedec.ts";
import { inProcess } from "./harness.ts";

// The peer computes the same image.
const samples = Float32Array.from({ length: 3 * 512 * 512 }, (_, i) => (((7919 * i) % 101) - 50) / 8);
const image = planes(samples, [3, 512, 512]);

let transform = () => wavedec2(image, "haar", "periodization", 3);

for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument = ""] = line.split(" ");
  let answer: object;
  if (command === "setup") {
    const { wavelet, mode } = JSON.parse(argument) as { wavelet: string; mode: BoundaryMode };
    transform = () => wavedec2(image, wavelet, mode, 3);
    const energy = transform()
      .flat()
      .map(({ data }) => data.reduce((sum, x) => sum + x * x, 0));
    answer = { energy };
  } else answer = await inProcess(transform).run(Number(argument));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
