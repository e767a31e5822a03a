import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acquireLock, LOCK_FILE, lockHolder } from "./lock.ts";

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

function writeHolder(holder: { pid: number; host?: string; identity?: string }): void {
  const started = "2020-01-01T00:00:00.000Z";
  writeFileSync(join(dir, LOCK_FILE), JSON.stringify({ host: hostname(), identity: "", started, ...holder }));
}
