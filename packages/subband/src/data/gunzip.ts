/**
 * @module A gzip stream unpacked member by member (RFC 1952). Other bytes behind the last member are left alone, as
 * gzip(1) leaves them; Node's own stream takes them for damage, and loses what came just before.
 */
import { crc32, createInflateRaw } from "node:zlib";

const CHUNK_BYTES = 65536;
/** A name or comment in a header is no longer than this. */
const MAX_TEXT = 65536;

/** The unpacked bytes of all members. @throws Error when there is no member, or one is damaged or cut short. */
export async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = bufferedInput(source);
  for (let member = 0; ; member++) {
    if (!(await skipHeader(input))) {
      if (member === 0) throw new Error("no gzip");
      return;
    }
    yield* inflateMember(input);
  }
}

interface Input {
  /** The next bytes, as many as are at hand and at least `least` where there are so many; they stay. */
  peek(least: number): Promise<Buffer>;
  skip(bytes: number): void;
  /** Puts bytes back that were skipped last. */
  unread(bytes: Buffer): void;
}

function bufferedInput(source: AsyncIterable<Uint8Array>): Input {
  const chunks = source[Symbol.asyncIterator]();
  let ready: Buffer = Buffer.alloc(0);
  let ended = false;
  return {
    async peek(least) {
      while (ready.length < least && !ended) {
        const step = await chunks.next();
        if (step.done === true) ended = true;
        else ready = ready.length === 0 ? Buffer.from(step.value) : Buffer.concat([ready, step.value]);
      }
      return ready;
    },
    skip(bytes) {
      ready = ready.subarray(bytes);
    },
    unread(bytes) {
      ready = ready.length === 0 ? bytes : Buffer.concat([bytes, ready]);
    },
  };
}

/** Passes over the header of a member; false, and nothing is lost, where there is none. */
async function skipHeader(input: Input): Promise<boolean> {
  const fixed = await input.peek(10);
  const flags = fixed[3] ?? 0xff;
  if (fixed.length < 10 || fixed.readUIntBE(0, 3) !== 0x1f8b08 || (flags & 0xe0) !== 0) return false;
  let length = 10;
  if ((flags & 4) !== 0) {
    const sized = await input.peek(length + 2);
    if (sized.length < length + 2) return false;
    length += 2 + sized.readUInt16LE(length);
  }
  for (const text of [8, 16])
    if ((flags & text) !== 0) {
      const end = await endOfText(input, length);
      if (end === undefined) return false;
      length = end;
    }
  if ((flags & 2) !== 0) length += 2;
  if ((await input.peek(length)).length < length) return false;
  input.skip(length);
  return true;
}

/** Where the text that starts at `from` ends, behind its zero byte; undefined when it does not end soon. */
async function endOfText(input: Input, from: number): Promise<number | undefined> {
  const bytes = await input.peek(from + MAX_TEXT);
  const end = bytes.subarray(0, from + MAX_TEXT).indexOf(0, from);
  return end < 0 ? undefined : end + 1;
}

async function* inflateMember(input: Input): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
  let fed = 0;
  let last: Buffer = Buffer.alloc(0);
  const feed = async (): Promise<void> => {
    for (;;) {
      const chunk = await input.peek(1);
      if (chunk.length === 0) break;
      input.skip(chunk.length);
      fed += chunk.length;
      last = chunk;
      await new Promise((taken) => inflate.write(chunk, taken));
      if (inflate.bytesWritten < fed) return; // the deflate stream has ended, and what follows it is not taken in
    }
    inflate.end();
  };
  feed().catch((error: unknown) => inflate.destroy(error as Error));
  let crc = 0;
  let size = 0;
  for await (const chunk of inflate as AsyncIterable<Buffer>) {
    crc = crc32(chunk, crc);
    size += chunk.length;
    yield chunk;
  }
  input.unread(last.subarray(last.length - (fed - inflate.bytesWritten)));
  const trailer = await input.peek(8);
  if (trailer.length < 8) throw new Error("gzip member cut short");
  if (trailer.readUInt32LE(0) !== crc || trailer.readUInt32LE(4) !== size % 2 ** 32)
    throw new Error("gzip member of wrong CRC-32 or size");
  input.skip(8);
}
