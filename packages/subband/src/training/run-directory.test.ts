import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { isRun, openRunForTraining, readRun, type RunRecord, runPaths, writeRun } from "./run-directory.ts";
import { versions } from "./versions.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-run-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const Config = z.strictObject({
  preset: z.enum(["wmgm", "wmgm-faithful"]),
  model: z.strictObject({ width: z.int().positive() }),
});
const RECORD: RunRecord<z.infer<typeof Config>> = {
  versions: { subband: "0.1.0", onnxgrad: "0.1.0" },
  seed: 7,
  imagesSeen: { low: 51200, detail: 12800 },
  config: { preset: "wmgm", model: { width: 64 } },
};

/** Writes a run whose run.json is `change`d by hand. */
function edited(change: (json: Record<string, unknown>) => void): string {
  writeRun(dir, RECORD);
  const json = JSON.parse(readFileSync(runPaths(dir).run, "utf8")) as Record<string, unknown>;
  change(json);
  writeFileSync(runPaths(dir).run, JSON.stringify(json));
  return dir;
}

function failure(at: string = dir): UserError {
  try {
    readRun(at, { 2: Config });
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).not.toContain("\n");
    return error as UserError;
  }
  throw new Error("it was read");
}

describe("writeRun(), readRun()", () => {
  test("give back the record, as JSON that people can read", () => {
    writeRun(dir, RECORD);
    expect(readRun(dir, { 2: Config })).toEqual(RECORD);
    expect(readFileSync(runPaths(dir).run, "utf8")).toMatch(/^\{\n {2}"format": 2,\n[^]*\n\}\n$/);
  });

  test("numbers of a list stand on one line, and every text comes back as it was", () => {
    const config = {
      pace: {
        low: [
          [0, 800],
          [64, 1200],
          [128, 1600, 0.25],
        ],
        detail: [],
      },
      list: [1, -2.5e-7, 3],
      texts: ["[", "[\n1,\n2\n]", "a [ 1, 2 ]"],
      empty: [],
    };
    writeRun(dir, { ...RECORD, config });
    expect(readRun(dir, { 2: z.unknown() }).config).toEqual(config);
    const lines = readFileSync(runPaths(dir).run, "utf8").split("\n");
    expect(lines).toContain('    "list": [ 1, -2.5e-7, 3 ],');
    expect(lines).toContain("        [ 128, 1600, 0.25 ]");
  });

  const BY_HAND =
    "It was made by another version or edited by hand: mend that field, or train into a new folder.";
  const EDITS: readonly [string, (json: Record<string, unknown>) => void, string][] = [
    [
      "a wrong type in the configuration",
      (j) => (j["config"] = { preset: "wmgm", model: { width: "64" } }),
      "config.model.width: expected number, received string.",
    ],
    [
      "a wrong name",
      (j) => (j["config"] = { preset: "wmgn", model: { width: 64 } }),
      'config.preset: Invalid option: expected one of "wmgm"|"wmgm-faithful".',
    ],
    [
      "a field that another version knew",
      (j) => (j["config"] = { ...RECORD.config, speed: 1 }),
      'config: Unrecognized key: "speed".',
    ],
    ["a missing configuration", (j) => delete j["config"], "config: expected object, received undefined."],
    [
      "two mistakes",
      (j) => (j["config"] = { preset: "wmgm", model: { width: -1 }, x: 1 }),
      "config.model.width: Too small: expected number to be >0 (and 1 more).",
    ],
    ["a wrong seed", (j) => (j["seed"] = 1.5), "seed: expected int, received number."],
    [
      "a wrong count",
      (j) => (j["imagesSeen"] = { low: -1 }),
      "imagesSeen.low: Too small: expected number to be >=0.",
    ],
    ["a missing format", (j) => delete j["format"], "format: expected number, received undefined."],
    ["a format that never was", (j) => (j["format"] = 1), "format: there is no 1."],
    ["a strange field", (j) => (j["sed"] = 1), 'Unrecognized key: "sed".'],
  ];
  test.each(EDITS)("%s is one line that names the field", (_, change, what) => {
    const error = failure(edited(change));
    expect(error.code).toBe("run/invalid");
    expect(error.message).toBe(`bad run.json in "${dir}": ${what} ${BY_HAND}`);
  });

  test("torn JSON is one line", () => {
    writeFileSync(runPaths(dir).run, '{\n "format": 1,\n');
    expect(failure().code).toBe("run/invalid");
    // What the parser says quotes the file, line breaks and all.
    for (const text of ['{\n "format":\n q 1\n}', "\u001b[2J", '{"a":\n\u0000}']) {
      writeFileSync(runPaths(dir).run, text);
      // eslint-disable-next-line no-control-regex
      expect(failure().message).not.toMatch(/[\u0000-\u001f]/);
    }
    writeFileSync(runPaths(dir).run, "[1]");
    expect(failure().message).toContain("expected object, received array");
  });

  test("a newer format is refused by number and maker, whatever else is in it", () => {
    const error = failure(
      edited((json) => {
        json["format"] = 3;
        json["versions"] = { subband: "9.1.0" };
        json["layout"] = [];
      }),
    );
    expect(error.code).toBe("run/newer-format");
    expect(error.message).toBe(
      `run of a newer version: "${dir}" has format 3, made by subband 9.1.0; this is subband ${versions().subband}, which reads up to format 2. Update subband.`,
    );
    expect(failure(edited((json) => Object.assign(json, { format: 4, versions: 1 }))).message).toContain(
      "has format 4; this is",
    );
  });

  test("what is no run says so", () => {
    expect(failure(join(dir, "missing")).code).toBe("run/missing");
    expect(failure(join(dir, "missing")).message).toContain(
      `subband train --data faces --out ${join(dir, "missing")}`,
    );
    expect(failure().message).toBe(
      `not a run directory: "${dir}" has no run.json. Give a directory made by subband train.`,
    );
    writeFileSync(join(dir, "file"), "");
    expect(failure(join(dir, "file")).code).toBe("run/not-a-run");
  });
});

