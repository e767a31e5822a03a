/**
 * @module Trains the classifier of CIFAR-10 on whose features `fd-cifar` is computed, and writes it as ONNX.
 *
 *   npx tsx --conditions=@subband/source examples/train-classifier.ts --epochs 10 --seed 0 --out cifar10.onnx
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { node } from "onnxgrad/node";
import { getCifar10 } from "../packages/subband/src/data/cifar10.ts";
import { accuracy, classifierModel, trainClassifier } from "./classifier/train.ts";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "10" },
    seed: { type: "string", default: "0" },
    threads: { type: "string", default: "2" },
    width: { type: "string", default: "24" },
    lr: { type: "string", default: "0.1" },
    out: { type: "string", default: "cifar10.onnx" },
  },
});
const [epochs, seed, width, rate] = [values.epochs, values.seed, values.width, values.lr].map(Number) as [
  number,
  number,
  number,
  number,
];
/** Steps a line of the log. */
const LOG = 100;

const { train, test } = await getCifar10();
const backend = node({ threads: Number(values.threads) });
const config = { channels: 3, classes: 10, widths: [width, 2 * width, 4 * width, 8 * width] } as const;
const started = Date.now();
let total = 0;
const trained = await trainClassifier(train, {
  ...{ backend, config, epochs, seed, rate, batch: 128 },
  onStep: (step, steps, loss) => {
    total += loss;
    if (step % LOG !== 0) return;
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    console.log(`${step} of ${steps} steps, ${seconds} s, loss ${(total / LOG).toFixed(4)}`);
    total = 0;
  },
});
const right = await accuracy(backend, trained, test, 200);
console.log(`test accuracy ${(100 * right).toFixed(2)} %`);
const bytes = classifierModel("subband-cifar10-classifier", trained, [3, 32, 32], {
  "subband.command": `examples/train-classifier.ts --epochs ${epochs} --seed ${seed} --width ${width} --lr ${rate}`,
  "subband.accuracy": String(right),
  "subband.licence": "MIT",
});
writeFileSync(values.out, bytes);
console.log(`${values.out}: ${(bytes.length / 1e6).toFixed(2)} MB`);
