/**
 * @module `npm run fuzz -- --minutes 5 [--seed N] [--only archives|pictures|models|agreement|checkpoints|options] [--input FILE]`:
 * fuzzes every target for its share of the time, and keeps and prints what was not withstood.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { fuzz, readOnce } from "./runner.ts";
import { fileOf, TARGETS } from "./targets.ts";

const KEEP = "fuzz-faults";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 1000)) },
    only: { type: "string" },
    input: { type: "string" },
  },
});
const seed = Number(values.seed);
const minutes = Number(values.minutes);
const chosen = TARGETS.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0 || !Number.isSafeInteger(seed) || seed < 0 || !(minutes > 0)) {
  console.error(
    `usage: npm run fuzz -- [--minutes M] [--seed N] [--only ${TARGETS.map(({ name }) => name).join("|")}] [--input FILE]`,
  );
  process.exit(2);
}

if (values.input !== undefined) {
  const path = resolve(values.input);
  if (chosen.length !== 1 || !existsSync(path)) {
    console.error("--input FILE is read by one target: give --only, and a file that is there.");
    process.exit(2);
  }
  const { word, fault } = await readOnce(chosen[0]!, fileOf(chosen[0]!), path);
  console.log(`${word}${fault === undefined ? "" : `: ${fault}`}`);
  process.exit(fault === undefined ? 0 : 1);
}

let faults = 0;
for (const target of chosen) {
  const until = performance.now() + (60_000 * minutes) / chosen.length;
  const tally = await fuzz(target, fileOf(target), {
    seed,
    keep: KEEP,
    more: () => performance.now() < until,
    onFault: ({ path, what }) =>
      console.log(
        `${target.name}: ${what.split("\n", 4).join("\n  ")}\n  again: npm run fuzz -- --only ${target.name} --input ${path}`,
      ),
  });
  faults += tally.faults.length;
  const words = [...tally.words].sort(([, a], [, b]) => b - a).map(([word, count]) => `${count} ${word}`);
  console.log(
    `${target.name}: ${tally.inputs} inputs, ${tally.faults.length} faults (seed ${seed}; ${target.about})`,
  );
  console.log(`  ${words.join(", ")}`);
}
console.log(`${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
