import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { UserError } from "onnxgrad";
import { expect, test } from "vitest";
import { describeError, type ErrorLine } from "./describe-error.ts";

/** What is said of the error that `act` throws. */
function told(act: () => unknown): ErrorLine {
  try {
    act();
  } catch (error) {
    return describeError(error, new Command("subband"));
  }
  throw new Error("nothing was thrown");
}

test("what the system refuses is no bug: its words, the path and the code", () => {
  const dir = mkdtempSync(join(tmpdir(), "subband-errors-"));
  const loop = join(dir, "loop");
  symlinkSync("loop", loop);
  for (const [act, code, words] of [
    [
      () => statSync(loop),
      "system/eloop",
      `"${loop}": too many symbolic links encountered (ELOOP). Mend that`,
    ],
    [() => statSync(join(dir, "n".repeat(300))), "system/enametoolong", "name too long (ENAMETOOLONG)"],
    [() => readFileSync(dir), "system/eisdir", "illegal operation on a directory (EISDIR)"],
    [() => readFileSync(join(dir, "line\nbreak")), "system/enoent", "line break"],
  ] as const) {
    const { message, ...rest } = told(act);
    expect(rest).toEqual({ code, exitCode: 1 });
    expect(message).toContain(words);
    expect(message).not.toContain("\n");
  }
  rmSync(dir, { recursive: true });
});

test("nor is a number too large for the memory", () => {
  for (const act of [
    () => new Float32Array(2 ** 52),
    () => new ArrayBuffer(2 ** 52),
    () => new Array(2 ** 33),
    () => "x".repeat(2 ** 31),
  ])
    expect(told(act)).toMatchObject({
      code: "memory",
      exitCode: 1,
      message: expect.stringMatching(/^not enough memory: .*Ask for less at a time/) as string,
    });
});

test("an interruption is 130, a mistake 1, a bug of ours is called one", () => {
  const fail = (error: Error): ErrorLine =>
    told(() => {
      throw error;
    });
  expect(fail(new UserError("restoration/stopped", "stopped."))).toMatchObject({ exitCode: 130 });
  expect(describeError(new UserError("restoration/stopped", "stopped."), new Command(), 143).exitCode).toBe(
    143,
  );
  expect(fail(new UserError("data/empty", "empty.\n Fill it."))).toEqual({
    code: "data/empty",
    message: "empty. Fill it.",
    exitCode: 1,
  });
  expect(fail(new RangeError("toString() radix must be between 2 and 36"))).toMatchObject({
    code: "internal",
    exitCode: 1,
  });
});
