/** @module The op table against its references: gradient rules by finite differences, in float64 throughout. */
import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import { input } from "../ops/source.ts";
import { verify } from "../passes/verify.ts";
import type { RefArray } from "../ops/define-op.ts";
import { reachable } from "../trace/tensor.ts";
import { caseGraph, type CaseOutputs, finiteDifferences, type OpCase } from "./case-graph.ts";
import { expectClose } from "./expect-close.ts";
import { compositeCases, opCases } from "./op-cases.ts";

/** One case with its expected values, by the float64 reference. */
interface Prepared {
  readonly label: string;
  readonly outputs: CaseOutputs;
  readonly values: Readonly<Record<string, Float64Array>>;
  readonly expected: Readonly<Record<string, RefArray>>;
}

function prepare(op: string, testCase: OpCase): Prepared {
  const graph = caseGraph(op, testCase);
  const feeds = Object.entries(graph.feeds);
  const outputs = graph.trace(
    Object.fromEntries(feeds.map(([name, { spec }]) => [name, input(name, spec.shape, spec.dtype)])),
  );
  const all = { ...outputs.forward, ...outputs.first, ...outputs.second };
  const values = Object.fromEntries(feeds.map(([name, feed]) => [name, feed.values]));
  const reference = interpret(Object.values(all), values);
  const expected = Object.fromEntries(Object.keys(all).map((name, i) => [name, reference[i]!]));
  return { label: `${op} / ${testCase.name}`, outputs, values, expected };
}

/** The reference: shapes as traced, gradients of both orders as finite differences have them. */
function checkReference({ label, outputs, values, expected }: Prepared, differences: boolean): void {
  const { forward, first, second, projections } = outputs;
  const all = { ...forward, ...first, ...second };
  verify(Object.values(all));
  for (const [name, tensor] of Object.entries(all))
    expect(expected[name]!.shape, `${label} / ${name}`).toEqual(tensor.shape);
  if (!differences) return;
  for (const [order, gradients] of [first, second].entries())
    for (const name of Object.keys(gradients)) {
      const estimate = finiteDifferences(projections[order]!, values, name.replace(/^d+/, ""));
      // Errors of the formula and of rounding are near 1e-10 for values near 1; four digits are left for larger ones.
      expectClose(expected[name]!.data, estimate, {
        rtol: 1e-6,
        atol: 1e-6,
        what: `${label} / ${name}: gradient rule against finite differences`,
      });
    }
}

const table = Object.entries({ ...opCases, ...compositeCases });

describe.each(table.map(([op, cases]) => ({ op, cases })))("$op", ({ op, cases }) => {
  for (const each of cases) {
    test(each.name, () => checkReference(prepare(op, each), each.differences ?? true));
  }
});

describe("the op table", () => {
  test.each(Object.entries(opCases))("%s: a case contains the operation it is listed under", (op, cases) => {
    const met = cases.flatMap((each) => {
      const { feeds, trace } = caseGraph(op, each);
      const tensors = Object.entries(feeds).map(
        ([name, { spec }]) => [name, input(name, spec.shape, spec.dtype)] as const,
      );
      return reachable(Object.values(trace(Object.fromEntries(tensors)).forward)).map(
        ({ op: { name } }) => name,
      );
    });
    expect(met).toContain(op);
  });
});
