/**
 * @module Errors as one line, a code for programs and an exit code. What a user can cause, such as a disk that fails or a
 * number too large for the memory, is told as such; only the rest is a bug of ours.
 */
import { getSystemErrorMap } from "node:util";
import { type Command, CommanderError } from "commander";
import { UserError } from "onnxgrad/errors";
import { usageMessage } from "./usage-error.ts";

/** What is told of an error. */
export interface ErrorLine {
  /** For programs, e.g. `data/empty`. */
  readonly code: string;
  /** One line. */
  readonly message: string;
  readonly exitCode: number;
}

/** The code of an error that an interruption caused. */
const STOPPED = /\/stopped$/;

/** How engines say that there is no memory for what was asked. */
const NO_MEMORY =
  /allocation failed|invalid (?:typed )?array length|invalid string length|longer than 0x|out of memory|bad_alloc|failed to allocate|cannot allocate memory/i;

/** What to say of an error that `command` raised; `stopped` is the exit code of a command that was asked to stop. */
export function describeError(error: unknown, command: Command, stopped = 130): ErrorLine {
  if (error instanceof CommanderError)
    return { code: "usage", message: usageMessage(command, error), exitCode: 2 };
  const { code, message } = errorLine(error);
  return { code, message, exitCode: STOPPED.test(code) ? stopped : 1 };
}

/** What to say of an error that is no wrong usage; the code is `internal` for a bug of ours. */
export function errorLine(error: unknown): Pick<ErrorLine, "code" | "message"> {
  const line = (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, " ");
  if (error instanceof UserError) return { code: error.code, message: line };
  return (
    systemLine(error) ??
    memoryLine(error, line) ?? {
      code: "internal",
      message: `${line.startsWith("internal:") ? "" : "internal: "}${line.replace(/\.?$/, ".")} This should not happen; run again with --debug and report it.`,
    }
  );
}

/** What the operating system refused. */
function systemLine(error: unknown): Pick<ErrorLine, "code" | "message"> | undefined {
  if (!(error instanceof Error) || !("syscall" in error)) return undefined;
  const { code = "", errno = 0, path, syscall } = error as NodeJS.ErrnoException;
  const [, words = "refused"] = getSystemErrorMap().get(errno) ?? [];
  const what = path !== undefined ? `"${path}": ` : syscall === "write" ? "printing: " : "";
  return {
    code: `system/${code.toLowerCase()}`,
    message: `${what}${words} (${code}). Mend that, or give another place.`.replaceAll(/\s*\n\s*/g, " "),
  };
}

function memoryLine(error: unknown, line: string): Pick<ErrorLine, "code" | "message"> | undefined {
  if (!(error instanceof Error) || !NO_MEMORY.test(line)) return undefined;
  return {
    code: "memory",
    message: `not enough memory: ${line.replace(/\.?$/, ".")} Ask for less at a time: fewer or smaller images, smaller batches.`,
  };
}
