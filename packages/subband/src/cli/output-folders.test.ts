import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withFolders } from "./output-folders.ts";

let dir: string;
const at = (name: string): string => join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-folders-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("withFolders()", () => {
  test("makes the folders before the work, and leaves nothing else in them", async () => {
    const seen = await withFolders([at("a/b/x.png"), at("c/y.png"), at("z.png")], () =>
      Promise.resolve(readdirSync(dir, { recursive: true }).map(String).toSorted()),
    );
    expect(seen).toEqual(["a", join("a", "b"), "c"]);
  });

  test("takes back those that the failed work left empty, and no others", async () => {
    mkdirSync(at("old"));
    await expect(
      withFolders([at("old/new/x.png"), at("kept/sub/x.png")], () => {
        writeFileSync(at("kept/y.png"), "");
        return Promise.reject(new Error("no"));
      }),
    ).rejects.toThrow("no");
    expect(readdirSync(dir, { recursive: true }).map(String).toSorted()).toEqual([
      "kept",
      join("kept", "y.png"),
      "old",
    ]);
  });

  test("a folder that takes no files is told before the work", async () => {
    let worked = false;
    await expect(
      withFolders([at("made/x.png"), "/proc/x.png"], () => {
        worked = true;
        return Promise.resolve();
      }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^file\//) as string });
    expect([worked, existsSync(at("made"))]).toEqual([false, false]);
  });
});
