/**
 * @module Every operation at its edges (zeros of both signs, infinities, NaN, ties, the smallest and largest numbers, nothing at
 * all): ONNX Runtime and the float64 reference against each other and against PyTorch, with gradients.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { registry } from "../ops/registry.ts";
import { constant, input } from "../ops/source.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import { reachable, type Shape, type Spec, type Tensor } from "../trace/tensor.ts";
import { EDGE_ALLOWANCES, EDGE_GAPS, type EdgePart } from "./edge-gaps.testing.ts";
import { EDGES } from "./op-edges.testing.ts";

/** Numbers with spaces between them. */
type Written = string;
interface Answers {
  readonly y: Written;
  readonly grads?: readonly Written[];
}
interface EdgeCase extends Answers {
  readonly name: string;
  readonly inputs: readonly {
    readonly shape: Shape;
    readonly data: Written;
    readonly dtype?: "int64";
    readonly fixed?: true;
  }[];
  /** With zeros in the place of denormals. */
  readonly flushed?: Answers;
  /** Of another function of PyTorch for the same formula: where the two differ, either is right. */
  readonly other?: Answers;
}

const golden = JSON.parse(readFileSync(new URL("op-edges.json", import.meta.url), "utf8")) as {
  readonly cases: readonly EdgeCase[];
};

const valuesOf = (written: Written): number[] => (written === "" ? [] : written.split(" ").map(Number));

/** Value and gradients by name: `y`, `g0`, `g1`, ... */
type Named = Readonly<Record<string, ArrayLike<number>>>;

const named = ({ y, grads = [] }: Answers): Record<string, number[]> => ({
  y: valuesOf(y),
  ...Object.fromEntries(grads.map((grad, i) => [`g${i}`, valuesOf(grad)])),
});

/** The case's value, and the gradients of sum(c y) with c = 1, 1/2, 1/4, 1, ... */
function build(each: EdgeCase, x: readonly Tensor[]): Record<string, Tensor> {
  const y = EDGES[each.name]!(...x);
  const wanted = x.filter((_, i) => each.inputs[i]!.dtype !== "int64" && !each.inputs[i]!.fixed);
  const weights = Float64Array.from({ length: y.size }, (_, i) => 2 ** -(i % 3));
  const grads = each.grads ? gradients(y, wanted, constant(weights, y.shape)) : [];
  return Object.fromEntries([["y", y], ...grads.map((grad, i) => [`g${i}`, grad] as const)]);
}

const specsOf = ({ inputs }: EdgeCase) =>
  inputs.map(({ shape, dtype }, i): [string, Spec & { dtype: "float32" | "int64" }] => [
    `x${i}`,
    { shape, dtype: dtype ?? "float32" },
  ]);

function traced(each: EdgeCase): Record<string, Tensor> {
  return build(
    each,
    specsOf(each).map(([name, { shape, dtype }]) => input(name, shape, dtype)),
  );
}

function byReference(each: EdgeCase): Named {
  const tensors = Object.entries(traced(each));
  const feeds = each.inputs.map(({ data, dtype }, i) => {
    const values = valuesOf(data);
    return [`x${i}`, dtype === "int64" ? values : Float32Array.from(values)] as const;
  });
  const made = interpret(
    tensors.map(([, tensor]) => tensor),
    Object.fromEntries(feeds),
  );
  return Object.fromEntries(tensors.map(([name], i) => [name, Float32Array.from(made[i]!.data)]));
}

async function byRuntime(each: EdgeCase): Promise<Named> {
  const specs = specsOf(each);
  const program = await compile(
    node({ threads: 1 }),
    { inputs: Object.fromEntries(specs), debug: true },
    (given) =>
      build(
        each,
        specs.map(([name]) => given[name]!),
      ),
  );
  try {
    return await program.run(Object.fromEntries(each.inputs.map(({ data }, i) => [`x${i}`, valuesOf(data)])));
  } finally {
    await program.dispose();
  }
}

/** Below, a result that was made of denormals may be 0. */
const MADE_OF_DENORMALS = 1e-36;

const near = (got: number, want: number, atol: number): boolean =>
  Object.is(got, want) || got === want || Math.abs(got - want) <= 1e-5 * Math.abs(want) + atol;

const partOf = (key: string): EdgePart => (key === "y" ? "value" : "gradient");

const atolOf = (name: string, part: EdgePart): number =>
  EDGE_ALLOWANCES.filter(({ cases, parts }) => cases.includes(name) && parts.includes(part)).reduce(
    (most, { atol }) => Math.max(most, atol),
    MADE_OF_DENORMALS,
  );

/** The gaps of an element of a case. */
function gapsAt(each: EdgeCase, key: string, at: number) {
  return EDGE_GAPS.filter(
    (gap) =>
      gap.cases.includes(each.name) &&
      gap.parts.includes(partOf(key)) &&
      (gap.at === "all" || gap.at.includes(at)),
  );
}

const shown = (v: number): string => (Object.is(v, -0) ? "-0" : String(v));