describe("openRunForTraining()", () => {
  test("makes the folders, locks them, and clears what a killed trainer left half-written", () => {
    const run = join(dir, "runs", "a");
    openRunForTraining(run).release();
    expect(readdirSync(run)).toEqual(["samples"]);
    expect(isRun(run)).toBe(false);
    writeFileSync(join(run, ".state.next.safetensors.123.tmp"), "torn");
    const lock = openRunForTraining(run); // as after a crash before run.json
    expect(readdirSync(run).sort()).toEqual(["lock.json", "samples"]);
    expect(() => openRunForTraining(run)).toThrow(/^run in use: /);
    writeRun(run, RECORD);
    expect(isRun(run)).toBe(true);
    lock.release();
    openRunForTraining(run).release();
  });

  test("refuses a folder of other things, and leaves it as it was", () => {
    writeFileSync(join(dir, "holiday.jpg"), "");
    expect(() => openRunForTraining(dir)).toThrow(
      new UserError(
        "run/occupied",
        `folder in use: "${dir}" is no run and holds other things ("holiday.jpg"). Give --out a new or empty folder.`,
      ),
    );
    expect(readdirSync(dir)).toEqual(["holiday.jpg"]);
  });

  test("a place that cannot be written is a user error", () => {
    writeFileSync(join(dir, "file"), "");
    const places = [join(dir, "file"), join(dir, "file", "run"), join(dir, "file", "a", "b")];
    if (process.platform === "linux") places.push("/proc/run/a"); // refuses new names even to root
    for (const place of places)
      expect(() => openRunForTraining(place), place).toThrow(
        new RegExp(
          `^not writable: "${place}" \\(E[A-Z]+\\)\\. Choose another --out, or change its permissions\\.$`,
        ),
      );
    mkdirSync(join(dir, "taken"));
    writeFileSync(join(dir, "taken", "samples"), "");
    expect(() => openRunForTraining(join(dir, "taken"))).toThrow(UserError);
    expect(readdirSync(join(dir, "taken"))).toEqual(["samples"]);
  });
});
