/** @module The grid of the importer: operators with every value of every attribute, as models in data. */
import type { CaseNode, ModelCase, Stored } from "./onnx-cases.ts";
import { ARITHMETIC } from "./onnx-grid-arithmetic.ts";
import { type Family, IMAGE, number } from "./onnx-grid-family.ts";
import { SHAPES } from "./onnx-grid-shapes.ts";
import { WINDOWS } from "./onnx-grid-windows.ts";

export type { Family } from "./onnx-grid-family.ts";

export interface GridCase {
  readonly label: string;
  readonly op: string;
  readonly x: readonly number[];
  readonly model: ModelCase;
  readonly positive: boolean;
}

/** All families; every operator has one at least. */
export const FAMILIES: readonly Family[] = [...ARITHMETIC, ...SHAPES, ...WINDOWS];

const product = <T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] =>
  lists.reduce<readonly (readonly T[])[]>(
    (all, list) => all.flatMap((made) => list.map((each) => [...made, each])),
    [[]],
  );

/** Every model of a family. */
export function casesOf(family: Family): readonly GridCase[] {
  const {
    op,
    about,
    opsets,
    x: shapes = [IMAGE],
    inputs = [],
    attrs = {},
    outputs = [1],
    constant = false,
    positive = false,
  } = family;
  const names = Object.keys(attrs);
  const cases: GridCase[] = [];
  for (const opset of opsets)
    for (const x of shapes)
      for (const given of product(inputs))
        for (const chosen of product(names.map((name) => attrs[name]!)))
          for (const count of outputs) {
            const cut = given.indexOf(undefined);
            const used = cut < 0 ? given : given.slice(0, cut);
            if (cut >= 0 && given.slice(cut).some((each) => each !== undefined)) continue;
            const stored: Record<string, Stored> = {};
            const taken = used.map((each, i) => {
              if (each === "" || each === undefined) return "";
              stored[`c${i}`] = each;
              return `c${i}`;
            });
            const given2 = Object.fromEntries(
              names.flatMap((name, i) => (chosen[i] === undefined ? [] : [[name, chosen[i]] as const])),
            );
            const node: CaseNode = {
              op,
              name: "n",
              in: constant ? taken : op === "Where" ? ["b", "x", ...taken] : ["x", ...taken],
              out: Array.from({ length: count }, (_, i) => `y${i}`),
              attrs: given2,
            };
            const before: readonly CaseNode[] =
              op === "Where" ? [{ op: "Greater", in: ["x", "zero"], out: ["b"] }] : [];
            if (op === "Where") stored["zero"] = number(0);
            const model: ModelCase = {
              opset,
              inputs: { x },
              stored,
              nodes: [...before, node],
              outputs: ["y0"],
            };
            const shown = JSON.stringify(
              { x, in: used, ...given2, ...(count > 1 && { outputs: count }) },
              (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value),
            );
            cases.push({ label: `${op} (${about}) set ${opset} ${shown}`, op, x, model, positive });
          }
  return cases;
}
