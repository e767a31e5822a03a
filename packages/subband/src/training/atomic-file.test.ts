import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeTemporaries, writeFileAtomic } from "./atomic-file.ts";
import { failingFileSystem } from "./failing-file-system.testing.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-atomic-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The UserError that `act` throws. */
function userError(act: () => void): UserError {
  try {
    act();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Mounts a file system in memory at `at`; false, with the reason printed, where this user may not. */
function mountTmpfs(at: string, options: string): boolean {
  try {
    mkdirSync(at, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", at], { stdio: "pipe" });
    return true;
  } catch (error) {
    process.stderr.write(`skipped: cannot mount a tmpfs here (${(error as Error).message.split("\n")[0]})\n`);
    return false;
  }
}

describe("writeFileAtomic()", () => {
  test("writes text and bytes, replaces what was there, leaves no other file", () => {
    const path = join(dir, "a.bin");
    writeFileAtomic(path, "größe\n");
    expect(readFileSync(path, "utf8")).toBe("größe\n");
    const bytes = Uint8Array.from({ length: 100_003 }, (_, i) => (i * 31) & 255);
    writeFileAtomic(path, bytes.subarray(3));
    expect(readFileSync(path).equals(bytes.subarray(3))).toBe(true);
    writeFileAtomic(path, new Uint8Array());
    expect(readFileSync(path)).toHaveLength(0);
    expect(readdirSync(dir)).toEqual(["a.bin"]);
  });

  test("syncs the file before it renames, and the folder after", () => {
    const files = failingFileSystem(Infinity, "crash");
    writeFileAtomic(join(dir, "a"), "x", files);
    expect(files.calls.filter((call) => call === "fsyncSync" || call === "renameSync")).toEqual([
      "fsyncSync",
      "renameSync",
      "fsyncSync",
    ]);
  });

  const CASES = [
    ["ENOSPC", "file/disk-full", "free some space and run the same command again"],
    ["EDQUOT", "file/disk-full", "free some space and run the same command again"],
    ["EACCES", "file/not-writable", "change its permissions"],
    ["EROFS", "file/not-writable", "change its permissions"],
    ["EIO", "file/cannot-write", "mend this one"],
  ] as const;
  test.each(CASES)("on %s before the rename keeps the old file and says %s", (code, slug, remedy) => {
    const path = join(dir, "a");
    writeFileSync(path, "old");
    const steps = failingFileSystem(Infinity, "crash");
    writeFileAtomic(join(dir, "b"), "new", steps);
    rmSync(join(dir, "b"));
    for (let failAt = 0; failAt <= steps.calls.indexOf("renameSync"); failAt++) {
      const what = `${code} at call ${failAt} (${steps.calls[failAt]})`;
      const error = userError(() => writeFileAtomic(path, "new", failingFileSystem(failAt, { code })));
      expect(error.code, what).toBe(slug);
      expect(error.message, what).toContain(path);
      expect(error.message, what).toContain(remedy);
      expect(readFileSync(path, "utf8"), what).toBe("old");
      expect(readdirSync(dir), what).toEqual(["a"]);
    }
  });

  test("on a full disk of 64 kB loses nothing, says what to do, and works once there is space", ({
    skip,
  }) => {
    const disk = join(dir, "disk");
    if (!mountTmpfs(disk, "size=64k")) skip();
    try {
      const path = join(disk, "state");
      writeFileAtomic(path, new Uint8Array(20_000).fill(1));
      const big = new Uint8Array(60_000).fill(2);
      const error = userError(() => writeFileAtomic(path, big));
      expect(error.code).toBe("file/disk-full");
      expect(error.message).toBe(
        `disk full: cannot write "${path}" (0.1 MB to write). What was saved before is intact: free some space and run the same command again.`,
      );
      expect(readFileSync(path).equals(new Uint8Array(20_000).fill(1))).toBe(true);
      expect(readdirSync(disk)).toEqual(["state"]);
      writeFileAtomic(path, new Uint8Array(30_000).fill(3));
      expect(readFileSync(path)).toHaveLength(30_000);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("on a disk mounted read-only says so", ({ skip }) => {
    const disk = join(dir, "disk");
    if (!mountTmpfs(disk, "size=64k,ro")) skip();
    try {
      expect(userError(() => writeFileAtomic(join(disk, "a"), "x")).code).toBe("file/not-writable");
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("into a folder that is missing, or is a file, names the folder", () => {
    writeFileSync(join(dir, "file"), "");
    for (const folder of ["missing", "file"]) {
      const error = userError(() => writeFileAtomic(join(dir, folder, "a"), "x"));
      expect(error.code, folder).toBe("file/no-folder");
      expect(error.message, folder).toContain(`no such folder: "${join(dir, folder)}"`);
    }
  });

  test("over a folder of the same name fails and leaves no temporary file", () => {
    mkdirSync(join(dir, "a"));
    expect(userError(() => writeFileAtomic(join(dir, "a"), "x")).code).toBe("file/cannot-write");
    expect(readdirSync(dir)).toEqual(["a"]);
  });

  test("replaces no device, pipe, socket or link to nothing, nor a link to such", async () => {
    execFileSync("mkfifo", [join(dir, "pipe")]);
    const server = createServer().listen(join(dir, "socket"));
    await once(server, "listening");
    symlinkSync("nowhere", join(dir, "dangling"));
    symlinkSync("/dev/null", join(dir, "null"));
    symlinkSync("pipe", join(dir, "link to pipe"));
    symlinkSync("loop", join(dir, "loop"));
    const before = readdirSync(dir).sort();
    for (const [name, what] of [
      ["pipe", "is a pipe"],
      ["socket", "is a socket"],
      ["dangling", "is a dangling link"],
      ["null", "is a device"],
      ["link to pipe", "is a pipe"],
      ["loop", "ELOOP"],
    ] as const) {
      const path = join(dir, name);
      const was = lstatSync(path);
      const error = userError(() => writeFileAtomic(path, "x"));
      expect([error.code, error.message.includes(what)], name).toEqual(["file/cannot-write", true]);
      expect(lstatSync(path).ino, name).toBe(was.ino);
    }
    expect(readdirSync(dir).sort()).toEqual(before);
    server.close();
  });

  test("a name as long as a folder takes is written, and its temporary file is shorter", () => {
    const name = "n".repeat(255);
    writeFileAtomic(join(dir, name), "x");
    writeFileAtomic(join(dir, "\u{1f40e}".repeat(63)), "x");
    expect(readdirSync(dir)).toContain(name);
    expect(readdirSync(dir)).toHaveLength(2);
  });

  test("through a link and back, the file lies where the system says, not where the text says", () => {
    mkdirSync(join(dir, "deep/er"), { recursive: true });
    symlinkSync("deep/er", join(dir, "link"));
    writeFileAtomic(`${dir}/link/../a`, "x"); // of deep/er
    expect(readdirSync(join(dir, "deep")).sort()).toEqual(["a", "er"]);
  });
});

describe("removeTemporaries()", () => {
  test("removes what a killed writer left and nothing else", () => {
    const crash = failingFileSystem(1, "crash"); // dies in the middle of its write
    expect(() => writeFileAtomic(join(dir, "state"), "12345678", crash)).toThrow("crash");
    for (const name of ["keep", ".hidden", "a.tmp", ".a.tmp"]) writeFileSync(join(dir, name), "");
    expect(readdirSync(dir)).toHaveLength(5);
    removeTemporaries(dir);
    expect(readdirSync(dir).sort()).toEqual([".a.tmp", ".hidden", "a.tmp", "keep"]);
  });
});
