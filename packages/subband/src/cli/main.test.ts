import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { printable, unknownName, UserError } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { captureIo } from "./capture-io.testing.ts";
import { type CommandFile, main } from "./main.ts";
import { emit, note } from "./output.ts";

/** Commands that end in every way there is. */
const SAMPLE: CommandFile = {
  register(program, context) {
    program
      .command("greet")
      .argument("<name>")
      .option("--times <n>", "how often", Number)
      .action((name: string) => emit(context, { lines: [`hello ${name}`, "bye"], json: { hello: name } }));
    program.command("half").action(() => {
      note(context, "one is left");
      emit(context, { lines: ["half"], json: {} });
      context.exitWith(1);
    });
    program.command("fail").action(() => {
      throw new UserError("test/sad", "sad: \n it rains. Take an umbrella.");
    });
    program
      .command("refuse")
      .argument("<name>")
      .action((name: string) => {
        throw unknownName("colour", name, [`${name}c`]);
      });
    program.command("break").action(async () => {
      await Promise.reject(new TypeError("x is not a function\n at all"));
    });
    program.command("throw").action(() => {
      throw "a string"; // eslint-disable-line @typescript-eslint/only-throw-error
    });
  },
};

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io, [SAMPLE]);
  return { code, out: io.out, err: io.err };
}

const lastLine = (text: string): unknown => JSON.parse(text.trimEnd().split("\n").at(-1)!);

describe("main()", () => {
  test("0: a command prints lines on stdout and nothing on stderr", async () => {
    expect(await run("greet", "Ada")).toEqual({ code: 0, out: "hello Ada\nbye\n", err: "" });
  });

  test.each([
    ["--json", "greet", "Ada"],
    ["greet", "--json", "Ada"],
    ["greet", "Ada", "--json"],
  ])("--json is one object on one line, wherever it stands: %s %s %s", async (...argv) => {
    const { code, out, err } = await run(...argv);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out.split("\n")).toHaveLength(2);
    expect(lastLine(out)).toEqual({ hello: "Ada" });
  });

  test("--quiet prints no report and no notes, but errors, and what programs ask for", async () => {
    expect(await run("greet", "Ada", "--quiet")).toEqual({ code: 0, out: "", err: "" });
    expect(await run("greet", "Ada", "--quiet", "--json")).toEqual({
      code: 0,
      out: '{"hello":"Ada"}\n',
      err: "",
    });
    expect(await run("fail", "--quiet")).toEqual({
      code: 1,
      out: "",
      err: "error: sad: it rains. Take an umbrella.\n",
    });
    expect(await run("half", "--quiet")).toEqual({ code: 1, out: "", err: "" });
  });

  test("a command that did a part of its work says so by its exit code", async () => {
    expect(await run("half")).toEqual({ code: 1, out: "half\n", err: "one is left\n" });
  });

  test("1: a user error is one line on stderr; --json tells it on stdout too; --debug adds the stack", async () => {
    const line = "error: sad: it rains. Take an umbrella.\n";
    expect(await run("fail")).toEqual({ code: 1, out: "", err: line });
    const json = await run("fail", "--json");
    expect(json).toMatchObject({ code: 1, err: line });
    expect(lastLine(json.out)).toEqual({
      error: { code: "test/sad", message: "sad: it rains. Take an umbrella." },
    });
    const debug = await run("fail", "--debug");
    expect(debug.code).toBe(1);
    expect(debug.err.startsWith(line)).toBe(true);
    expect(debug.err).toMatch(/\n {4}at .*main\.test\.ts/);
  });

  test("what a terminal would obey is written out, in results, notes, errors, stacks and JSON", async () => {
    const name = "a\n\u001b[31m\u009bm\u202eb";
    const shown = String.raw`a\n\x1b[31m\x9bm\u202eb`;
    expect((await run("greet", name)).out).toBe(`hello ${shown}\nbye\n`);
    const { out } = await run("greet", name, "--json");
    expect(lastLine(out)).toEqual({ hello: name });
    const refused = await run("refuse", name, "--json", "--debug");
    expect(refused.err.split("\n")[0]).toBe(
      `error: unknown colour: "${shown}". Did you mean "${shown}c"? Known: ${shown}c.`,
    );
    const noted = captureIo();
    note({ ...noted, stderr: noted.stderr, json: false, quiet: false, exitWith() {} }, name);
    expect(noted.err).toBe(`${shown}\n`);
    for (const text of [out, refused.err, refused.out])
      for (const line of text.split("\n")) expect(printable(line)).toBe(line);
  });

  test("1: a bug is one line that asks for --debug", async () => {
    const ask = "This should not happen; run again with --debug and report it.\n";
    expect(await run("break")).toEqual({
      code: 1,
      out: "",
      err: `error: internal: x is not a function at all. ${ask}`,
    });
    expect((await run("break", "--debug")).err).toMatch(/TypeError: x is not a function[^]*\n {4}at /);
    expect((await run("throw")).err).toBe(`error: internal: a string. ${ask}`);
  });

  const WRONG: readonly [string[], string][] = [
    [["gret"], 'unknown command: "gret". Did you mean "greet"? See: subband --help'],
    [["xyzzyx"], 'unknown command: "xyzzyx". See: subband --help'],
    [
      ["greet", "Ada", "--tims", "2"],
      'unknown option: "--tims". Did you mean "--times"? See: subband greet --help',
    ],
    [["greet", "Ada", "--jsn"], 'unknown option: "--jsn". Did you mean "--json"? See: subband greet --help'],
    [["--hepl"], 'unknown option: "--hepl". Did you mean "--help"? See: subband --help'],
    [["greet"], "missing required argument 'name'. See: subband greet --help"],
    [
      ["greet", "Ada", "Bob"],
      "too many arguments for 'greet'. Expected 1 argument but got 2. See: subband greet --help",
    ],
    [["greet", "Ada", "--times"], "option '--times <n>' argument missing. See: subband greet --help"],
  ];
  test.each(WRONG)("2: wrong usage, %j", async (argv, message) => {
    expect(await run(...argv)).toEqual({ code: 2, out: "", err: `error: ${message}\n` });
    const { out } = await run(...argv.filter((word) => word !== "--times"), "--json");
    if (!argv.includes("--times")) expect(lastLine(out)).toEqual({ error: { code: "usage", message } });
  });

  test("2: without a command, the help on stderr", async () => {
    const { code, out, err } = await run();
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("Usage: subband [options] [command]");
  });

  test("0: help and version on stdout", async () => {
    for (const argv of [["--help"], ["help"], ["greet", "--help"], ["help", "greet"], ["-V"]]) {
      const { code, out, err } = await run(...argv);
      expect({ code, err }, argv.join(" ")).toEqual({ code: 0, err: "" });
      expect(out, argv.join(" ")).toMatch(/^(Usage: subband|\d+\.\d+\.\d+\n$)/);
    }
    expect((await run("--help")).out).toContain("Exit codes: 0 done, 1 it cannot be done");
    expect((await run("greet", "--help")).out).toContain("--debug");
  });
});

