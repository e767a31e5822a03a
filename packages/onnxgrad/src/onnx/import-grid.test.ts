/**
 * @module Every attribute of every imported operator, valid or not, by ONNX Runtime and by the importer: the same
 * result, or a refusal that names the operator. What ONNX Runtime refuses must be refused; what it computes may be
 * refused for the reasons listed here alone. By default a part of each family, with SLOW=1 all of it (40,000 models, minutes).
 */
import { describe, expect, test } from "vitest";
import { normal } from "../../../../tests/support/imported-models.ts";
import { bytesOf, modelOf, runOrt } from "../../../../tests/support/onnx-cases.ts";
import { casesOf, FAMILIES, type GridCase } from "../../../../tests/support/onnx-grid.ts";
import { UserError } from "../errors.ts";
import { interpret } from "../interpret/interpret.ts";
import { input } from "../ops/source.ts";
import { importModel } from "./import-model.ts";
import { OPERATORS } from "./import-operators.ts";
import { IMPORT_RULES } from "./import-rules.ts";
import { toOnnx } from "./model.ts";

/** What ONNX Runtime computes and the importer refuses, by what the refusal says, and why. */
const REFUSALS: readonly (readonly [operators: string, says: RegExp, why: string])[] = [
  ["AveragePool Conv MaxPool", /takes (images|a weight of four)/, "images have two dimensions here"],
  [
    "AveragePool MaxPool",
    /"auto_pad" .* with dilations/,
    "ONNX Runtime's shapes of it are no padding to the same size",
  ],
  ["AveragePool MaxPool", /leave out the last pixels/, "ONNX Runtime pads by less than nothing, or refuses"],
  ["BatchNormalization", /"spatial" other than 1/, "statistics of every pixel; gone since operator set 9"],
  ["Cast", /converts to (element type|float16)/, "there is no such type in a trace"],
  ["Cast", /which \w+ does not hold/, "undefined by the standard"],
  ["Constant", /is not supported in operator set/, "the operator set has no such attribute"],
  ["Constant", /values, and must have one/, "which of them counts is undefined"],
  ["ConvTranspose", /"(auto_pad|output_shape)"/, "pads say the same"],
  ["Expand", /must be a vector/, "the standard asks for one"],
  ["Expand Resize Slice", /empty/, "nothing can be computed from nothing"],
  ["LayerNormalization PRelu", /does not repeat to/, "the standard repeats towards the input alone"],
  ["MaxPool", /"dilations"|not square|differ/, "the operation behind it has square windows"],
  ["Pad", /"wrap"/, "not in the operator set, or nothing but wrong with negative pads"],
  ["Pad", /negative pads with mode/, "the standard does not say what they mirror"],
  ["Pad", /(reflect|wrap) more than/, "the standard does not say what then"],
  ["ReduceMax ReduceMean ReduceMin ReduceSum", /of a scalar/, "a scalar has no axes"],
  ["Resize", /tf_crop_and_resize|antialias|exclude_outside|half_pixel_symmetric/, "not supported"],
  ["Resize", /resizing takes images/, "not supported"],
  ["Resize", /"axes" is negative/, "ONNX Runtime leaves the image as it is"],
  ["Split", /one is not positive/, "nothing can be computed from nothing"],
];

/** Cases of a family that are run by default. */
const SOME = process.env["SLOW"] === "1" ? Infinity : 30;

function some(cases: readonly GridCase[]): readonly GridCase[] {
  const count = Math.min(cases.length, SOME);
  return Array.from({ length: count }, (_, i) => cases[Math.floor((i * cases.length) / count)]!);
}

type Outcome = { readonly fault: string } | { readonly refusal?: string };

const DTYPES: Readonly<Record<string, readonly string[]>> = {
  float32: ["float32", "float64"],
  int64: ["int64", "int32"],
  bool: ["bool"],
  uint8: ["uint8"],
};

/** Of float32: to five digits. */
const isClose = (got: number, want: number): boolean =>
  Object.is(got, want) || Math.abs(got - want) <= 1e-5 + 1e-5 * Math.abs(want) || got === want;

