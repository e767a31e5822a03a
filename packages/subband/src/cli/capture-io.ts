/** @module For tests of commands: an outside of the program that remembers what was printed. */
import { Writable } from "node:stream";
import type { Io } from "./context.ts";

/** What a command printed. */
export interface CapturedIo extends Io {
  /** Everything on stdout so far. */
  readonly out: string;
  /** Everything on stderr so far. */
  readonly err: string;
}

/** Captures both streams; with `isTTY`, stderr is a terminal of 100 columns. */
export function captureIo(
  options: { readonly isTTY?: boolean; readonly signal?: AbortSignal } = {},
): CapturedIo {
  const { isTTY = false, signal = new AbortController().signal } = options;
  const stdout = remembering();
  const stderr = remembering();
  if (isTTY) Object.assign(stderr.stream, { isTTY, columns: 100 });
  return {
    stdout: stdout.stream,
    stderr: stderr.stream,
    isTTY,
    signal,
    get out() {
      return stdout.text();
    },
    get err() {
      return stderr.text();
    },
  };
}

function remembering(): { stream: Writable; text: () => string } {
  const pieces: string[] = [];
  const stream = new Writable({
    write(piece: unknown, _encoding, done) {
      pieces.push(String(piece));
      done();
    },
  });
  return { stream, text: () => pieces.join("") };
}
