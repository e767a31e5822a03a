/** @module What a command may know of its surroundings. Passed in, so that tests run commands in-process. */

/** The outside of the program. */
export interface Io {
  /** Results. */
  readonly stdout: NodeJS.WritableStream;
  /** Progress, notes and errors. */
  readonly stderr: NodeJS.WritableStream;
  /** Whether `stderr` is a terminal, where lines may be redrawn. */
  readonly isTTY: boolean;
  /**
   * Aborted by the first Ctrl-C (SIGINT) or SIGTERM; the second one ends the process at once. Reading this property takes
   * the signals over, so only commands that can stop half-way should.
   */
  readonly signal: AbortSignal;
}

/** What every command is given. */
export interface Context extends Io {
  /** Whether the user asked for one JSON object instead of lines. Known once the arguments are parsed. */
  readonly json: boolean;
}

/** The real outside. */
export function processIo(): Io {
  // A reader that has seen enough, such as `head`, closes the pipe: a reason to stop, not to complain.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  let signal: AbortSignal | undefined;
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    isTTY: process.stderr.isTTY === true,
    get signal() {
      signal ??= interruption();
      return signal;
    },
  };
}

function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