async function outcomeOf({ model, op, x, positive, label }: GridCase): Promise<Outcome> {
  const bytes = bytesOf(modelOf(model));
  const drawn = normal("grid", x);
  const data = positive ? drawn.map((v) => Math.abs(v) + 0.1) : drawn;
  const { results: onnx, refusal } = await runOrt(bytes, { x: { data, dims: x } });
  let ours;
  try {
    ours = importModel(bytes).apply({ x: input("x", x) })["y0"]!;
  } catch (error) {
    if (!(error instanceof UserError)) return { fault: `${label}: throws ${String(error)}` };
    const named = error.message.startsWith(`importModel: node "n" (${op}): `);
    const foreseen = error.cause === undefined || error.cause instanceof UserError;
    const lacking = /^importModel: (node "b"|node "n" \(\w+\): operator set \d+ has no)/.test(error.message);
    if ((!named && !lacking) || !foreseen) return { fault: `${label}: says ${error.message}` };
    return refusal !== undefined ? {} : { refusal: `${op}: ${error.message}` };
  }
  if (refusal !== undefined) return { fault: `${label}: ONNX Runtime refuses: ${refusal}` };
  const want = onnx["y0"]!;
  if (!DTYPES[ours.dtype]!.includes(want.type)) return { fault: `${label}: ${ours.dtype}, not ${want.type}` };
  if (ours.shape.join() !== want.dims.join())
    return { fault: `${label}: [${ours.shape.join()}], not [${want.dims.join()}]` };
  const lowered = toOnnx({ y0: ours });
  const { results: back } = await runOrt(
    lowered.bytes,
    lowered.inputs.length > 0 ? { x: { data, dims: x } } : {},
  );
  const results = { reference: interpret([ours], { x: data })[0]!.data, backend: back["y0"]?.data ?? [] };
  for (const [way, got] of Object.entries(results)) {
    const wrong = want.data.findIndex((w, i) => !isClose(got[i]!, w));
    if (wrong >= 0)
      return { fault: `${label}: element ${wrong} by the ${way} is ${got[wrong]}, not ${want.data[wrong]}` };
  }
  return {};
}

describe("importModel(), attribute by attribute, against ONNX Runtime", () => {
  test.each(FAMILIES.map((family) => ({ ...family, family })))(
    "$op: $about",
    async ({ op, family }) => {
      const faults: string[] = [];
      const unlisted: string[] = [];
      let computed = 0;
      for (const each of some(casesOf(family))) {
        const outcome = await outcomeOf(each);
        if ("fault" in outcome) faults.push(outcome.fault);
        else if (outcome.refusal === undefined) computed++;
        else {
          const { refusal } = outcome;
          const known = REFUSALS.some(
            ([operators, says]) => operators.split(" ").includes(op) && says.test(refusal),
          );
          if (!known) unlisted.push(`${each.label}: ${refusal}`);
        }
      }
      expect(faults).toEqual([]);
      expect(unlisted).toEqual([]);
      expect(computed).toBeGreaterThan(0);
    },
    600_000,
  );

  test("every operator of the table has a rule, and a family", () => {
    const operators = Object.keys(OPERATORS).toSorted();
    expect(Object.keys(IMPORT_RULES).toSorted()).toEqual(operators);
    expect([...new Set(FAMILIES.map(({ op }) => op))].toSorted()).toEqual(operators);
  });

  test("every attribute of every operator is varied", () => {
    const varied = new Map<string, Set<string>>();
    for (const { op, attrs = {} } of FAMILIES)
      varied.set(op, new Set([...(varied.get(op) ?? []), ...Object.keys(attrs)]));
    const missing = Object.entries(OPERATORS).flatMap(([op, versions]) =>
      versions.flatMap(([, , , attributes = {}]) =>
        Object.keys(attributes)
          .filter((name) => varied.get(op)?.has(name) !== true)
          .map((name) => `${op}.${name}`),
      ),
    );
    expect([...new Set(missing)]).toEqual([]);
  });
});
