/** @module The entries of a tar or tar.gz as a stream, bounded in what it may expand to. */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import type { SkipReason } from "./skip-reason.ts";
import { gunzip } from "./gunzip.ts";

/** One entry of a tar: read it to its end, or `resume()` to pass over it. */
export interface TarEntry extends AsyncIterable<unknown> {
  readonly header: Header;
  resume(): void;
  /** Bytes of the file that have been read so far, or a little later. */
  spent(): number;
}

/** What is large may be so many times as large as it is packed; only blank bytes are more. */
export const MAX_RATIO = 200;
/** An entry up to this size may be packed as tightly as can be: a drawing of one colour is. */
export const FREE_ENTRY_BYTES = 16e6;
const FREE_STREAM_BYTES = 1e9;
/** What a stream may have read of the file ahead of what it has handed out. */
const AHEAD_BYTES = 256e3;

/**
 * The entries of a tar in stored order; each must be read or resumed before the next comes.
 * @throws Error, after the entries before the damage, when the archive is damaged or cut short, or is blown up over
 * {@link MAX_RATIO} times.
 */
export async function* tarEntries(path: string, gzipped: boolean): AsyncGenerator<TarEntry> {
  const entries = extract();
  const source = createReadStream(path);
  let size = 0;
  let zeros = 0;
  async function* watched(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > FREE_STREAM_BYTES && size > MAX_RATIO * source.bytesRead)
        throw new Error(`compressed over ${MAX_RATIO}:1`);
      const run = zerosBehind(chunk);
      zeros = run === chunk.length ? zeros + run : run;
      yield chunk;
    }
  }
  const flow = gzipped ? pipeline(source, gunzip, watched, entries) : pipeline(source, watched, entries);
  flow.catch(() => undefined); // the failure is thrown by the loop below, or the reader went away
  try {
    for await (const entry of entries) yield Object.assign(entry, { spent: () => source.bytesRead });
    await flow;
    // An archive ends with two blocks of zeros; cut between two entries, it looks whole but for that.
    if (zeros < 512) throw new Error("cut short");
  } finally {
    source.destroy();
  }
}

/** Number of zeros at the end of `bytes`. */
function zerosBehind(bytes: Uint8Array): number {
  let at = bytes.length;
  while (at > 0 && bytes[at - 1] === 0) at--;
  return bytes.length - at;
}

/** The whole of a stream of bytes. */
export async function readAll(stream: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/**
 * The content of an entry, in one buffer from the start, or why it was passed over.
 * @throws Error when it is cut short.
 */
export async function readTarEntry(entry: TarEntry): Promise<Uint8Array | SkipReason> {
  const { size = 0 } = entry.header;
  const bytes = new Uint8Array(size); // takes no memory before it is written
  const spent = entry.spent();
  let at = 0;
  let blank = false;
  for await (const chunk of entry) {
    const { length } = chunk as Uint8Array;
    blank ||= at > FREE_ENTRY_BYTES && at > MAX_RATIO * (entry.spent() - spent + AHEAD_BYTES);
    if (!blank) bytes.set(chunk as Uint8Array, at);
    at += length;
  }
  if (at !== size) throw new Error("cut short");
  return blank ? `compressed over ${MAX_RATIO}:1` : bytes;
}
