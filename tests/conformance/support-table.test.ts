/** @module `docs/support.md` says what the data say, and the data name checks that there are. */
import { describe, expect, test } from "vitest";
import { CHECKS } from "./checks.ts";
import { ALLOWANCES, DETOURS, disagreements, GAPS } from "./gaps.ts";
import { supportPage } from "./support-table.ts";

describe("the support table", () => {
  test("is the committed one; else run `npm run support`", async () => {
    await expect(supportPage()).toMatchFileSnapshot("../../docs/support.md");
  });

  test("knows only checks that there are, each once for a provider", () => {
    const ids = new Set(CHECKS.map(({ id }) => id));
    expect(ids.size, "every check has its own name").toBe(CHECKS.length);
    for (const entries of [GAPS, DETOURS]) {
      const named = entries.flatMap(({ providers, checks }) =>
        checks.flatMap((id) => providers.map((provider) => `${provider}: ${id}`)),
      );
      expect(new Set(named).size).toBe(named.length);
      expect(entries.flatMap(({ checks }) => checks).filter((id) => !ids.has(id))).toEqual([]);
    }
    const subjects = new Set(CHECKS.map(({ subject }) => subject));
    expect(ALLOWANCES.flatMap((each) => each.subjects).filter((name) => !subjects.has(name))).toEqual([]);
  });
});

describe("disagreements()", () => {
  const gap = GAPS[0]!;
  const [provider, id] = [gap.providers[0]!, gap.checks[0]!];
  const failing = Object.fromEntries(gap.parts.map((part) => [part, "why"]));

  test("finds nothing where everything is as known", () => {
    expect(disagreements("node-cpu", { id: "add / equal shapes", failures: {} })).toEqual([]);
    expect(disagreements(provider, { id, failures: failing, leavesDevice: false })).toEqual([]);
    const detour = DETOURS[0]!;
    expect(
      disagreements(detour.providers[0]!, { id: detour.checks[0]!, failures: {}, leavesDevice: true }),
    ).toEqual([]);
  });

  test("tells a new failure and one that has gone away", () => {
    expect(disagreements("node-cpu", { id, failures: { forward: "worse" } })).toEqual([
      `node-cpu, ${id}, forward: worse`,
    ]);
    const { [gap.parts[0]!]: _, ...fewer } = failing;
    expect(disagreements(provider, { id, failures: fewer })).toEqual([
      `${provider}, ${id}, ${gap.parts[0]}: passes, though GAPS says that it does not. Remove it there.`,
    ]);
  });

  test("tells a check that leaves the device, and one that no longer does", () => {
    const detour = DETOURS[0]!;
    expect(
      disagreements("node-webgpu", { id: "add / equal shapes", failures: {}, leavesDevice: true }),
    ).toEqual([
      "node-webgpu, add / equal shapes: leaves the device for the CPU. Add it to DETOURS with the reason.",
    ]);
    expect(
      disagreements(detour.providers[0]!, { id: detour.checks[0]!, failures: {}, leavesDevice: false }),
    ).toEqual([
      `${detour.providers[0]}, ${detour.checks[0]}: stays on the device, though DETOURS says that it does not. Remove it there.`,
    ]);
  });
});
