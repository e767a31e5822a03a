import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import { registry } from "../ops/registry.ts";
import { input } from "../ops/source.ts";
import { verify } from "../passes/verify.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node.ts";
import { reachable, type Tensor } from "../trace/tensor.ts";
import { caseGraph, finiteDifferences, type OpCase } from "./case-graph.ts";
import { expectClose } from "./expect-close.ts";
import { compositeCases, opCases } from "./op-cases.ts";

const backend = node({ threads: 1 });

/** One case: the reference against finite differences, then the provider against the reference. */
async function check(op: string, testCase: OpCase): Promise<void> {
  const { feeds, trace } = caseGraph(op, testCase);
  const names = Object.keys(feeds);
  const values = Object.fromEntries(names.map((name) => [name, feeds[name]!.values]));
  const tensors = Object.fromEntries(
    names.map((name) => [name, input(name, feeds[name]!.spec.shape, feeds[name]!.spec.dtype)]),
  );
  const { forward, first, second, projections } = trace(tensors);
  const outputs: Record<string, Tensor> = { ...forward, ...first, ...second };
  verify(Object.values(outputs));

  const reference = interpret(Object.values(outputs), values);
  const expected = Object.fromEntries(Object.keys(outputs).map((name, i) => [name, reference[i]!]));
  for (const [name, tensor] of Object.entries(outputs)) {
    expect(expected[name]!.shape, `${op} / ${testCase.name} / ${name}`).toEqual(tensor.shape);
    const order = name in second ? 2 : name in first ? 1 : 0;
    if (order === 0 || testCase.differences === false) continue;
    const differences = finiteDifferences(projections[order - 1]!, values, name.replace(/^d+/, ""));
    // Errors of the formula and of rounding are near 1e-10 for values near 1; four digits are left for larger ones.
    expectClose(expected[name]!.data, differences, {
      rtol: 1e-6,
      atol: 1e-6,
      what: `${op} / ${testCase.name} / ${name}: gradient rule against finite differences`,
    });
  }

  const program = await compile(
    backend,
    { inputs: Object.fromEntries(names.map((name) => [name, feeds[name]!.spec])), debug: true },
    (given) => {
      const traced = trace(given);
      return { ...traced.forward, ...traced.first, ...traced.second };
    },
  );
  const got = await program.run(Object.fromEntries(names.map((name) => [name, [...values[name]!]])));
  for (const name of Object.keys(outputs)) {
    const want = expected[name]!.data;
    // float32 has 24 bits; sums cancel, so the absolute part scales with the largest element.
    const scale = want.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    expectClose((got as Record<string, Float32Array>)[name]!, want, {
      rtol: 1e-5,
      atol: 2e-6 * scale,
      what: `${op} / ${testCase.name} / ${name}: ${backend.name} against float64`,
    });
  }
  await program.dispose();
}

const table = Object.entries({ ...opCases, ...compositeCases });
describe.each(table.map(([op, cases]) => ({ op, cases })))("$op", ({ op, cases }) => {
  for (const each of cases) {
    const gap = each.gap?.[backend.name];
    if (gap === undefined) test(each.name, () => check(op, each));
    else test.fails(`${each.name} (known gap: ${gap})`, () => check(op, each));
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

  test("every operation is declared under its own name", () => {
    expect(Object.values(registry).map(({ name }) => name)).toEqual(Object.keys(registry));
  });
});
