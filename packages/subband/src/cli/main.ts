/**
 * @module The command line: global options, exit codes, and the one place where errors are printed. Commands are files
 * with `register(program, context)`; what they need to work is imported when they run, so that `--help` is quick.
 */
import { Command, CommanderError } from "commander";
import { versions } from "../training/versions.ts";
import type { Context, Io } from "./context.ts";
import * as data from "./data.ts";
import * as deblur from "./deblur.ts";
import * as demo from "./demo.ts";
import * as denoise from "./denoise.ts";
import * as evaluate from "./evaluate.ts";
import * as exportFile from "./export.ts";
import * as importFile from "./import.ts";
import * as info from "./info.ts";
import * as inpaint from "./inpaint.ts";
import { interruptedCode } from "./interruption.ts";
import { answer, complain } from "./output.ts";
import * as sample from "./sample.ts";
import * as study from "./study.ts";
import * as train from "./train.ts";
import * as upscale from "./upscale.ts";
import * as wavelets from "./wavelets.ts";

export { processIo } from "./context.ts";

/** A file that adds one command, or one group of them, to the program. */
export interface CommandFile {
  register(program: Command, context: Context): void;
  /** Adds to the registered command what is imported for it alone, before its arguments are parsed. */
  complete?(command: Command): Promise<void>;
}

/** In the order of the help text. */
const COMMANDS: readonly CommandFile[] = [
  demo,
  train,
  sample,
  denoise,
  upscale,
  inpaint,
  deblur,
  evaluate,
  exportFile,
  importFile,
  study,
  data,
  info,
  wavelets,
];

const EXIT_CODES = `
Exit codes: 0 done, 1 it cannot be done, or a part of it (stderr says why in a line), 2 wrong usage, 130 interrupted.`;

/**
 * Runs one command line, without the program's name, and returns its exit code: 0 done, 1 an error, told in one line on
 * stderr, 2 wrong usage, 130 interrupted. Never throws.
 */
export async function main(
  argv: readonly string[],
  io: Io,
  commands: readonly CommandFile[] = COMMANDS,
): Promise<number> {
  const program = new Command("subband");
  let raisedBy = program;
  let exitCode = 0;
  let signal: AbortSignal | undefined;
  const context: Context = {
    get stdin() {
      return io.stdin;
    },
    stdout: io.stdout,
    stderr: io.stderr,
    isTTY: io.isTTY,
    get signal() {
      return (signal = io.signal);
    },
    get json() {
      return program.opts()["json"] === true;
    },
    get quiet() {
      return program.opts()["quiet"] === true;
    },
    get failure() {
      return io.failure;
    },
    exitWith(code) {
      exitCode = code;
    },
  };
  try {
    build(program, context, commands);
    // Commander's errors do not say which command they are about.
    for (const command of allCommands(program))
      command.exitOverride((error) => {
        raisedBy = command;
        throw error;
      });
    await program.parseAsync(argv, { from: "user" });
    await flushed(io.stdout);
    const stopped = interruptedCode(signal);
    if (io.failure !== undefined && stopped === undefined) throw io.failure;
    return stopped ?? exitCode;
  } catch (error) {
    if (error instanceof Error && error === signal?.reason) return interruptedCode(signal) ?? 1;
    const debug = program.opts()["debug"] === true;
    return await report(error, raisedBy, context, { debug, stopped: interruptedCode(signal) });
  }
}

/** Every command with everything that it can be asked, for the reference. */
export async function commandTree(context: Context): Promise<Command> {
  const program = new Command("subband");
  const files = build(program, context, COMMANDS);
  for (const [command, file] of files) await file.complete?.(command);
  return program;
}

function build(
  program: Command,
  context: Context,
  commands: readonly CommandFile[],
): ReadonlyMap<Command, CommandFile> {
  program
    .description(
      "Wavelet-domain generative models: train on a laptop, sample in a few steps, ship as one ONNX file.",
    )
    .version(versions().subband, "-V, --version", "print the version")
    .option("--json", "print one JSON object as the last line of stdout; infinite numbers are strings in it")
    .option("--quiet", "print errors only: no progress, no notes, no report of what was done")
    .option("--debug", "print stack traces of errors")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: () => {}, // printed by report(), together with all other errors
    })
    .showSuggestionAfterError(false)
    .addHelpText("after", EXIT_CODES);
  const files = new Map<Command, CommandFile>();
  for (const file of commands) {
    file.register(program, context);
    files.set(program.commands.at(-1)!, file);
  }
  program.hook("preSubcommand", async (_, command) => files.get(command)?.complete?.(command));
  return files;
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** Prints the error and returns the exit code. */
async function report(
  error: unknown,
  command: Command,
  context: Context,
  { debug, stopped }: { readonly debug: boolean; readonly stopped: number | undefined },
): Promise<number> {
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === "commander.help"))
    return error.exitCode === 0 ? 0 : 2; // help or version, asked for or in place of a missing command
  const { describeError } = await import("./describe-error.ts"); // only errors need the engine
  const { code, message, exitCode } = describeError(error, command, stopped);
  complain(context, `error: ${message}`);
  if (debug) for (const line of (await stack(error)).split("\n")) complain(context, line);
  if (context.json) answer(context, { lines: [], json: { error: { code, message } } });
  return exitCode;
}

/** Returns when the stream has taken all that was written, or cannot. */
async function flushed(stream: NodeJS.WritableStream): Promise<void> {
  await new Promise<void>((resolve) => void stream.write("", () => resolve()));
}

async function stack(error: unknown): Promise<string> {
  const { inspect } = await import("node:util");
  return inspect(error);
}
