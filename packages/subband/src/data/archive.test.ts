import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip, deflateRawSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveImages, archiveKind, type ArchiveKind } from "./archive.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "subband-archive-"));
});
afterAll(() => rm(folder, { recursive: true }));

const bytes = (text: string): Buffer => Buffer.from(text);

/** `name: text or reason` of every entry; reads the entries late, as bounded concurrency may. */
async function contents(path: string, kind: ArchiveKind): Promise<string[]> {
  const entries = [];
  for await (const entry of archiveImages(path, kind)) entries.push(entry);
  return Promise.all(
    entries.map(async (entry) => {
      const data = await entry.read();
      return `${entry.name}: ${typeof data === "string" ? `(${data})` : Buffer.from(data).toString()}`;
    }),
  );
}

async function tar(name: string, files: readonly [string, Buffer][]): Promise<string> {
  const path = join(folder, name);
  const archive = pack();
  for (const [entry, data] of files) archive.entry({ name: entry }, data);
  archive.entry({ name: "folder.png", type: "directory" });
  archive.entry({ name: "link.png", type: "symlink", linkname: "/etc/passwd" });
  archive.finalize();
  const out = createWriteStream(path);
  if (name.endsWith("gz")) await pipeline(archive, createGzip(), out);
  else await pipeline(archive, out);
  return path;
}

interface ZipEntry {
  readonly name: string;
  readonly data: Buffer;
  readonly encrypted?: boolean;
  readonly deflate?: boolean;
  /** Uncompressed size claimed in the headers, where it is not the true one. */
  readonly claim?: number;
}

/** A zip by the letter of PKWARE's APPNOTE 4.3: local headers with data, central directory, end record. */
async function zip(name: string, entries: readonly ZipEntry[]): Promise<string> {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name: entry, data, encrypted, deflate, claim } of entries) {
    const packed = deflate === true ? deflateRawSync(data) : data;
    const stored = encrypted === true ? Buffer.concat([Buffer.alloc(12), packed]) : packed; // key check comes first
    const fields = Buffer.alloc(26); // from "version needed" to "extra field length", alike in both headers
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(encrypted === true ? 1 : 0, 2);
    fields.writeUInt16LE(deflate === true ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(stored.length, 14);
    fields.writeUInt32LE(claim ?? data.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(entry), 22);
    const local = Buffer.concat([bytes("PK\x03\x04"), fields, bytes(entry), stored]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([bytes("PK\x01\x02"), Buffer.from([20, 0]), fields, tail, bytes(entry)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  const path = join(folder, name);
  await writeFile(path, Buffer.concat([...locals, directory, bytes("PK\x05\x06"), end]));
  return path;
}

describe("archiveKind()", () => {
  test("goes by the first bytes, not by the name", async () => {
    expect(await archiveKind(await zip("a.dat", [{ name: "a.png", data: bytes("a") }]))).toBe("zip");
    expect(await archiveKind(await zip("none.zip", []))).toBe("zip");
    expect(await archiveKind(await tar("b.dat", [["a.png", bytes("a")]]))).toBe("tar");
    expect(await archiveKind(await tar("c.gz", [["a.png", bytes("a")]]))).toBe("tar.gz");
    await writeFile(join(folder, "fake.zip"), "no archive");
    expect(await archiveKind(join(folder, "fake.zip"))).toBeUndefined();
  });
});

describe("archiveImages()", () => {
  const files: [string, Buffer][] = [
    ["b/two.JPG", bytes("2")],
    ["a/one.png", bytes("1")],
    ["labels.csv", bytes("x")],
    ["__MACOSX/a/._one.png", bytes("litter")],
    ["a/.DS_Store", bytes("litter")],
    ["../../escape.webp", bytes("only a name")],
    ["/root.gif", bytes("only a name too")],
    ["none.png", bytes("")],
  ];
  const want = [
    "b/two.JPG: 2",
    "a/one.png: 1",
    "labels.csv: (not an image file)",
    "../../escape.webp: only a name",
    "/root.gif: only a name too",
    "none.png: ",
  ];

  test("gives images in stored order, other files as reasons, desktop litter not at all", async () => {
    const entries = files.map(([name, data], i) => ({ name, data, deflate: i % 2 === 0 }));
    expect(
      await contents(await zip("all.zip", [...entries, { name: "dir.png/", data: bytes("") }]), "zip"),
    ).toEqual(want);
    expect(await contents(await tar("all.tar", files), "tar")).toEqual(want);
    expect(await contents(await tar("all.tar.gz", files), "tar.gz")).toEqual(want);
  });

  test("encrypted, oversized and lying zip entries are left out one by one", async () => {
    const path = await zip("odd.zip", [
      { name: "secret.png", data: bytes("???"), encrypted: true },
      { name: "big.png", data: bytes("b"), claim: 300e6, deflate: true },
      { name: "liar.png", data: bytes("longer than it says"), claim: 3, deflate: true },
      { name: "good.png", data: bytes("g") },
    ]);
    expect(await contents(path, "zip")).toEqual([
      "secret.png: (encrypted)",
      "big.png: (over 256 MB)",
      "liar.png: (corrupt or truncated)",
      "good.png: g",
    ]);
  });

  test("a tar cut short gives what came before the cut", async () => {
    for (const [name, kind] of [
      ["cut.tar", "tar"],
      ["cut.tar.gz", "tar.gz"],
    ] as const) {
      const random = Buffer.from(Array.from({ length: 4000 }, (_, i) => Math.imul(i * i, 2654435761) >>> 24));
      const path = await tar(name, [
        ["one.png", bytes("1")],
        ["two.png", random],
      ]);
      const whole = await readFile(path);
      await writeFile(path, whole.subarray(0, kind === "tar" ? 2500 : whole.length - 200));
      expect(await contents(path, kind), kind).toEqual(["one.png: 1", ": (archive damaged)"]);
    }
  });

  test("a zip without its directory, and bytes that only begin like an archive, are damaged", async () => {
    const path = await zip("cut.zip", [{ name: "a.png", data: bytes("a") }]);
    await writeFile(path, (await readFile(path)).subarray(0, 40));
    expect(await contents(path, "zip")).toEqual([": (archive damaged)"]);
    await writeFile(
      join(folder, "noise.gz"),
      Buffer.concat([Buffer.from([0x1f, 0x8b]), bytes("x".repeat(900))]),
    );
    expect(await contents(join(folder, "noise.gz"), "tar.gz")).toEqual([": (archive damaged)"]);
  });

  test("may be left early", async () => {
    for await (const entry of archiveImages(await tar("early.tar", files), "tar")) {
      expect(entry.name).toBe("b/two.JPG");
      break;
    }
  });
});

/** CRC-32 of PNG and zip (ISO 3309), bit by bit. */
function crc32(data: Uint8Array): number {
  let crc = -1;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
