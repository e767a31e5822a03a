import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { loadCheckpoint } from "./checkpoint.ts";
import { openMetricsLog, readMetrics } from "./metrics-log.ts";
import { loadModel } from "./model-file.ts";
import { readLargeFile, readRegularFile } from "./regular-file.ts";
import { openRunForTraining, readRun } from "./run-directory.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-regular-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("readRegularFile(), readLargeFile()", () => {
  test("read a file, through a link too, and know when there is none", async () => {
    writeFileSync(join(dir, "a"), "text");
    symlinkSync("a", join(dir, "b"));
    symlinkSync("nowhere", join(dir, "c"));
    expect(readRegularFile(join(dir, "a"))!.toString()).toBe("text");
    expect(readRegularFile(join(dir, "b"))!.toString()).toBe("text");
    expect((await readLargeFile(join(dir, "b")))!.toString()).toBe("text");
    for (const name of ["c", "d", "a/e"]) {
      expect(readRegularFile(join(dir, name)), name).toBeUndefined();
      expect(await readLargeFile(join(dir, name)), name).toBeUndefined();
    }
  });

  test.runIf(process.platform !== "win32")("name what is no file, without waiting for it", async () => {
    const path = (name: string): string => join(dir, name);
    execFileSync("mkfifo", [path("pipe")]);
    mkdirSync(path("folder"));
    const server = createServer().listen(path("socket"));
    await once(server, "listening");
    try {
      const kinds = [
        ["pipe", "a named pipe"],
        ["folder", "a folder"],
        ["socket", "a socket"],
      ] as const;
      for (const [name, kind] of kinds)
        expect(() => readRegularFile(path(name)), name).toThrow(
          new UserError(
            "file/irregular",
            `not a file: "${path(name)}" is ${kind}. Move it away, or give another path.`,
          ),
        );
      expect(() => readRegularFile("/dev/zero")).toThrow("is a device");
    } finally {
      server.close();
    }
  });
});

describe.runIf(process.platform !== "win32")("a named pipe in the place of a file of a run", () => {
  const READERS: readonly [string, () => unknown][] = [
    ["run.json", () => readRun(dir, { 2: z.unknown() })],
    ["state.safetensors", () => loadCheckpoint(dir)],
    ["state.next.safetensors", () => loadCheckpoint(dir)],
    ["metrics.jsonl", () => readMetrics(join(dir, "metrics.jsonl"))],
    ["metrics.jsonl", () => openMetricsLog(join(dir, "metrics.jsonl"))],
    ["metrics.jsonl", () => openRunForTraining(dir)],
    ["model.safetensors", () => loadModel(dir)],
  ];
  test.each(READERS)("%s is refused in one line", async (name, read) => {
    execFileSync("mkfifo", [join(dir, name)]);
    await expect(async () => read()).rejects.toThrow(
      expect.objectContaining({
        code: "file/irregular",
        message: `not a file: "${join(dir, name)}" is a named pipe. Move it away, or give another path.`,
      }),
    );
    expect(readdirSync(dir)).toEqual([name]);
  });
});
