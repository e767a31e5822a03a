/** @module Archives for tests, written field by field, so that any of them can lie. */
import { crc32, deflateRawSync } from "node:zlib";
import { pack, type Header } from "tar-stream";

/** An entry of {@link zipOf}; what is given overrides what would be true. */
export interface ZipPart {
  readonly name: string | Buffer;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  readonly flags?: number;
  readonly method?: number;
  readonly crc?: number;
  /** Size claimed for the content unpacked, and packed. */
  readonly claim?: number;
  readonly packedClaim?: number;
  /** Name in the local header. */
  readonly localName?: string;
  /** Sizes and CRC-32 follow the data, and the local header has zeros. */
  readonly descriptor?: boolean;
  /** Sizes and offset in 64 bits. */
  readonly wide?: boolean;
  /** Unix mode, in the upper half of the external attributes. */
  readonly mode?: number;
  /** Puts no data of its own: the local header of this entry, counted from 0, is meant. */
  readonly sameAs?: number;
}

/** What {@link zipOf} may have besides entries. */
export interface ZipOptions {
  /** Bytes before the archive, which its offsets do not count. */
  readonly before?: Uint8Array;
  readonly comment?: Uint8Array;
  /** Number of entries claimed. */
  readonly count?: number;
  /** A zip64 end record as well, and 0xffff in the old one. */
  readonly wide?: boolean;
}

/** A zip by the letter of PKWARE's APPNOTE 4.3: local headers with data, central directory, end record. */
export function zipOf(parts: readonly ZipPart[], options: ZipOptions = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const part of parts) {
    const name = Buffer.from(part.name);
    const packed = part.deflate === true ? deflateRawSync(part.data, { level: 9 }) : Buffer.from(part.data);
    const fields = Buffer.alloc(26); // from "version needed" to "extra field length", alike in both headers
    const sizes = [part.packedClaim ?? packed.length, part.claim ?? part.data.length] as const;
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE((part.flags ?? 0) | (part.descriptor === true ? 8 : 0), 2);
    fields.writeUInt16LE(part.method ?? (part.deflate === true ? 8 : 0), 4);
    fields.writeUInt32LE(part.crc ?? crc32(part.data), 10);
    sizes.forEach((size, i) => fields.writeUInt32LE(part.wide === true ? 0xffffffff : size, 14 + 4 * i));
    const at = part.sameAs === undefined ? offset : offsets[part.sameAs]!;
    offsets.push(at);
    if (part.sameAs === undefined) {
      const localName = Buffer.from(part.localName ?? name);
      const own = Buffer.from(fields);
      own.writeUInt16LE(localName.length, 22);
      if (part.descriptor === true) own.fill(0, 10, 22);
      const behind = part.descriptor === true ? [Buffer.from("PK\x07\x08"), fields.subarray(10, 22)] : [];
      const local = Buffer.concat([Buffer.from("PK\x03\x04"), own, localName, packed, ...behind]);
      locals.push(local);
      offset += local.length;
    }
    const extra = part.wide === true ? wideField([sizes[1], sizes[0], at]) : Buffer.alloc(0);
    fields.writeUInt16LE(name.length, 22);
    fields.writeUInt16LE(extra.length, 24);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((part.mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(part.wide === true ? 0xffffffff : at, 10);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([20, 3]), fields, tail, name, extra]));
  }
  const directory = Buffer.concat(central);
  const count = options.count ?? parts.length;
  const comment = options.comment ?? Buffer.alloc(0);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(options.wide === true ? 0xffff : count & 0xffff, 4);
  end.writeUInt16LE(options.wide === true ? 0xffff : count & 0xffff, 6);
  end.writeUInt32LE(options.wide === true ? 0xffffffff : directory.length, 8);
  end.writeUInt32LE(options.wide === true ? 0xffffffff : offset, 12);
  end.writeUInt16LE(comment.length, 16);
  const end64 = options.wide === true ? wideEnd(count, directory.length, offset) : Buffer.alloc(0);
  const before = options.before ?? Buffer.alloc(0);
  return Buffer.concat([before, ...locals, directory, end64, Buffer.from("PK\x05\x06"), end, comment]);
}

function wideField(values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => field.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return field;
}

/** The zip64 end record and its locator. */
function wideEnd(count: number, bytes: number, offset: number): Buffer {
  const record = Buffer.alloc(56);
  record.write("PK\x06\x06", "latin1");
  record.writeBigUInt64LE(44n, 4);
  [count, count, bytes, offset].forEach((value, i) => record.writeBigUInt64LE(BigInt(value), 24 + 8 * i));
  const locator = Buffer.alloc(20);
  locator.write("PK\x06\x07", "latin1");
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}

/** A tar of the given headers and contents. */
export async function tarOf(
  parts: readonly (readonly [Partial<Header> & { readonly name: string }, Uint8Array])[],
): Promise<Buffer> {
  const archive = pack();
  for (const [header, data] of parts) archive.entry(header, Buffer.from(data));
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
