/** @module The API reference: TypeDoc reads every entry point of the packages, and has nothing to warn of. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { ROOT, textOf } from "./sources.ts";

const typedoc = join(ROOT, "tools/node_modules/typedoc/bin/typedoc");
const missing = existsSync(typedoc) ? undefined : "no TypeDoc here: npm ci --prefix tools";

describe("the API reference", () => {
  test("covers every import path of the packages", () => {
    const { entryPoints } = JSON.parse(textOf("tools/typedoc.json")) as { entryPoints: readonly string[] };
    const sources = ["onnxgrad", "subband"].flatMap((name) => {
      const { exports } = JSON.parse(textOf(`packages/${name}/package.json`)) as {
        exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
      };
      return Object.values(exports).map((each) => join("packages", name, each["@subband/source"]!));
    });
    const covered = entryPoints.map((path) => relative(ROOT, join(ROOT, "tools", path)));
    expect(covered.toSorted()).toEqual(sources.toSorted());
  });

  test.skipIf(missing !== undefined)(
    `is built without a warning ${missing ?? ""}`,
    async () => {
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [typedoc, "--options", join(ROOT, "tools/typedoc.json"), "--emit", "none", "--logLevel", "Warn"],
        { env: { ...process.env, NO_COLOR: "1" } },
      ).catch((error: { readonly stdout: string; readonly stderr: string }) => error);
      expect(stdout + stderr).toBe("");
    },
    180_000,
  );
});
