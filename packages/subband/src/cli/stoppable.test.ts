import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { readPicture, writePicture } from "../restoration/picture.ts";
import { testPicture } from "../restoration/pictures.testing.ts";
import { captureIo } from "./capture-io.testing.ts";
import { Interruption } from "./interruption.ts";
import { main } from "./main.ts";
import { commandCode, startNode } from "./processes.testing.ts";

let dir: string;
let children: ChildProcess[] = [];
const at = (...names: string[]): string => join(dir, ...names);
const PICTURES = 12;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "subband-stoppable-"));
  vi.stubEnv("SUBBAND_CACHE", at("cache"));
  mkdirSync(at("photos"));
  const picture = testPicture({ height: 256, width: 256, noise: 0.1 });
  for (let i = 0; i < PICTURES; i++) await writePicture(at("photos", `${i + 10}.png`), picture);
  const data = ["--data", "faces", "--limit", "24", "--size", "16"];
  const model = ["--levels", "1", "--width", "16", "--batch", "4", "--images", "4"];
  const io = captureIo();
  expect(await main(["train", ...data, ...model, "--out", at("run")], io), io.err).toBe(0);
}, 120_000);
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a command line until `path` is there, and then sends it a signal. */
async function stopped(
  argv: readonly string[],
  path: string,
  signal: NodeJS.Signals,
): Promise<{ code: unknown; out: string; err: string }> {
  const child = startNode(commandCode([...argv, "--threads", "1"]));
  children.push(child);
  const printed = [text(child.stdout!), text(child.stderr!)] as const;
  const ended = once(child, "exit");
  while (child.exitCode === null && !existsSync(path)) await sleep(5);
  child.kill(signal);
  const [code, [out, err]] = await Promise.all([ended, Promise.all(printed)]);
  return { code, out, err };
}

const files = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).toSorted() : []);

describe("a command that is asked to stop", { timeout: 120_000 }, () => {
  test("restoring a folder: the pictures that are done stay and are listed, and the next is not written", async () => {
    const out = at("denoised");
    const first = join(out, "10.png");
    const { code, err, out: told } = await stopped(["denoise", at("photos"), "--out", out], first, "SIGTERM");
    expect({ code, err }).toEqual({ code: [143, null], err: expect.any(String) as string });
    const done = files(out);
    expect(done.length).toBeLessThan(PICTURES);
    expect(done).toEqual(Array.from(done, (_, i) => `${i + 10}.png`));
    for (const name of done) expect((await readPicture(join(out, name), false)).width, name).toBe(256);
    expect(told.match(/^.*\.png(?= )/gm)).toEqual(done.map((name) => join(out, name)));
    expect(told).toContain(`${done.length} of ${PICTURES} pictures written.`);
    expect(err).toContain("stopping after this step; Ctrl-C again stops at once\n");
    expect(err).toContain(`error: stopped; "${join(out, `${done.length + 10}.png`)}" was not written.\n`);
  });

  test.each([
    ["sample", ["sample", "RUN", "-n", "20000", "--batch", "4", "--out", "NEW/grid.png"]],
    ["evaluate", ["evaluate", "RUN", "-n", "20000", "--out", "NEW/bands.csv"]],
    ["study", ["study", "local", "--model", "ours=builtin", "--pictures", "PHOTOS", "--out", "NEW"]],
  ] as const)("%s before it has written anything: its new folder is taken back", async (name, words) => {
    const out = at(`${name}-out`);
    const argv = words.map((word) =>
      word.replace("RUN", at("run")).replace("NEW", out).replace("PHOTOS", at("photos")),
    );
    const { code, err, out: told } = await stopped(argv, out, "SIGINT");
    expect({ code, told, err, folder: existsSync(out) }).toEqual({
      ...{ code: [130, null], told: "", folder: false },
      err: expect.stringMatching(/^stopped: nothing was written$/m) as string,
    });
    expect(err).toContain("stopping after this step; Ctrl-C again stops at once\n");
    expect(err).not.toContain("error");
  });

  test.each([
    [
      "sample",
      (out: string) => ["sample", at("run"), "-n", "300", "--out", join(out, "a.png"), "--each", out],
    ],
    ["study", (out: string) => ["study", "local", "--pictures", at("photos"), "--dump", out]],
  ] as const)("%s while it writes many files: the whole ones stay and are counted", async (name, argv) => {
    const out = at(`${name}-many`);
    const controller = new AbortController();
    const io = captureIo({ signal: controller.signal });
    const running = main(argv(out), io);
    while (files(out).length < 2) await sleep(1);
    controller.abort(new Interruption("SIGHUP"));
    expect([await running, io.err]).toEqual([129, expect.any(String)]);
    const written = files(out);
    expect(written.filter((file) => file.endsWith(".tmp"))).toEqual([]);
    expect(io.err).toMatch(new RegExp(`^stopped: ${written.length} files were written$`, "m"));
    expect(written.length).toBeLessThan(PICTURES * 9);
  });
});