/** Every disagreement of an answer with PyTorch, or with the reference where a gap is known, one line each. */
function disagreements(each: EdgeCase, who: string, got: Named, reference: Named): string[] {
  const want = named(each);
  const flushed = each.flushed && named(each.flushed);
  const other = each.other && named(each.other);
  return Object.entries(want).flatMap(([key, values]) => {
    const atol = atolOf(each.name, partOf(key));
    if (got[key]!.length !== values.length) return [`${who} ${key}: ${got[key]!.length} values`];
    return values.flatMap((value, i) => {
      const gaps = gapsAt(each, key, i);
      const expected = gaps.length > 0 ? reference[key]![i]! : value;
      const answer = got[key]![i]!;
      const isRight =
        near(answer, expected, atol) ||
        (flushed && near(answer, flushed[key]![i]!, atol)) ||
        (other && near(answer, other[key]![i]!, atol) && near(answer, reference[key]![i]!, atol));
      if (isRight || gaps.some(({ apart }) => apart)) return [];
      const fed = each.inputs.map(({ data }) => valuesOf(data));
      const of = fed.map((data) => (data.length === values.length ? data[i] : "?")).join(", ");
      return [`${who} ${key}[${i}] at (${of}): ${shown(answer)}, expected ${shown(expected)}`];
    });
  });
}

/** Zeros on whose sign PyTorch and ONNX Runtime agree, and the reference does not. */
function otherZeros(each: EdgeCase, runtime: Named, reference: Named): string[] {
  return valuesOf(each.y).flatMap((value, i) =>
    value === 0 && Object.is(value, runtime["y"]![i]) && Object.is(-value, reference["y"]![i])
      ? [`reference y[${i}]: ${shown(-value)}, expected ${shown(value)}`]
      : [],
  );
}

/** A case of one length throughout, once more with every element in three other places of the runtime's vectors. */
function shifted(each: EdgeCase): EdgeCase | undefined {
  const n = valuesOf(each.y).length;
  const longer = (list: Written): Written =>
    [list.slice(list.lastIndexOf(" ") + 1), list, list, list].join(" ");
  const answers = (a: Answers): Answers => ({ y: longer(a.y) });
  if (n < 30 || each.inputs.some(({ shape }) => shape.length !== 1 || shape[0] !== n)) return undefined;
  return {
    name: each.name,
    inputs: each.inputs.map((x) => ({ ...x, shape: [3 * n + 1], data: longer(x.data) })),
    ...answers(each),
    ...(each.flushed && { flushed: answers(each.flushed) }),
  };
}

/** Cases in which an element depends on its place. */
const PLACED = [
  "slice",
  "slice backwards",
  "padZero",
  "padReflect",
  "split",
  "concat",
  "reshape",
  "transpose",
];

describe.each(golden.cases.map((each) => ({ name: each.name, each })))("$name", ({ name, each }) => {
  test("gives what PyTorch gives, on ONNX Runtime and by the reference", async () => {
    const [runtime, reference] = [await byRuntime(each), byReference(each)];
    expect([
      ...disagreements(each, "onnxruntime", runtime, reference),
      ...disagreements(each, "reference", reference, reference),
      ...otherZeros(each, runtime, reference),
    ]).toEqual([]);
    const more = PLACED.includes(name) ? undefined : shifted(each);
    if (more)
      expect(disagreements(more, "onnxruntime, shifted", await byRuntime(more), byReference(more))).toEqual(
        [],
      );
  });
});

describe("the table of edges", () => {
  test("holds every operation", () => {
    const met = new Set(
      golden.cases.flatMap((each) => reachable(Object.values(traced(each))).map(({ op }) => op.name)),
    );
    expect([...met].sort()).toEqual(registry.map(({ name }) => name).sort());
  });

  test("and its golden values are of the same cases", () => {
    expect(golden.cases.map(({ name }) => name).sort()).toEqual(Object.keys(EDGES).sort());
  });

  test("and what has two answers of PyTorch needs both", () => {
    for (const each of golden.cases.filter(({ other }) => other !== undefined)) {
      const [one, two] = [named(each), named(each.other!)];
      for (const key of Object.keys(one)) {
        const differ = one[key]!.filter(
          (value, i) => !near(two[key]![i]!, value, atolOf(each.name, partOf(key))),
        );
        expect(differ.length, `${each.name}, ${key}`).toBeGreaterThan(0);
      }
    }
  });

  test("and docs/edges.md gives the reason of every difference", () => {
    const page = readFileSync(new URL("../../../../docs/edges.md", import.meta.url), "utf8");
    for (const { reason } of [...EDGE_GAPS, ...EDGE_ALLOWANCES]) expect(page).toContain(reason);
  });

  test.each(EDGE_GAPS.map((gap) => [gap.reason, gap] as const))("still needs: %s", async (_, gap) => {
    for (const name of gap.cases) {
      const each = golden.cases.find((candidate) => candidate.name === name)!;
      const [want, got] = [named(each), await byRuntime(each)];
      for (const part of gap.parts) {
        const keys = Object.keys(want).filter((key) => partOf(key) === part);
        const open = keys.some((key) =>
          want[key]!.some((value, i) => {
            const isThere = gapsAt(each, key, i).includes(gap);
            return isThere && !near(got[key]![i]!, value, atolOf(name, part));
          }),
        );
        expect(open, `${name}, ${part}`).toBe(true);
      }
    }
  });
});
