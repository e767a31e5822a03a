import { expect, test } from "vitest";
import { textOf } from "../repo/sources.ts";
import { bundleTable, measureBundle } from "./bundle-size.ts";

/** Kilobytes in a cell such as `154 kB` or `14.2 MB`. */
function kilobytes(cell: string): number {
  const [, value, unit] = /^([\d.]+) (kB|MB)$/.exec(cell)!;
  return Number(value) * (unit === "MB" ? 1000 : 1);
}

test("a browser loads as much as the README of onnxgrad says, within 5 %", async () => {
  const readme = textOf("packages/onnxgrad/README.md");
  const measured = await measureBundle();
  for (const { what, minified, gzipped } of measured) {
    const row = readme.split("\n").find((line) => line.startsWith(`| ${what} |`));
    const cells = row?.split("|").slice(2, 4) ?? [];
    expect(
      cells,
      `the README has no row "${what}". npm run size prints the table:\n${bundleTable(measured)}`,
    ).toHaveLength(2);
    for (const [name, is, cell] of [
      ["minified", minified, cells[0]!],
      ["gzipped", gzipped, cells[1]!],
    ] as const) {
      const ratio = is / kilobytes(cell.trim());
      expect(
        Math.abs(ratio - 1),
        `${what}, ${name}: ${is.toFixed(0)} kB, the README says ${cell.trim()}. Make it smaller, or state it as npm run size prints it`,
      ).toBeLessThan(0.05);
    }
  }
}, 240_000);
