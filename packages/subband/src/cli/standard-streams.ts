/** @module `-` in the place of a picture: it comes from stdin, or goes to stdout as a PNG. */
import { inSlices } from "onnxgrad";
import { UserError } from "onnxgrad/errors";
import { MAX_FILE_BYTES } from "../data/skip-reason.ts";
import { writingFileAtomic } from "../training/atomic-file.ts";
import type { Context } from "./context.ts";
import { emit, note, type Result } from "./output.ts";

/** The path that means stdin or stdout. */
export const STANDARD = "-";

/** A path and how the user knows it. */
export interface NamedPath {
  readonly what: string;
  readonly path: string | undefined;
}

/**
 * Refuses what the streams cannot do, before anything is read: one stdin holds one picture, and so does one stdout, which
 * then holds nothing else.
 * @throws UserError `stream/one`, `stream/terminal`, `stream/json`.
 */
export function requireStreams(
  context: Context,
  reads: readonly NamedPath[],
  writes: readonly NamedPath[],
): void {
  for (const [stream, paths] of [
    ["stdin", reads],
    ["stdout", writes],
  ] as const) {
    const used = paths.filter(({ path }) => path === STANDARD);
    if (used.length === 0) continue;
    if (used.length > 1)
      throw new UserError(
        "stream/one",
        `${used.map(({ what }) => what).join(" and ")} cannot both be ${stream} (-). Give one of them a file.`,
      );
    if ((context[stream] as { readonly isTTY?: boolean }).isTTY === true)
      throw new UserError(
        "stream/terminal",
        `${stream} is a terminal: ${stream === "stdin" ? "pipe a picture in, as in: subband ... - < in.png" : "lead it into a file or a pipe, as in: --out - > out.png"}`,
      );
    if (stream === "stdout" && context.json)
      throw new UserError("stream/json", "--json prints to stdout, which --out - needs. Give --out a file.");
  }
}

/**
 * All that is piped in.
 * @throws UserError `picture/broken` for nothing, `picture/size` for more than a picture may have.
 */
export async function readStandardInput({ stdin }: Context): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of stdin as AsyncIterable<Uint8Array>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_FILE_BYTES)
      throw new UserError("picture/size", `too large: stdin has more than ${MAX_FILE_BYTES / 1e6} MB.`);
  }
  if (bytes === 0)
    throw new UserError(
      "picture/broken",
      "nothing on stdin: pipe a picture in, as in: subband ... - < in.png",
    );
  return new Uint8Array(Buffer.concat(pieces));
}

/** Writes a file, whole or not at all, or all of it to stdout; returns when it is written, or nobody reads it any more. */
export async function putEncoded({ stdout }: Context, path: string, bytes: Uint8Array): Promise<void> {
  if (path !== STANDARD) await inSlices(writingFileAtomic(path, bytes));
  else await new Promise<void>((resolve) => void stdout.write(bytes, () => resolve()));
}

/** The name that tells the format of a picture: stdout takes PNG. */
export function streamName(path: string): string {
  return path === STANDARD ? "stdout.png" : path;
}

/** The path, or where it leads. */
export function shownPath(path: string): string {
  return path === STANDARD ? "stdout" : path;
}

/** Tells what was done; on stderr where stdout holds what was made. */
export function emitBeside(context: Context, path: string | undefined, result: Result): void {
  if (path === STANDARD) for (const line of result.lines) note(context, line);
  else emit(context, result);
}
