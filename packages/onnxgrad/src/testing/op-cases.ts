/**
 * @module The op table as data: every operation, and every function composed of operations, at the shapes, ranges and
 * attributes where it is tested. Cases stand beside what they are of (`ops/*.cases.ts`); here they are put into the order of
 * the registry. `tests/conformance` runs the table on every provider.
 */
import { invariant } from "../errors.ts";
import { arithmeticCases } from "../ops/arithmetic.cases.ts";
import { channelsCases } from "../ops/channels.cases.ts";
import { clampCases } from "../ops/clamp.cases.ts";
import { compareCases } from "../ops/compare.cases.ts";
import { concatCases } from "../ops/concat.cases.ts";
import { convCases } from "../ops/conv.cases.ts";
import { elementaryCases } from "../ops/elementary.cases.ts";
import { gatherCases } from "../ops/gather.cases.ts";
import { matmulCases } from "../ops/matmul.cases.ts";
import { normCases } from "../ops/norm.cases.ts";
import { normalizationCases } from "../ops/normalization.cases.ts";
import { padCases } from "../ops/pad.cases.ts";
import { poolCases } from "../ops/pool.cases.ts";
import { reduceCases } from "../ops/reduce.cases.ts";
import { reshapeCases } from "../ops/reshape.cases.ts";
import { resizeConvCases } from "../ops/resize-conv.cases.ts";
import { resizeCases } from "../ops/resize.cases.ts";
import { sliceCases } from "../ops/slice.cases.ts";
import { softmaxCases } from "../ops/softmax.cases.ts";
import { sourceCases } from "../ops/source.cases.ts";
import { sumCases } from "../ops/sum.cases.ts";
import { registry } from "../ops/registry.ts";
import type { CaseTable } from "./case-graph.ts";

/** Cases of everything, family by family. */
const FAMILIES: readonly CaseTable[] = [
  sourceCases,
  arithmeticCases,
  clampCases,
  compareCases,
  elementaryCases,
  sumCases,
  reduceCases,
  normCases,
  matmulCases,
  convCases,
  poolCases,
  reshapeCases,
  sliceCases,
  concatCases,
  padCases,
  gatherCases,
  softmaxCases,
  normalizationCases,
  channelsCases,
  resizeCases,
  resizeConvCases,
];

const all = new Map(FAMILIES.flatMap((cases) => Object.entries(cases)));
invariant(
  all.size === FAMILIES.reduce((total, cases) => total + Object.keys(cases).length, 0),
  "two families have cases of one name",
);

/** Cases of each operation, in the order of the registry. */
export const opCases: CaseTable = Object.fromEntries(
  registry.map(({ name }) => {
    const cases = all.get(name);
    invariant(cases !== undefined, `no cases of ${name}`);
    all.delete(name);
    return [name, cases];
  }),
);

/** Cases of the functions that are composed of operations. */
export const compositeCases: CaseTable = Object.fromEntries(all);
