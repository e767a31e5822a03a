/**
 * @module Operations are asked for what they are (`traits`, `macs`, `place`), not looked up in lists: outside of `ops/` no
 * source lists their names, so that a new one is declared, entered in the registry, exported, and known everywhere.
 */
import { describe, expect, test } from "vitest";
import { registry } from "../../packages/onnxgrad/src/ops/registry.ts";
import { packageSources } from "./sources.ts";

const isOp = (
  (names) => (name: string | undefined) =>
    names.has(name)
)(new Set<string | undefined>(registry.map(({ name }) => name)));

const COMMENT = /^\s*(?:\*|\/\/|\/\*).*$/gm;
/** Neighbours in an array, a set or a union; neighbours that are keys of one object. */
const NEIGHBOURS = [/"(\w+)"(?=\s*[,|]\s*"(\w+)")/g, /\b(\w+): [\w.-]+(?=,\s*(\w+): )/g];

/** Pairs of operations that stand next to each other in a list. */
const listed = (text: string): string[] =>
  NEIGHBOURS.flatMap((pattern) =>
    [...text.replaceAll(COMMENT, "").matchAll(pattern)].flatMap(([, one, other]) =>
      isOp(one) && isOp(other) ? [`${one}, ${other}`] : [],
    ),
  );

describe("lists of operations", () => {
  test("are found, whatever their form", () => {
    const texts = [
      'new Set(["gather", "matmul"])',
      'type T =\n  | "gather"\n  | "matmul"',
      "{ gather: 1, matmul: 0 }",
      'op.name === "gather" || op.name === "matmul"',
      'case "gather":',
      '["constant", "edge", "wrap"]',
    ];
    expect(texts.map((text) => listed(text).length)).toEqual([1, 1, 1, 0, 0, 0]);
  });

  test("stand nowhere but with the operations", () => {
    const found = packageSources()
      .filter(({ path }) => !path.startsWith("ops/") && !path.startsWith("testing/"))
      .flatMap(({ packageName, path, text }) =>
        listed(text).map((pair) => `packages/${packageName}/src/${path}: lists ${pair}: ask for a trait`),
      );
    expect(found.join("\n")).toBe("");
  });
});
