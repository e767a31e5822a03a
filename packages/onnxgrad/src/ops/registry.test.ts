import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { registry } from "./registry.ts";

/** Operations that passes put into graphs after differentiation, for some kernels alone. */
const OF_PASSES = ["conv-winograd.ts"];

describe("registry", () => {
  test("holds every operation that a file declares, once, by its own name", async () => {
    const folder = new URL("./", import.meta.url);
    const files = readdirSync(folder).filter(
      (name) => /^[\w-]+\.ts$/.test(name) && !OF_PASSES.includes(name),
    );
    const modules = await Promise.all(
      files.map((name) => import(new URL(name, folder).href) as Promise<Record<string, unknown>>),
    );
    const declared = modules
      .flatMap((each) => Object.entries(each))
      .filter(([name, value]) => name.endsWith("Op") && typeof value === "object");
    expect(declared.length).toBeGreaterThan(50);
    for (const [name, op] of declared) expect(op, name).toMatchObject({ name: name.replace(/Op$/, "") });
    const names = registry.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect([...names].sort()).toEqual(declared.map(([name]) => name.replace(/Op$/, "")).sort());
  });
});
