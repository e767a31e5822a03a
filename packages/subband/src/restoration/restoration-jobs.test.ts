import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { restorationJobs } from "./restoration-jobs.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-jobs-"));
const at = (name: string): string => join(dir, name);
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeAll(() => {
  for (const folder of ["refs", "out", "runs/old/samples"]) mkdirSync(at(folder), { recursive: true });
  for (const name of [
    ...["a.png", "b.jpg", "mask.png", "refs/a.png", "refs/b.jpg", "out/a.png", "runs/old/samples/100.png"],
    ...["runs/old/run.json", "photo.heic"],
  ])
    writeFileSync(at(name), "x");
  symlinkSync(at("refs"), `${dir}-link`);
});
afterAll(() => rmSync(`${dir}-link`, { force: true }));

describe("restorationJobs() of a folder", () => {
  test("takes no mask, no references, no run and no result of its own for a picture to restore", async () => {
    const { jobs, leftOut } = await restorationJobs({
      ...{ input: dir, out: at("out"), suffix: "filled" },
      ...{ reference: `${dir}-link`, otherInputs: [at("refs/../mask.png")] },
    });
    expect(jobs.map(({ name }) => name)).toEqual(["a.png", "b.jpg"]);
    expect(leftOut).toEqual([
      { name: "mask.png", reason: "another input" },
      { name: "out", reason: "own output" },
      { name: "photo.heic", reason: "format not supported" },
      { name: "refs", reason: "another input" },
      { name: "runs/old", reason: "folder of a run" },
    ]);
  });

  test("compares a folder with itself", async () => {
    const { jobs } = await restorationJobs({
      ...{ input: at("refs"), out: at("new"), suffix: "denoised", reference: at("refs") },
    });
    expect(jobs.map(({ name }) => name)).toEqual(["a.png", "b.jpg"]);
  });
});
