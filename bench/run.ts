/**
 * @module `npm run bench -- [name...] [--turns N] [--threads N] [--json]`: runs the named benches, or all of them, and
 * prints a block a result. With --json everything is one JSON object as the last line of stdout.
 */
import { parseArgs } from "node:util";
import { type Bench, type BenchResult, formatResult, machineLine } from "./harness.ts";
import { memoryBench } from "./memory.ts";
import { samplingBench } from "./sampling.ts";
import { trainingStepBench } from "./training-step.ts";
import { waveletBench } from "./wavelet.ts";

const BENCHES: readonly Bench[] = [waveletBench, trainingStepBench, samplingBench, memoryBench];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    turns: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
  },
});
const settings = { turns: Number(values.turns), threads: Number(values.threads) };
const unknown = positionals.find((name) => BENCHES.every((bench) => bench.name !== name));
if (unknown !== undefined || !(settings.turns >= 1) || !(settings.threads >= 1)) {
  const list = BENCHES.map(({ name, summary }) => `  ${name.padEnd(16)}${summary}\n`).join("");
  process.stderr.write(
    `usage: npm run bench -- [name...] [--turns N] [--threads N] [--json]\n${list}` +
      (unknown === undefined ? "" : `unknown bench: "${unknown}"\n`),
  );
  process.exit(2);
}

const machine = machineLine();
const text = values.json ? process.stderr : process.stdout;
const results: BenchResult[] = [];
text.write(`${machine}\n`);
for (const bench of BENCHES) {
  if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
  text.write(`\n== ${bench.name}: ${bench.summary}\n`);
  await bench.run((result) => {
    results.push(result);
    text.write(formatResult(result));
  }, settings);
}
if (values.json) process.stdout.write(`${JSON.stringify({ machine, settings, results })}\n`);
