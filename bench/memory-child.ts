/** @module The process that bench/memory.ts measures: trains `preset` at `size` into `out`, prints its peak as JSON. */
import { node } from "onnxgrad/node";
import { trainRun } from "../packages/subband/src/training/train-run.ts";

const [preset = "", size = "", out = ""] = process.argv.slice(2);
/** Enough for every program of every stage to run: twelve steps of the largest batch. */
const IMAGES = 12 * 64;

const steps: Record<string, number> = {};
await trainRun(
  {
    out,
    data: "faces",
    preset,
    size: { height: Number(size), width: Number(size) },
    images: IMAGES,
    limit: 1024,
  },
  node({ threads: 2 }),
  {
    onEvent(event) {
      if (event.kind === "step") steps[event.stage] = event.step;
    },
  },
  undefined,
  { previews: [1] },
);
process.stdout.write(JSON.stringify({ maxRss: 1024 * process.resourceUsage().maxRSS, steps }));
