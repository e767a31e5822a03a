import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { add, mul, square, sub } from "../ops/arithmetic.ts";
import { exp, leakyRelu, sin } from "../ops/elementary.ts";
import { sum } from "../ops/sum.ts";
import { reshape, transpose } from "../ops/reshape.ts";
import { concat, split } from "../ops/concat.ts";
import { slice } from "../ops/slice.ts";
import { constant, input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { expectClose } from "../testing/expect-close.ts";
import { printGraph } from "../trace/print.ts";
import { scope } from "../trace/scope.ts";
import { reachable, Tensor } from "../trace/tensor.ts";
import { arithmeticIdentities } from "./arithmetic-identities.ts";
import { commonSubexpressions } from "./common-subexpressions.ts";
import { concatOfSplit } from "./concat-of-split.ts";
import { mergeShapeChanges } from "./merge-shape-changes.ts";
import { optimize } from "./optimize.ts";
import { rewrite, type Rule } from "./rewrite.ts";
import { verify } from "./verify.ts";

/** Values for every input that `outputs` reach, fixed by the input's name. */
function feedsOf(outputs: readonly Tensor[]): Record<string, Float64Array> {
  const inputs = reachable(outputs).filter(({ op }) => op.name === "input");
  return Object.fromEntries(
    inputs.map(({ attrs, outputs: [tensor] }) => {
      const { name } = attrs as { name: string };
      return [name, rng(1, name).fillNormal(new Float64Array(tensor!.size))];
    }),
  );
}

function expectSameValues(got: readonly Tensor[], want: readonly Tensor[]): void {
  const feeds = feedsOf(want);
  const [a, b] = [interpret(got, feeds), interpret(want, feeds)];
  a.forEach(({ shape, data }, i) => {
    expect(shape).toEqual(b[i]!.shape);
    expectClose(data, b[i]!.data, { rtol: 1e-12, atol: 1e-12, what: `output ${i}` });
  });
}

/** The graph after one rule alone, verified and of the same values. */
function after(rule: Rule, ...outputs: Tensor[]): string {
  const next = rewrite(outputs, rule);
  verify(next);
  expectSameValues(next, outputs);
  return printGraph(next);
}

/** The rule replaces none of the tensors. */
function expectKept(kept: readonly Tensor[], rule: Rule): void {
  rewrite(kept, rule).forEach((tensor, i) => expect(tensor, `${kept[i]!.node.op.name} ${i}`).toBe(kept[i]));
}

describe("mergeShapeChanges", () => {
  const x = input("x", [2, 6]);
  test("makes one reshape of several", () => {
    expect(after(mergeShapeChanges, reshape(reshape(reshape(x, [3, 4]), [12]), [4, 3])))
      .toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2,6]
      %1 = reshape %0: [4,3]
      return %1"
    `);
  });
  test("drops reshapes that come back", () => {
    expect(after(mergeShapeChanges, exp(reshape(reshape(x, [12]), [2, 6])))).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2,6]
      %1 = exp %0: [2,6]
      return %1"
    `);
  });
  test("composes transposes and drops inverses", () => {
    const t = input("t", [2, 3, 4]);
    expect(
      after(
        mergeShapeChanges,
        transpose(transpose(t, [1, 2, 0]), [0, 2, 1]),
        transpose(transpose(t, [1, 2, 0]), [2, 0, 1]),
      ),
    ).toMatchInlineSnapshot(`
      "%0 = input {"name":"t"}: [2,3,4]
      %1 = transpose %0 {"permutation":[1,0,2]}: [3,2,4]
      return %1, %0"
    `);
  });
});

