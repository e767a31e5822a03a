/**
 * @module The op table once more, with zeros of both signs, infinities, NaN and the smallest number strewn among its values:
 * ONNX Runtime and the reference agree, value and gradient, wherever they stand.
 */
import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import { input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import { caseGraph, type OpCase } from "./case-graph.ts";
import { compositeCases, opCases } from "./op-cases.ts";

const SPECIAL = [0, -0, Infinity, -Infinity, NaN, 1.1754943508222875e-38];
const DRAWS = 4;

/** What is asked of an operation less than everything, and why (docs/edges.md says it to users). */
const LESS: readonly {
  readonly ops: RegExp;
  readonly first?: true;
  readonly values?: true;
  readonly reason: string;
}[] = [
  {
    ops: /^(conv|resizeConv|residualBlock)/,
    first: true,
    values: true,
    reason:
      "0 times a weight that is no number is NaN, and so is 0 times features that a weight gradient takes for its kernel",
  },
  {
    ops: /^(channelAffine|groupNorm|batchNorm)/,
    first: true,
    reason: "BatchNormalization subtracts 0 times the scale",
  },
];
/** Left out, with weight gradients: what ONNX leaves undefined, and a mean of infinities that nobody sees. */
const LEFT_OUT = [
  "cast / float to int truncates",
  "cast / float to byte truncates",
  "round / pixels",
  "standardize / all three outputs",
];
const isLeftOut = (op: string, { name }: OpCase) =>
  op === "conv2dWeightGrad" || LEFT_OUT.includes(`${op} / ${name}`);

const agree = (got: number, want: number, scale: number): boolean =>
  Object.is(got, want) || got === want || Math.abs(got - want) <= 1e-4 * Math.abs(want) + 1e-5 * scale;

async function disagreements(op: string, testCase: OpCase): Promise<string[]> {
  const less = LESS.find(({ ops }) => ops.test(op));
  const graph = caseGraph(op, { ...testCase, secondOrder: false });
  const feeds = Object.entries(graph.feeds);
  const outputsOf = (given: Parameters<typeof graph.trace>[0]) => {
    const { forward, first } = graph.trace(given);
    return less?.values ? forward : { ...forward, ...first };
  };
  const traced = Object.entries(
    outputsOf(
      Object.fromEntries(feeds.map(([name, { spec }]) => [name, input(name, spec.shape, spec.dtype)])),
    ),
  );
  const program = await compile(
    node({ threads: 1 }),
    { inputs: Object.fromEntries(feeds.map(([name, { spec }]) => [name, spec])) },
    outputsOf,
  );
  const found: string[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    const random = rng(draw, `not-finite/${op}/${testCase.name}`);
    const below = (n: number) => Math.floor(n * random.uniform());
    const values = Object.fromEntries(
      feeds.map(([name, { spec, values: plain }]) => {
        const data = plain.slice();
        const isStrewn = spec.dtype === "float32" && (less?.first ? name === "x0" : name.startsWith("x"));
        if (isStrewn && data.length > 0)
          for (let k = below(2); k >= 0; k--) data[below(data.length)] = SPECIAL[below(SPECIAL.length)]!;
        return [name, data];
      }),
    );
    const expected = interpret(
      traced.map(([, tensor]) => tensor),
      values,
    );
    const got: Readonly<Record<string, Float32Array>> = await program.run(values);
    traced.forEach(([name], i) => {
      const want = Float32Array.from(expected[i]!.data);
      const scale = want.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 1);
      const at = want.findIndex((value, j) => !agree(got[name]![j]!, value, scale));
      if (at >= 0) found.push(`draw ${draw}, ${name}[${at}]: ${got[name]![at]}, reference ${want[at]}`);
    });
  }
  await program.dispose();
  return found;
}

const table = Object.entries({ ...opCases, ...compositeCases }).flatMap(([op, cases]) => {
  const asked = cases.filter((each) => !isLeftOut(op, each));
  return asked.length === 0 ? [] : [{ op, asked }];
});

describe.each(table)("$op", ({ op, asked }) => {
  test("is the same on both with numbers that are none", async () => {
    for (const each of asked) expect(await disagreements(op, each), each.name).toEqual([]);
  });
});
