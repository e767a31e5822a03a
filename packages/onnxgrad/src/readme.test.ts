import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { conv2d } from "./ops/conv.ts";
import { input } from "./ops/source.ts";
import { scope } from "./trace/scope.ts";

const packageRoot = fileURLToPath(new URL("..", import.meta.url));
const readme = await readFile(join(packageRoot, "README.md"), "utf8");
const blocks = [...readme.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language, text]) => ({
  language,
  text: text!,
}));

describe("README.md", () => {
  test("its example runs and its loss falls as it says", async () => {
    const example = blocks.find(({ language }) => language === "ts")!.text;
    // Beside package.json, so that it imports this package by its name.
    const file = join(packageRoot, `.readme-example-${process.pid}.ts`);
    await writeFile(file, example);
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [
        "--import",
        createRequire(import.meta.url).resolve("tsx"),
        "--conditions=@subband/source",
        file,
      ]);
      const losses = stdout
        .trim()
        .split("\n")
        .map((line) => Number(/^step \d+: loss ([\d.]+)$/.exec(line)?.[1]));
      expect(losses).toHaveLength(6);
      expect(losses[0]).toBeGreaterThan(0.6);
      expect(losses.at(-1)).toBeLessThan(0.1);
    } finally {
      await rm(file, { force: true });
    }
  });

  test("the error message it shows is the one that is thrown", () => {
    const shown = blocks.find(({ language }) => language === "")!.text.trim();
    const wrong = () => conv2d(input("x", [1, 3, 8, 8]), input("w", [4, 2, 3, 3]));
    expect(() => scope("unet", () => scope("down.0", wrong))).toThrow(shown);
  });
});