describe("concatOfSplit", () => {
  const x = input("x", [6]);
  test("joins all parts of a split, flattened or not, to the whole", () => {
    const [a, b] = split(x, [2, 4], 0) as [Tensor, Tensor];
    expect(after(concatOfSplit, exp(concat([a, b], 0)))).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [6]
      %1 = exp %0: [6]
      return %1"
    `);
    // As packed parameters come back: shaped, flattened again, joined.
    const leaf = reshape(reshape(b, [2, 2]), [4]);
    const [merged] = rewrite([concat([a, leaf], 0)], mergeShapeChanges);
    expect(rewrite([merged!], concatOfSplit)).toEqual([x]);
  });
  test("keeps parts in another order, a part too few, another axis", () => {
    const [a, b] = split(x, [3, 3], 0) as [Tensor, Tensor];
    const m = input("m", [2, 2]);
    const [top, bottom] = split(m, [1, 1], 0) as [Tensor, Tensor];
    const kept = [concat([b, a], 0), concat([a, a], 0), concat([top, bottom], 1)];
    expectKept(kept, concatOfSplit);
  });
  test("gives the parts of a concat that is split again, only where the sizes agree", () => {
    const [a, b] = [input("a", [2]), input("b", [3])];
    const whole = concat([a, b], 0);
    expect(after(concatOfSplit, ...split(whole, [2, 3], 0).map(exp))).toMatchInlineSnapshot(`
      "%0 = input {"name":"a"}: [2]
      %1 = input {"name":"b"}: [3]
      %2 = exp %0: [2]
      %3 = exp %1: [3]
      return %2, %3"
    `);
    const kept = split(whole, [3, 2], 0);
    expectKept(kept, concatOfSplit);
  });
});

describe("arithmeticIdentities", () => {
  const x = input("x", [2]);
  const y = input("y", [2]);
  test("drops x * 1, x + 0 and x - 0", () => {
    expect(after(arithmeticIdentities, exp(mul(1, x)), exp(add(x, 0)), exp(sub(x, 0))))
      .toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2]
      %1 = exp %0: [2]
      %2 = exp %0: [2]
      %3 = exp %0: [2]
      return %1, %2, %3"
    `);
  });
  test("multiplies constants once", () => {
    expect(after(arithmeticIdentities, mul(2, mul(mul(x, 3), 0.5)))).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2]
      %1 = constant {"values":3}: []
      %2 = mul %0 %1: [2]
      return %2"
    `);
  });
  test("turns the addition of a negation into a subtraction", () => {
    expect(after(arithmeticIdentities, add(x, mul(y, -1)), add(mul(x, -1), y))).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2]
      %1 = input {"name":"y"}: [2]
      %2 = sub %0 %1: [2]
      %3 = sub %1 %0: [2]
      return %2, %3"
    `);
  });
  test("keeps what also changes the shape, and 0 - x", () => {
    const kept = [add(constant([0, 0]), input("s", [])), sub(0, x), mul(x, constant([1, 1]))];
    expectKept(kept, arithmeticIdentities);
  });
});

describe("commonSubexpressions", () => {
  test("merges equal chains whole, in one sweep", () => {
    const x = input("x", [2]);
    const chain = () => sin(exp(mul(x, 2)));
    expect(after(commonSubexpressions(), add(chain(), sub(chain(), chain())))).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2]
      %1 = constant {"values":2}: []
      %2 = mul %0 %1: [2]
      %3 = exp %2: [2]
      %4 = sin %3: [2]
      %5 = sub %4 %4: [2]
      %6 = add %4 %5: [2]
      return %6"
    `);
  });
  test("tells attributes, inputs' order, outputs and constants apart", () => {
    const x = input("x", [4]);
    const [a, b] = split(x, [2, 2], 0) as [Tensor, Tensor];
    const kept = [
      leakyRelu(x, 0.1),
      leakyRelu(x, 0.2),
      sub(a, b),
      sub(b, a),
      exp(a),
      exp(b),
      slice(x, [0], [2]),
      slice(x, [1], [3]),
      constant([0, 1]),
      constant([-0, 1]),
      constant([0, 1], [2, 1]),
      constant([0, 1], [2], "int64"),
      constant(new Float64Array(100).fill(1)),
      constant(new Float64Array(100).fill(2)),
    ];
    expectKept(kept, commonSubexpressions());
  });
  test("merges inputs of one name", () => {
    const [a, b] = rewrite([exp(input("x", [2])), exp(input("x", [2]))], commonSubexpressions());
    expect(a).toBe(b);
  });
});

describe("optimize()", () => {
  test("keeps the values of a loss and its gradients and verifies every stage", () => {
    const [x, w] = [input("x", [4, 3]), input("w", [3])];
    const model = scope("net", () => leakyRelu(add(mul(x, w), 0), 0.2));
    const loss = sum(square(add(model, mul(sin(w), -1))));
    const outputs = [loss, ...gradients(loss, [x, w])];
    const optimized = optimize(outputs, { debug: true });
    expectSameValues(optimized, outputs);
    expect(reachable(optimized).length).toBeLessThan(reachable(outputs).length);
  });
  test("keeps the part of the model that each node came from", () => {
    const x = input("x", [2]);
    const y = scope("a", () => exp(mul(mul(x, 1), 3)));
    expect(printGraph(optimize([y]))).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2]
      %1 = constant {"values":3}: [] (a)
      %2 = mul %0 %1: [2] (a)
      %3 = exp %2: [2] (a)
      return %3"
    `);
  });
  test("gives an input that is handed through as it is", () => {
    const x = input("x", [2]);
    expect(optimize([add(x, 0), x], { debug: true })).toEqual([x, x]);
  });
});

describe("verify()", () => {
  test("names the first node whose recorded shape is not that of its rule", () => {
    const y = scope("head", () => exp(input("x", [2])));
    const outputs = [new Tensor(y.node, 0, { shape: [3], dtype: "float32" })];
    const broken = new Tensor({ ...y.node, outputs }, 0, outputs[0]!);
    expect(() => verify([broken])).toThrow("internal: exp at head: output 0 is [3], rule gives [2]");
    const short = new Tensor({ ...y.node, outputs: [] }, 0, y);
    expect(() => verify([short])).toThrow("internal: exp at head: 0 outputs, rule gives 1");
    const early = new Tensor({ ...y.node, id: -1 }, 0, y);
    expect(() => verify([early])).toThrow("internal: exp at head: input made later than its user");
  });
});
