import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { node } from "onnxgrad/node";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { loadCheckpoint } from "../training/checkpoint.ts";
import { trainRun } from "../training/train-run.ts";
import { captureIo } from "./capture-io.testing.ts";
import { Interruption } from "./interruption.ts";
import { type CommandFile, main } from "./main.ts";
import { commandCode, nodeArguments, PACKAGE, startNode } from "./processes.testing.ts";

let dir: string;
let children: ChildProcess[] = [];
/** Leaders of process groups: a training outlives its shell, and would take a core from other tests. */
let groups: ChildProcess[] = [];
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-interruption-"));
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const { pid } of groups) endGroup(pid!);
  children = [];
  groups = [];
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

/** Ends all processes of a group; none may be left of it. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A process that runs `code`. */
function start(code: string): ChildProcess {
  const child = startNode(code);
  children.push(child);
  return child;
}

describe("a training that is asked to stop", () => {
  /** More than anyone waits for: it ends by signals alone. */
  const IMAGES = 1_000_000;
  const request = (out: string) => ({
    out,
    data: "faces",
    limit: 32,
    size: { height: 8, width: 8 },
    options: { levels: 0, width: 16, batch: 8 },
    images: IMAGES,
  });
  /** `subband train` of that. */
  function trainingCode(out: string): string {
    const words = `train --data faces --limit 32 --size 8 --levels 0 --width 16 --batch 8 --images ${IMAGES}`;
    const argv = [...words.split(" "), "--threads", "1", "--save-seconds", "0.2", "--out", out];
    return commandCode(argv);
  }
  const firstCheckpoint = async (child: ChildProcess, out: string): Promise<void> => {
    while (child.exitCode === null && !existsSync(join(out, "state.safetensors"))) await sleep(20);
  };
  /** Starts it and waits for its first checkpoint. */
  async function training(out: string): Promise<ChildProcess> {
    const child = start(trainingCode(out));
    await firstCheckpoint(child, out);
    return child;
  }
  const stepsOf = async (out: string): Promise<number> => {
    const { stages } = JSON.parse((await loadCheckpoint(out))!.metadata["progress"]!) as {
      stages: { low: { step: number } };
    };
    return stages.low.step;
  };
  /** Goes on in this process until `steps` are made. */
  async function trainUntil(out: string, steps: number): Promise<Buffer> {
    const controller = new AbortController();
    await trainRun(
      request(out),
      node({ threads: 1 }),
      {
        onEvent(event) {
          if (event.kind === "step" && event.step === steps) controller.abort();
        },
      },
      controller.signal,
      { previews: [] },
    );
    return readFileSync(join(out, "state.safetensors"));
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(
    "by %s, with nobody left to read what it prints: saves, exits with %d, and goes on as if it had not stopped",
    { timeout: 120_000 },
    async (signal, code) => {
      const out = join(dir, signal);
      const child = await training(out);
      // As `2>&1 | tee log` does at Ctrl-C: tee is gone before the first word.
      child.stdout!.destroy();
      child.stderr!.destroy();
      const before = await stepsOf(out);
      child.kill(signal);
      expect(await once(child, "exit")).toEqual([code, null]);
      const saved = await stepsOf(out);
      expect(saved).toBeGreaterThanOrEqual(before);
      expect(existsSync(join(out, "lock.json"))).toBe(false);
      const straight = await trainUntil(join(dir, `${signal}-straight`), saved + 3);
      expect((await trainUntil(out, saved + 3)).equals(straight)).toBe(true);
    },
  );

  test(
    "by two signals at once: ends in the middle of what it does, and what was saved before is whole",
    { timeout: 120_000 },
    async () => {
      const out = join(dir, "twice");
      const child = await training(out);
      // Two of a kind that are not delivered yet are one to the system.
      child.kill("SIGINT");
      child.kill("SIGTERM");
      const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
      expect(code).toBeNull();
      expect(signal).toMatch(/^SIG(INT|TERM)$/);
      const saved = await stepsOf(out);
      const straight = await trainUntil(`${out}-straight`, saved + 3);
      expect((await trainUntil(out, saved + 3)).equals(straight)).toBe(true);
    },
  );

  test.runIf(process.platform !== "win32")(
    "by Ctrl-C in `train 2>&1 | tee log`: saves and exits with 130",
    { timeout: 120_000 },
    async () => {
      const out = join(dir, "tee");
      const [log, code] = [`${out}.log`, `${out}.code`];
      const words = [process.execPath, ...nodeArguments(trainingCode(out))].map((word) => `'${word}'`);
      // Ctrl-C goes to all processes of the group; bash itself stays to tell the exit code.
      const script = `{ trap : INT; ${words.join(" ")}; echo $? > '${code}'; } 2>&1 | tee '${log}'`;
      const group = spawn("bash", ["-c", script], { cwd: PACKAGE, detached: true, stdio: "ignore" });
      groups.push(group);
      await firstCheckpoint(group, out);
      const before = await stepsOf(out);
      process.kill(-group.pid!, "SIGINT");
      while (!existsSync(code) || readFileSync(code, "utf8") === "") await sleep(20);
      expect(readFileSync(code, "utf8")).toBe("130\n");
      expect(readFileSync(log, "utf8")).toContain("training ");
      const saved = await stepsOf(out);
      expect(saved).toBeGreaterThanOrEqual(before);
      const straight = await trainUntil(`${out}-straight`, saved + 2);
      expect((await trainUntil(out, saved + 2)).equals(straight)).toBe(true);
    },
  );

  test("while the data are read: there is nothing to save, and nothing is left", async () => {
    const out = join(dir, "reading", "run");
    const io = captureIo({ signal: AbortSignal.abort(new Interruption("SIGINT")) });
    const argv = ["train", "--data", "faces", "--limit", "34", "--size", "8", "--out", out];
    expect(await main(argv, io)).toBe(130);
    expect({ out: io.out, err: io.err }).toEqual({ out: "", err: "" });
    expect(existsSync(join(dir, "reading"))).toBe(false);
  });

  test("goes on when nobody reads its notes from the first on", { timeout: 120_000 }, async () => {
    const out = join(dir, "unread");
    const child = start(trainingCode(out));
    child.stderr!.destroy();
    await firstCheckpoint(child, out);
    expect(child.exitCode).toBeNull();
    const before = await stepsOf(out);
    while (child.exitCode === null && (await stepsOf(out)) < before + 20) await sleep(50);
    expect(child.exitCode).toBeNull();
  });
});

describe("exit codes of other commands", () => {
  const WAIT: CommandFile = {
    register(program, context) {
      program.command("wait").action(() => void context.signal.aborted);
      program.command("throw").action(() => context.signal.throwIfAborted());
      program.command("deaf").action(() => {});
    },
  };
  const run = async (command: string, reason: unknown): Promise<{ code: number; err: string }> => {
    const io = captureIo({ signal: AbortSignal.abort(reason) });
    return { code: await main([command], io, [WAIT]), err: io.err };
  };

  test("130 and its like when a signal stopped them, and no word of an error", async () => {
    for (const command of ["wait", "throw"])
      expect(await run(command, new Interruption("SIGINT")), command).toEqual({ code: 130, err: "" });
    expect((await run("wait", new Interruption("SIGTERM"))).code).toBe(143);
    expect((await run("wait", new Interruption("SIGHUP"))).code).toBe(129);
    expect((await run("deaf", new Interruption("SIGINT"))).code, "it never listened").toBe(0);
  });
});

describe("processIo()", () => {
  /** A process that takes the signals over and says so, then does `body`. */
  async function waiting(
    body = "",
    listening = `io.signal.addEventListener("abort", () => console.log(String(io.signal.reason.message)));`,
  ): Promise<{ child: ChildProcess; next(): Promise<string>; ended: Promise<unknown[]> }> {
    const child =
      start(`import { processIo } from ${JSON.stringify(new URL("./context.ts", import.meta.url).href)};
      const io = processIo();
      io.signal; ${listening}
      console.log("ready"); setInterval(() => {}, 1000); ${body}`);
    const next = async (): Promise<string> => String((await once(child.stdout!, "data"))[0]).trim();
    const ended = once(child, "exit");
    expect(await next()).toBe("ready");
    return { child, next, ended };
  }

  test("once nobody listens any more, as after a training, the first signal ends the process", async () => {
    const { child, ended } = await waiting(
      `
      const listener = () => console.log("heard");
      io.signal.addEventListener("abort", listener);
      io.signal.removeEventListener("abort", listener);`,
      "",
    );
    child.kill("SIGTERM");
    expect(await ended).toEqual([null, "SIGTERM"]);
  });

  test("two signals during one long step end the process when it is over, before the next", async () => {
    const { child, ended } = await waiting(`setTimeout(() => {
      const end = performance.now() + 700; while (performance.now() < end);
      setTimeout(() => process.exit(7), 500);
    }, 100);`);
    await sleep(250); // it is busy
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect((await ended)[0], "no exit of its own").toBeNull();
  });

  test("a closing terminal, which says so more than once, is one request; a later Ctrl-C ends", async () => {
    const { child, next, ended } = await waiting();
    const answer = next();
    child.kill("SIGHUP");
    expect(await answer).toBe("stopped by SIGHUP");
    for (let i = 0; i < 3; i++) {
      child.kill("SIGHUP");
      await sleep(20);
    }
    expect(child.exitCode ?? child.signalCode).toBeNull();
    child.kill("SIGINT");
    expect(await ended).toEqual([null, "SIGINT"]);
  });
});
