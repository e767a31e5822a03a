import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FileSystem } from "./atomic-file.ts";
import { failingFileSystem } from "./failing-file-system.testing.ts";
import { acquireLock, LOCK_FILE, lockHolder, removeLeftovers } from "./lock.ts";
import { openRunForTraining } from "./run-directory.ts";

let dir: string;
let children: ChildProcess[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-lock-"));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

const LOCK_MODULE = new URL("./lock.ts", import.meta.url).href;

/** A process that runs `body` with `acquireLock` and `dir` in scope; resolves at its first line of output. */
async function child(body: string): Promise<{ process: ChildProcess; line: string }> {
  const code = `import { acquireLock } from ${JSON.stringify(LOCK_MODULE)}; const dir = ${JSON.stringify(dir)}; ${body}`;
  const started = spawn(
    process.execPath,
    ["--import", "tsx", "--conditions=@subband/source", "--input-type=module", "-e", code],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(started);
  const [line] = (await once(started.stdout, "data")) as [Buffer];
  return { process: started, line: line.toString().trim() };
}

const HOLD = `acquireLock(dir); console.log("held"); process.stdin.resume();`;
const TRY = `try { acquireLock(dir); console.log("held"); process.stdin.resume(); } catch (error) { console.log(error.code); }`;

function refusal(): UserError {
  try {
    acquireLock(dir).release();
  } catch (error) {
    return error as UserError;
  }
  throw new Error("the lock was given");
}

describe("acquireLock()", () => {
  test("a living process is respected, a killed one is taken over, a finished one leaves nothing", async () => {
    const holder = await child(HOLD);
    expect(holder.line).toBe("held");
    const pid = holder.process.pid!;
    expect(lockHolder(dir)?.pid).toBe(pid);
    const error = refusal();
    expect(error).toBeInstanceOf(UserError);
    expect(error.code).toBe("run/locked");
    expect(error.message).toMatch(
      new RegExp(
        `^run in use: "${dir}" is being trained by process ${pid} on ${hostname()}, started \\S+Z\\. ` +
          `Wait for it or stop it; if it no longer exists, delete "${join(dir, LOCK_FILE)}"\\.$`,
      ),
    );

    holder.process.kill("SIGKILL");
    await once(holder.process, "exit");
    expect(existsSync(join(dir, LOCK_FILE)), "a killed process leaves its lock").toBe(true);
    expect(lockHolder(dir)).toBeUndefined();
    const lock = acquireLock(dir);
    expect(lockHolder(dir)?.pid).toBe(process.pid);
    lock.release();
    expect(readdirSync(dir)).toEqual([]);

    const next = await child(HOLD);
    expect(next.line).toBe("held");
    next.process.stdin!.end(); // ends by itself, without release()
    await once(next.process, "exit");
    expect(readdirSync(dir)).toEqual([]);
  });

  test("of several processes that find a dead one's lock, one gets it", async () => {
    writeHolder({ pid: 2 ** 22 + 1 }); // above Linux's largest process number
    const lines = (await Promise.all([child(TRY), child(TRY)])).map(({ line }) => line);
    expect(lines.sort()).toEqual(["held", "run/locked"]);
    expect(readdirSync(dir)).toEqual([LOCK_FILE]);
  });

  test("is refused a second time within one process", () => {
    const lock = acquireLock(dir);
    expect(refusal().code).toBe("run/locked");
    lock.release();
    lock.release();
    acquireLock(dir).release();
  });

  test("another machine's lock is respected, whatever its process number", () => {
    writeHolder({ pid: 2 ** 22 + 1, host: "elsewhere" });
    expect(refusal().message).toContain("on elsewhere");
  });

  test.runIf(process.platform === "linux")(
    "a number that a younger process has now is no sign of life",
    () => {
      writeHolder({ pid: process.pid, identity: "some-boot:1" });
      expect(lockHolder(dir)).toBeUndefined();
      acquireLock(dir).release();
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  test("a lock file without sense is left to the user", () => {
    writeFileSync(join(dir, LOCK_FILE), "{");
    expect(refusal().message).toContain(
      `by an unknown process. Wait for it or stop it; if it no longer exists, delete`,
    );
    expect(readFileSync(join(dir, LOCK_FILE), "utf8")).toBe("{");
  });

  test("releasing leaves a lock that is another's by now", () => {
    const lock = acquireLock(dir);
    writeHolder({ pid: 1 });
    lock.release();
    expect(existsSync(join(dir, LOCK_FILE))).toBe(true);
  });

  test("a folder that is missing is a user error", () => {
    expect(() => acquireLock(join(dir, "missing"))).toThrow(/^no such folder: /);
  });
});

/** No process has this number: it is above Linux's largest. */
const DEAD = 2 ** 22 + 1;

describe("a trainer killed at any moment of locking", () => {
  const noLinks = (files: FileSystem): FileSystem => ({
    ...files,
    linkSync() {
      throw Object.assign(new Error("EPERM: no hard links here"), { code: "EPERM" });
    },
  });
  const same = (files: FileSystem): FileSystem => files;
  const WAYS = [
    ["a new lock", () => {}, same],
    ["the lock of a dead process", () => writeHolder({ pid: DEAD }), same],
    ["a new lock where there are no hard links", () => {}, noLinks],
    ["a dead process's lock where there are no hard links", () => writeHolder({ pid: DEAD }), noLinks],
  ] as const;
  /** What a crash in this process left, as another process would have left it, some time ago. */
  const bury = (): void => {
    for (const name of readdirSync(dir)) {
      const text = readFileSync(join(dir, name), "utf8").replace(`"pid":${process.pid}`, `"pid":${DEAD}`);
      rmSync(join(dir, name));
      const path = join(dir, name.replace(String(process.pid), String(DEAD)));
      writeFileSync(path, text);
      utimesSync(path, 0, 0);
    }
  };

  test.each(WAYS)("%s: the next one gets it, and nothing is left over", (_, begin, through) => {
    begin();
    const whole = failingFileSystem(Infinity, "crash");
    acquireLock(dir, through(whole)).release();
    expect(whole.calls.length).toBeGreaterThan(4);
    for (let failAt = 0; failAt < whole.calls.length; failAt++) {
      const what = `killed at call ${failAt} (${whole.calls[failAt]})`;
      begin();
      expect(() => acquireLock(dir, through(failingFileSystem(failAt, "crash"))), what).toThrow("crash");
      bury();
      const lock = openRunForTraining(dir);
      expect(lockHolder(dir)?.pid, what).toBe(process.pid);
      expect(readdirSync(dir).sort(), what).toEqual([LOCK_FILE, "samples"]);
      lock.release();
      rmSync(join(dir, "samples"), { recursive: true });
    }
  });

  test("by a real SIGKILL, before and after the lock has its name", async () => {
    const atomic = new URL("./failing-file-system.testing.ts", import.meta.url).href;
    for (const call of ["linkSync", "rmSync"]) {
      const killed = spawn(
        process.execPath,
        [
          "--import",
          "tsx",
          "--conditions=@subband/source",
          "--input-type=module",
          "-e",
          `import { acquireLock } from ${JSON.stringify(LOCK_MODULE)};
           import { failingFileSystem } from ${JSON.stringify(atomic)};
           const files = failingFileSystem(Infinity, "crash");
           acquireLock(${JSON.stringify(dir)}, { ...files, ${call}: () => process.kill(process.pid, "SIGKILL") });`,
        ],
        { stdio: ["ignore", "inherit", "inherit"] },
      );
      expect(await once(killed, "exit"), call).toEqual([null, "SIGKILL"]);
      expect(readdirSync(dir), call).toHaveLength(call === "linkSync" ? 1 : 2);
      openRunForTraining(dir).release();
      expect(readdirSync(dir), call).toEqual(["samples"]);
      rmSync(join(dir, "samples"), { recursive: true });
    }
  });

  test("what older versions left is no content of the folder, and is cleared", () => {
    for (const name of ["lock.json.4711", "lock.json.4711.stale"]) writeFileSync(join(dir, name), "{}");
    openRunForTraining(dir).release();
    expect(readdirSync(dir)).toEqual(["samples"]);
  });

  test("a torn lock file is taken over once it is old, for its writer may be alive", () => {
    writeFileSync(join(dir, LOCK_FILE), '{"pid":');
    expect(refusal().code).toBe("run/locked");
    utimesSync(join(dir, LOCK_FILE), 0, 0);
    acquireLock(dir).release();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("half-made locks of processes that live are left to them", () => {
    const names = [`.${LOCK_FILE}.1.tmp`, `.${LOCK_FILE}.stale.1.tmp`, `.${LOCK_FILE}.${DEAD}.tmp`];
    for (const name of names) writeFileSync(join(dir, name), "");
    removeLeftovers(dir);
    expect(readdirSync(dir).sort()).toEqual(names.slice(0, 2).sort());
  });
});

describe("something else with the name of the lock", () => {
  const STRANGE: readonly [string, (path: string) => void][] = [
    ["a named pipe", (path) => execFileSync("mkfifo", [path])],
    ["a folder", (path) => mkdirSync(path)],
    ["a link", (path) => symlinkSync("/dev/zero", path)],
    ["a link", (path) => symlinkSync("nowhere", path)],
  ];
  test.runIf(process.platform !== "win32").each(STRANGE)("%s is refused in one line", (kind, make) => {
    make(join(dir, LOCK_FILE));
    expect(lockHolder(dir)).toBeUndefined();
    const error = refusal();
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toBe(
      `cannot lock "${dir}": "${join(dir, LOCK_FILE)}" is ${kind}, where the lock file of the run belongs. ` +
        `Delete it, or choose another --out.`,
    );
    expect(readdirSync(dir)).toEqual([LOCK_FILE]);
  });
});

function writeHolder(holder: { pid: number; host?: string; identity?: string }): void {
  const started = "2020-01-01T00:00:00.000Z";
  writeFileSync(join(dir, LOCK_FILE), JSON.stringify({ host: hostname(), identity: "", started, ...holder }));
}
