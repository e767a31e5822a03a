/**
 * @module `npm run bench -- [name...] [--only PART...] [--turns N] [--threads N] [--against DIR] [--json]`: runs the named benches, or
 * all of them, and prints a block a result. --only names parts of a bench and may be repeated or hold commas; --against is a built checkout of another revision. With --json everything is one JSON object as the last line of stdout.
 */
import { parseArgs } from "node:util";
import { type Bench, type BenchResult, formatResult, machineLine } from "./harness.ts";
import { convolutionsBench } from "./convolutions.ts";
import { denoiseBench } from "./denoise.ts";
import { enduranceBench } from "./endurance.ts";
import { engineBench } from "./engine.ts";
import { eventLoopBench } from "./event-loop.ts";
import { memoryBench } from "./memory.ts";
import { revisionsBench } from "./revisions.ts";
import { samplingBench } from "./sampling.ts";
import { trainingStepBench } from "./training-step.ts";
import { waitsBench } from "./waits.ts";
import { waveletBench } from "./wavelet.ts";

const BENCHES: readonly Bench[] = [
  waveletBench,
  engineBench,
  convolutionsBench,
  trainingStepBench,
  samplingBench,
  denoiseBench,
  memoryBench,
  eventLoopBench,
  waitsBench,
  enduranceBench,
  revisionsBench,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    turns: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    only: { type: "string", multiple: true, default: [] },
    against: { type: "string" },
  },
});
const only = values.only.flatMap((parts) => parts.split(","));
const { against } = values;
const settings = {
  turns: Number(values.turns),
  threads: Number(values.threads),
  only,
  ...(against === undefined ? {} : { against }),
};
const chosen = BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const unknown =
  positionals.find((name) => BENCHES.every((bench) => bench.name !== name)) ??
  only.find((part) => !chosen.some(({ parts }) => parts?.includes(part)));
if (unknown !== undefined || !(settings.turns >= 1) || !(settings.threads >= 1)) {
  const list = BENCHES.map(
    ({ name, summary, parts }) =>
      `  ${name.padEnd(16)}${summary}${parts === undefined ? "" : `; --only ${parts.join(", ")}`}\n`,
  ).join("");
  process.stderr.write(
    `usage: npm run bench -- [name...] [--only PART...] [--turns N] [--threads N] [--against DIR] [--json]\n${list}` +
      (unknown === undefined ? "" : `unknown bench or part: "${unknown}"\n`),
  );
  process.exit(2);
}

const machine = machineLine();
const text = values.json ? process.stderr : process.stdout;
const results: BenchResult[] = [];
text.write(`${machine}\n`);
for (const bench of chosen) {
  if (only.length > 0 && !only.some((part) => bench.parts?.includes(part))) continue;
  text.write(`\n== ${bench.name}: ${bench.summary}\n`);
  const closing = await bench.run((result) => {
    results.push(result);
    text.write(formatResult(result));
  }, settings);
  if (closing !== undefined) text.write(`\n${closing}`);
}
if (values.json) process.stdout.write(`${JSON.stringify({ machine, settings, results })}\n`);
