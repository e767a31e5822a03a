import { describe, expect, test } from "vitest";
import { checkFilePlan, type FilePlan } from "./file-plan.ts";
import type { Place } from "./place.ts";

/** A snapshot: what stands at each path; anything else is free. */
const PLACES: Readonly<Record<string, Partial<Place>>> = {
  "in.png": { identity: "1:1", target: "file" },
  "hard-link.png": { identity: "1:1", target: "file" },
  "mask.png": { identity: "1:2", target: "file" },
  "old.png": { identity: "1:3", target: "file" },
  "dir/x.png": { identity: "1:9/x.png" },
  "DIR/X.png": { identity: "1:9/x.png" },
  null: { identity: "1:4", target: "device", refusal: "it is a device, no file" },
  "run/run.json": { identity: "1:5", home: { kind: "run", folder: "/run", within: "run.json" } },
  "run/samples/1.png": { home: { kind: "run", folder: "/run", within: "samples/1.png" } },
  "run/.x": { home: { kind: "run", folder: "/run", within: ".x" } },
  "run/new.png": { home: { kind: "run", folder: "/run", within: "new.png" } },
  "model/x.png": { home: { kind: "model", folder: "/model", within: "x.png" } },
  grid: { identity: "1:9/grid" },
  "grid/0.png": { identity: "1:9/grid/0.png" },
};

const look = (path: string): Place => ({ target: "absent", identity: `new ${path}`, ...PLACES[path] });

const plan = (writes: readonly string[], more: Partial<FilePlan> = {}): FilePlan => ({
  reads: [
    { path: "in.png", what: "the input" },
    { path: "mask.png", what: "--mask" },
  ],
  writes: writes.map((path, i) => ({ path, what: i === 0 ? "--out" : `--other${i}`, replaces: "in.png" })),
  ...more,
});

describe("checkFilePlan()", () => {
  const REFUSED: readonly [string, FilePlan, string, string][] = [
    [
      "its input",
      plan(["in.png"]),
      "file/replaces-input",
      "would replace its own input. Give --out another place, or --force.",
    ],
    [
      "its input by another name",
      plan(["hard-link.png"]),
      "file/replaces-input",
      "would replace its own input",
    ],
    [
      "another input",
      plan(["mask.png"]),
      "file/replaces-input",
      '--out: "mask.png" is --mask, which is only read.',
    ],
    [
      "another input by force",
      plan(["mask.png"], { force: true }),
      "file/replaces-input",
      "which is only read",
    ],
    [
      "its input by force, where that is the mask, too",
      plan(["in.png"], {
        force: true,
        reads: [
          { path: "in.png", what: "the input" },
          { path: "hard-link.png", what: "--mask" },
        ],
      }),
      "file/replaces-input",
      "would replace its own input",
    ],
    [
      "the other output",
      plan(["a.png", "a.png"]),
      "file/one-output",
      '--out and --other1 would be one file: "a.png".',
    ],
    [
      "the other output in other letters",
      plan(["dir/x.png", "DIR/X.png"]),
      "file/one-output",
      '"dir/x.png" and "DIR/X.png"',
    ],
    [
      "the folder of another output",
      plan(["grid/0.png", "grid"]),
      "file/one-output",
      '--other1: "grid" would have to be a folder, too',
    ],
    ["a device", plan(["null"]), "file/cannot-write", 'cannot write "null", --out: it is a device, no file.'],
    [
      "run.json",
      plan(["run/run.json"]),
      "file/part-of-run",
      '--out: "run/run.json" is part of the run "/run".',
    ],
    [
      "run.json of the command's run",
      plan(["run/run.json"], { about: "/run" }),
      "file/part-of-run",
      "is part of",
    ],
    ["a preview", plan(["run/samples/1.png"], { about: "/run" }), "file/part-of-run", "is part of"],
    ["a hidden file of a run", plan(["run/.x"], { about: "/run" }), "file/part-of-run", "is part of"],
    ["a new file in a run", plan(["run/new.png"]), "file/part-of-run", 'lies in the run "/run"'],
    [
      "a new file in a model",
      plan(["model/x.png"], { about: "/model" }),
      "file/part-of-run",
      "whose folder holds nothing else",
    ],
  ];
  test.each(REFUSED)("refuses %s", (_, refused, code, words) => {
    expect(() => checkFilePlan(refused, look)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) as string }) as Error,
    );
  });

  test("lets pass what is new, an older result, its own input by force, and a new file in the command's run", () => {
    checkFilePlan(plan(["a.png", "b.png", "old.png"]), look);
    checkFilePlan(plan(["in.png"], { force: true }), look);
    checkFilePlan(plan(["run/new.png"], { about: "/run" }), look);
    checkFilePlan({ reads: [], writes: [] }, look);
  });

  test("a hundred thousand outputs take no time that matters", () => {
    const writes = Array.from({ length: 100_000 }, (_, i) => ({ path: `${i}.png`, what: "--each" }));
    const began = performance.now();
    checkFilePlan({ reads: writes.map(({ path }) => ({ path: `in ${path}`, what: "" })), writes }, look);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
