/** @module For tests of commands: an outside of the program that remembers what was printed. */
import { Readable, Writable } from "node:stream";
import type { Io } from "./context.ts";

/** What a command printed. */
export interface CapturedIo extends Io {
  /** Everything on stdout so far. */
  readonly out: string;
  /** The same as bytes. */
  readonly outBytes: Uint8Array;
  /** Everything on stderr so far. */
  readonly err: string;
}

/** Captures both streams; with `isTTY`, stderr is a terminal of 100 columns. `stdin` is what is piped in. */
export function captureIo(
  options: { readonly isTTY?: boolean; readonly signal?: AbortSignal; readonly stdin?: Uint8Array } = {},
): CapturedIo {
  const { isTTY = false, signal = new AbortController().signal, stdin = new Uint8Array() } = options;
  const stdout = remembering();
  const stderr = remembering();
  if (isTTY) Object.assign(stderr.stream, { isTTY, columns: 100 });
  return {
    stdin: Readable.from([stdin]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    isTTY,
    signal,
    failure: undefined,
    get out() {
      return stdout.bytes().toString();
    },
    get outBytes() {
      return stdout.bytes();
    },
    get err() {
      return stderr.bytes().toString();
    },
  };
}

function remembering(): { stream: Writable; bytes: () => Buffer } {
  const pieces: Buffer[] = [];
  const stream = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      done();
    },
  });
  return { stream, bytes: () => Buffer.concat(pieces) };
}
