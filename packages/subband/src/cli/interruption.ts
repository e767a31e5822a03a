/**
 * @module Being asked to stop: Ctrl-C, `kill`, a terminal that closes. The first signal asks a command to save and end,
 * with the exit code that shells expect; the next one ends the process at once.
 */
import { getEventListeners } from "node:events";
import { isatty } from "node:tty";

/** Signals that ask to stop, and the exit codes of programs that did: 128 and the signal's number. */
const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

type StopSignal = keyof typeof EXIT_CODES;
const SIGNALS = Object.keys(EXIT_CODES) as readonly StopSignal[];

/**
 * `npx` passes Ctrl-C on to the program that it started, which had it from the terminal already: two signals within
 * milliseconds, of one key.
 */
const SAME_KEY_MS = 200;

/** Why a command was stopped: the reason of the aborted signal, and what is thrown where nothing can be saved. */
export class Interruption extends Error {
  readonly exitCode: number;
  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.exitCode = EXIT_CODES[signal];
  }
}

/** The exit code of a command whose signal was aborted by the user; undefined when it was not. */
export function interruptedCode(signal: AbortSignal | undefined): number | undefined {
  return signal?.reason instanceof Interruption ? signal.reason.exitCode : undefined;
}

/**
 * Takes SIGINT, SIGTERM and SIGHUP over: the first one aborts the signal, with an {@link Interruption} as the reason. Where
 * nobody listens to that any more, as when a training is done and its pictures are drawn, it ends the process; so does a
 * second SIGINT or SIGTERM, also in the middle of a long computation. A closing terminal sends SIGHUP more than once:
 * further ones are ignored.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const hadTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  let stopped: number | undefined;
  const first = (name: StopSignal): void => {
    if (stopped !== undefined) return again(name);
    if (getEventListeners(controller.signal, "abort").length === 0) return end(name);
    stopped = performance.now();
    controller.abort(new Interruption(name));
    process.on("SIGHUP", () => {});
    // Node aborts when it finds at its exit that the terminal, whose mode it restores, is gone.
    if (name === "SIGHUP" && hadTerminal) process.on("exit", () => end(name));
    // Listening ends late enough for a quick second signal, and after those that came during a long step were delivered.
    setTimeout(
      () => setImmediate(() => SIGNALS.forEach((each) => process.off(each, first))),
      SAME_KEY_MS,
    ).unref();
  };
  const again = (name: StopSignal): void => {
    if (name === "SIGHUP" || (comesTwice() && performance.now() - stopped! < SAME_KEY_MS)) return;
    end(name);
  };
  const end = (name: StopSignal): void => {
    for (const each of SIGNALS) process.removeAllListeners(each);
    process.kill(process.pid, name);
  };
  for (const name of SIGNALS) process.on(name, first);
  return controller.signal;
}

/** Whether one Ctrl-C arrives as two signals. */
function comesTwice(): boolean {
  return process.env["npm_command"] !== undefined && isatty(0);
}
