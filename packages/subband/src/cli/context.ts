/** @module What a command may know of its surroundings. Passed in, so that tests run commands in-process. */
import { interruption } from "./interruption.ts";

/** The outside of the program. */
export interface Io {
  /** What is piped in: a picture where `-` is given for one. */
  readonly stdin: NodeJS.ReadableStream;
  /** Results. */
  readonly stdout: NodeJS.WritableStream;
  /** Progress, notes and errors. */
  readonly stderr: NodeJS.WritableStream;
  /** Whether `stderr` is a terminal, where lines may be redrawn. */
  readonly isTTY: boolean;
  /**
   * Aborted by the first Ctrl-C (SIGINT), SIGTERM or SIGHUP; the second one ends the process at once. Reading this property
   * takes the signals over, so only commands that can stop half-way should.
   */
  readonly signal: AbortSignal;
  /** Why something printed was lost, once that is known; that nobody reads it any more is no failure. */
  readonly failure: Error | undefined;
}

/** What every command is given. */
export interface Context extends Io {
  /** Whether the user asked for one JSON object instead of lines. Known once the arguments are parsed. */
  readonly json: boolean;
  /** Whether the user asked for errors only: no progress, no notes, no report of what was done. */
  readonly quiet: boolean;
  /** Sets the exit code of a command that does not fail as a whole: 1 when a part of its work did, 130 when interrupted. */
  exitWith(code: number): void;
}

/** The real outside. */
export function processIo(): Io {
  let failure: Error | undefined;
  // A reader that has seen enough, such as `head`, or is gone, such as `tee` at Ctrl-C, closes the pipe: no reason to
  // complain, nor to drop the work.
  const remember = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") failure ??= error;
  };
  process.stdout.on("error", remember);
  process.stderr.on("error", remember);
  let signal: AbortSignal | undefined;
  return {
    get stdin() {
      return process.stdin; // opened when it is read, for that alone keeps a process alive
    },
    stdout: process.stdout,
    stderr: process.stderr,
    isTTY: process.stderr.isTTY === true,
    get signal() {
      signal ??= interruption();
      return signal;
    },
    get failure() {
      return failure;
    },
  };
}
