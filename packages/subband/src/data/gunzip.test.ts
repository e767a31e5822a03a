import { gunzipSync, gzipSync } from "node:zlib";
import { rng } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { gunzip } from "./gunzip.ts";

/** Unpacks `bytes` that come in pieces of `piece` bytes; what was got before an error counts. */
async function unpack(bytes: Uint8Array, piece: number): Promise<[Buffer, string]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of gunzip(pieces())) chunks.push(chunk);
    return [Buffer.concat(chunks), "whole"];
  } catch (error) {
    return [Buffer.concat(chunks), (error as Error).message];
  }
}

const random = rng(1, "gunzip");
const noise = Buffer.from(Array.from({ length: 70_000 }, () => Math.floor(256 * random.uniform())));
const text = Buffer.from("all work and no play ".repeat(9000));
const PIECES = [1, 7, 1000, 65536, 1e9];

describe("gunzip()", () => {
  test("unpacks what zlib packed, however it comes in", async () => {
    for (const data of [Buffer.alloc(0), Buffer.from("a"), text, noise])
      for (const piece of data === noise ? PIECES.slice(2) : PIECES) {
        const [got, end] = await unpack(gzipSync(data), piece);
        expect(end).toBe("whole");
        expect(got.equals(data), `${data.length} bytes in pieces of ${piece}`).toBe(true);
      }
  });

  test("several members are one stream, as zlib has it, and other bytes behind them are left alone", async () => {
    const members = Buffer.concat([gzipSync(text), gzipSync(""), gzipSync("end")]);
    const want = gunzipSync(members);
    for (const junk of ["", "junk behind", "\0\0\0\0", "\x1f\x8b", "\x1f\x8b\x08\xff so on"])
      for (const piece of PIECES) {
        const [got, end] = await unpack(Buffer.concat([members, Buffer.from(junk, "latin1")]), piece);
        expect(end, `${JSON.stringify(junk)} in pieces of ${piece}`).toBe("whole");
        expect(got.equals(want)).toBe(true);
      }
  });

  test("headers with every optional field", async () => {
    const plain = gzipSync("fields");
    const header = Buffer.from(plain.subarray(0, 10));
    header[3] = 4 + 8 + 16 + 2;
    const fields = Buffer.concat([
      Buffer.from([3, 0, 1, 2, 3]),
      Buffer.from("name\0comment\0"),
      Buffer.from([9, 9]),
    ]);
    for (const piece of PIECES)
      expect(await unpack(Buffer.concat([header, fields, plain.subarray(10)]), piece)).toEqual([
        Buffer.from("fields"),
        "whole",
      ]);
  });

  test("a name without an end is no header, and is not looked for through the whole file", async () => {
    let taken = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]);
      for (; taken < 1e9; taken += 65536) yield Buffer.alloc(65536, "x");
    }
    await expect(gunzip(endless()).next()).rejects.toThrow("no gzip");
    expect(taken).toBeLessThan(1e6);
  });

  test("no member, a damaged one and one cut short are errors, wherever the damage is", async () => {
    expect((await unpack(Buffer.from("no gzip at all"), 3))[1]).toBe("no gzip");
    const packed = gzipSync(text);
    for (let at = 10; at < packed.length; at++) {
      expect((await unpack(packed.subarray(0, at), 100))[1], `cut at ${at}`).not.toBe("whole");
      const damaged = Buffer.from(packed);
      damaged[at]! ^= 0x55;
      expect((await unpack(damaged, 100))[1], `flipped at ${at}`).not.toBe("whole");
    }
  });
});
