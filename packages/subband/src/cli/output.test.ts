import { describe, expect, test } from "vitest";
import { type CapturedIo, captureIo } from "./capture-io.testing.ts";
import type { Context } from "./context.ts";
import { answer, emit, formatColumns, formatTable, note } from "./output.ts";

function outside(flags: Partial<Context> = {}): { io: CapturedIo; context: Context } {
  const io = captureIo();
  return { io, context: { ...io, json: false, quiet: false, exitWith() {}, ...flags } };
}

describe("tables", () => {
  test("columns never run together, however long a header or a number is", () => {
    const rows = [
      ["level", "std ratio", "kurtosis generated"],
      ["1", "123456789.0123456789", "-1"],
    ];
    const lines = formatColumns(rows);
    expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual(rows);
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
    expect(formatColumns([])).toEqual([]);
  });

  test("names and values have two spaces between them", () => {
    const rows = [
      ["a", "1"],
      ["longer", "2"],
    ] as const;
    expect(formatTable(rows)).toEqual(["a       1", "longer  2"]);
  });
});

describe("results", () => {
  test("infinite numbers are strings in JSON, wherever they stand", () => {
    const { io, context } = outside({ json: true });
    const json = { a: Infinity, b: [-Infinity, { c: Number.NaN }], d: 1, e: null, f: undefined };
    answer(context, { lines: [], json });
    const told = JSON.parse(io.out) as { readonly a: string };
    expect(told).toEqual({ a: "Infinity", b: ["-Infinity", { c: "NaN" }], d: 1, e: null });
    expect(Number(told.a)).toBe(Infinity);
  });

  test("--quiet leaves answers and JSON, no reports and no notes", () => {
    const { io, context } = outside({ quiet: true });
    emit(context, { lines: ["done"], json: {} });
    note(context, "note");
    expect(io.out + io.err).toBe("");
    answer(context, { lines: ["found"], json: {} });
    expect(io.out).toBe("found\n");
    emit({ ...context, json: true }, { lines: ["done"], json: { n: 1 } });
    expect(io.out).toBe('found\n{"n":1}\n');
  });
});