describe("the real commands", () => {
  /** Every command that does something, found through the help texts. */
  async function leaves(path: readonly string[]): Promise<string[][]> {
    const io = captureIo();
    expect(await main([...path, "--help"], io), path.join(" ")).toBe(0);
    const listed = /\nCommands:\n([^]*?)(\n\n|$)/.exec(io.out)?.[1] ?? "";
    const names = [...listed.matchAll(/^ {2}(\S+)/gm)]
      .map((match) => match[1]!)
      .filter((name) => name !== "help");
    if (names.length === 0) return [[...path]];
    return (await Promise.all(names.map(async (name) => leaves([...path, name])))).flat();
  }

  test("each has a help text with a description and examples that name it", async () => {
    const found = await leaves([]);
    expect(found.length).toBeGreaterThan(3);
    for (const path of found) {
      const name = path.join(" ");
      const io = captureIo();
      expect(await main([...path, "--help"], io), name).toBe(0);
      expect(io.out, name).toMatch(new RegExp(`^Usage: subband ${name} .*\n\n\\S`));
      expect(io.out, name).toContain(`\nExamples:\n  $ subband ${name}`);
    }
  });

  test("start quickly: before a command runs, only commander and small files of ours are loaded", () => {
    const packages = new Set<string>();
    const seen = new Set<string>();
    const visit = (url: URL): void => {
      if (seen.has(url.href)) return;
      seen.add(url.href);
      const text = readFileSync(url, "utf8");
      for (const [, clause, specifier] of text.matchAll(/^(?:import|export)\b([^;]*?)\bfrom "([^"]+)";/gm)) {
        if (/^\s*type\b/.test(clause!)) continue;
        if (specifier!.startsWith(".")) visit(new URL(specifier!, url));
        else packages.add(specifier!);
      }
    };
    visit(new URL("./main.ts", import.meta.url));
    expect([...packages].filter((name) => !name.startsWith("node:"))).toEqual([
      "commander",
      "onnxgrad/errors", // one small file
    ]);
    expect(seen.size).toBeGreaterThan(5);
  });

  test("the executable says how to build it when it is not built", () => {
    const dir = mkdtempSync(join(tmpdir(), "subband-bin-"));
    try {
      mkdirSync(join(dir, "bin"));
      const bin = join(dir, "bin", "subband.mjs"); // .mjs, for there is no package.json that says "module"
      cpSync(fileURLToPath(new URL("../../bin/subband.js", import.meta.url)), bin);
      execFileSync(process.execPath, [bin, "--help"], { stdio: "pipe" });
      expect.unreachable("it ran");
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: Buffer };
      expect(stderr?.toString()).toBe("error: subband is not built yet. Run: npm run build\n");
      expect(status).toBe(1);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("bin/subband.js", () => {
  test.each([
    { compiledAt: 1000, bundledAt: 1000, runs: "bundle" },
    { compiledAt: 1000, bundledAt: 2000, runs: "bundle" },
    { compiledAt: 2000, bundledAt: 1000, runs: "cli" },
    { compiledAt: undefined, bundledAt: 1000, runs: "bundle" },
    { compiledAt: 1000, bundledAt: undefined, runs: "cli" },
  ])("compiled at $compiledAt, bundled at $bundledAt: runs $runs", ({ compiledAt, bundledAt, runs }) => {
    const dir = mkdtempSync(join(tmpdir(), "subband-bin-"));
    try {
      const put = (path: string, text: string, at: number): void => {
        const file = join(dir, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
        utimesSync(file, at, at);
      };
      const main = (name: string): string =>
        `export const processIo = () => {}; export const main = () => (console.log("${name}"), 0);`;
      put("package.json", '{ "type": "module" }', 1000);
      put("dist/cli/main.js", main("cli"), 1000);
      if (compiledAt !== undefined) put("dist/.tsbuildinfo", "", compiledAt);
      if (bundledAt !== undefined) put("dist/bundle/main.js", main("bundle"), bundledAt);
      mkdirSync(join(dir, "bin"));
      const bin = join(dir, "bin/subband.js");
      cpSync(fileURLToPath(new URL("../../bin/subband.js", import.meta.url)), bin);
      expect(execFileSync(process.execPath, [bin], { encoding: "utf8" })).toBe(`${runs}\n`);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("the real output", () => {
  /** Runs the executable's main in a shell pipeline; `$S` is the command. */
  function shell(line: string): { status: number | null; out: string; err: string } {
    const main = new URL("./main.ts", import.meta.url).href;
    const code = `import { main, processIo } from ${JSON.stringify(main)}; process.exitCode = await main(process.argv.slice(1), processIo());`;
    const file = join(mkdtempSync(join(tmpdir(), "subband-pipe-")), "run.mjs");
    writeFileSync(file, code.replace("slice(1)", "slice(2)"));
    const S = `${process.execPath} --conditions=@subband/source --import tsx ${file}`;
    const { status, stdout, stderr } = spawnSync(
      "bash",
      ["-c", `set -o pipefail; ${line.replaceAll("$S", S)}`],
      {
        encoding: "utf8",
        cwd: fileURLToPath(new URL("../../../..", import.meta.url)),
      },
    );
    rmSync(dirname(file), { recursive: true });
    return { status, out: stdout, err: stderr };
  }

  test("a reader that has seen enough ends nothing and is told nothing", () => {
    expect(shell("$S wavelets | head -1")).toMatchObject({ status: 0, err: "" });
    expect(shell("$S wavelets | true")).toMatchObject({ status: 0, out: "", err: "" });
    expect(shell("$S wavelets --json | exec 0<&-").err).not.toContain("EPIPE");
  });

  test("a full disk under the output is told in one line", ({ skip }) => {
    if (!existsSync("/dev/full")) skip();
    expect(shell("$S wavelets > /dev/full")).toMatchObject({
      status: 1,
      err: "error: printing: no space left on device (ENOSPC). Mend that, or give another place.\n",
    });
  });
});

describe("processIo()", () => {
  /** A process that takes over Ctrl-C when `signal` is read, and tells when it was pressed. */
  async function waiting(
    body: string,
  ): Promise<{ kill(): void; next(): Promise<string>; ended: Promise<unknown[]> }> {
    const module = new URL("./context.ts", import.meta.url).href;
    const code = `import { processIo } from ${JSON.stringify(module)}; const io = processIo(); ${body}
      console.log("ready"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const next = async (): Promise<string> => String((await once(child.stdout, "data"))[0]).trim();
    const ended = once(child, "exit");
    expect(await next()).toBe("ready");
    return { kill: () => void child.kill("SIGINT"), next, ended };
  }

  test("the first Ctrl-C aborts the signal, the second one ends the program", async () => {
    const child = await waiting(`io.signal.addEventListener("abort", () => console.log("aborted"));`);
    const answer = child.next();
    child.kill();
    expect(await answer).toBe("aborted");
    child.kill();
    expect(await child.ended).toEqual([null, "SIGINT"]);
  });

  test("a command that never reads the signal ends at the first Ctrl-C", async () => {
    const child = await waiting("");
    child.kill();
    expect(await child.ended).toEqual([null, "SIGINT"]);
  });
});
