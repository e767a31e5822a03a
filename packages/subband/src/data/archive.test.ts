import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarOf, type ZipOptions, zipOf, type ZipPart } from "../../../../tests/support/archives.ts";
import { archiveImages, archiveKind, type ArchiveKind } from "./archive.ts";
import { mapConcurrent } from "./concurrent.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "subband-archive-"));
});
afterAll(() => rm(folder, { recursive: true }));

const bytes = (text: string): Buffer => Buffer.from(text);

/** `name: text or reason` of every entry. */
function contents(path: string, kind: ArchiveKind, concurrency = 4): Promise<string[]> {
  return mapConcurrent(archiveImages(path, kind), concurrency, (entry) =>
    entry.use(
      async (data) =>
        `${entry.name}: ${typeof data === "string" ? `(${data})` : Buffer.from(data).toString()}`,
    ),
  );
}

async function put(name: string, data: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, data);
  return path;
}

const zip = (name: string, parts: readonly ZipPart[], options?: ZipOptions): Promise<string> =>
  put(name, zipOf(parts, options));

async function tar(name: string, files: readonly [string, Buffer][]): Promise<string> {
  const whole = await tarOf([
    ...files.map(([entry, data]) => [{ name: entry }, data] as const),
    [{ name: "folder.png", type: "directory" }, bytes("")],
    [{ name: "link.png", type: "symlink", linkname: "/etc/passwd" }, bytes("")],
  ]);
  return put(name, name.endsWith("gz") ? gzipSync(whole) : whole);
}

describe("archiveKind()", () => {
  test("goes by the bytes, not by the name", async () => {
    expect(await archiveKind(await zip("a.dat", [{ name: "a.png", data: bytes("a") }]))).toBe("zip");
    expect(await archiveKind(await zip("none.zip", []))).toBe("zip");
    const before = bytes("#!/bin/sh\nexit 1\n");
    expect(await archiveKind(await zip("self.sh", [{ name: "a.png", data: bytes("a") }], { before }))).toBe(
      "zip",
    );
    expect(await archiveKind(await tar("b.dat", [["a.png", bytes("a")]]))).toBe("tar");
    expect(await archiveKind(await tar("c.gz", [["a.png", bytes("a")]]))).toBe("tar.gz");
    expect(await archiveKind(await put("fake.zip", bytes("no archive")))).toBeUndefined();
    expect(await archiveKind(await put("empty.zip", bytes("")))).toBeUndefined();
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
    expect(await contents(await tar("all.tar", files), "tar")).toEqual([...want, "link.png: (link)"]);
    expect(await contents(await tar("all.tar.gz", files), "tar.gz")).toEqual([...want, "link.png: (link)"]);
  });

  test("encrypted, oversized and lying zip entries are left out one by one", async () => {
    const path = await zip("odd.zip", [
      { name: "secret.png", data: bytes("???"), flags: 1 },
      { name: "big.png", data: bytes("b"), claim: 300e6, deflate: true },
      { name: "liar.png", data: bytes("longer than it says"), claim: 3, deflate: true },
      { name: "boaster.png", data: bytes("shorter than it says"), claim: 30, deflate: true },
      { name: "stored.png", data: bytes("stored, of two sizes"), claim: 3 },
      { name: "method.png", data: bytes("m"), method: 93 },
      { name: "link.png", data: bytes("/etc/passwd"), mode: 0o120777 },
      { name: "crc.png", data: bytes("one bit is wrong"), crc: 1 },
      { name: "crc-deflated.png", data: bytes("one bit is wrong"), crc: 1, deflate: true },
      { name: "other.png", data: bytes("o"), localName: "names.png" },
      { name: "blank.png", data: Buffer.alloc(17e6), deflate: true },
      { name: "good.png", data: bytes("g") },
      { name: "good.png", data: bytes("which of the two?") },
    ]);
    expect(await contents(path, "zip")).toEqual([
      "secret.png: (encrypted)",
      "big.png: (over 256 MB)",
      "liar.png: (corrupt or truncated)",
      "boaster.png: (corrupt or truncated)",
      "stored.png: (corrupt or truncated)",
      "method.png: (format not supported)",
      "link.png: (link)",
      "crc.png: (corrupt or truncated)",
      "crc-deflated.png: (corrupt or truncated)",
      "other.png: (corrupt or truncated)",
      "blank.png: (compressed over 200:1)",
      "good.png: g",
      "good.png: (same name as another)",
    ]);
  });

  test("entries over each other are refused but for one, so that no byte is read twice", async () => {
    const data = bytes("shared by everyone");
    const shared = ["a", "b", "c", "d"].map((name, i) => ({
      name: `${name}.png`,
      data,
      localName: "d.png",
      ...(i > 0 && { sameAs: 0 }),
    }));
    const path = await zip("shared.zip", [...shared, { name: "e.png", data: bytes("e") }]);
    expect(await contents(path, "zip")).toEqual([
      ...["a", "b", "c"].map((name) => `${name}.png: (overlaps another entry)`),
      "d.png: shared by everyone",
      "e.png: e",
    ]);
    const nested = await zip("nested.zip", [
      { name: "outer.png", data: bytes("o"), packedClaim: 40, claim: 40 },
      { name: "inner.png", data: bytes("i") },
      { name: "past.png", data: bytes("p"), packedClaim: 1000, claim: 1000 },
      { name: "far.png", data: bytes("f"), packedClaim: 2 ** 31 - 1, deflate: true },
    ]);
    expect(await contents(nested, "zip")).toEqual([
      "outer.png: (overlaps another entry)",
      "inner.png: i",
      "past.png: (corrupt or truncated)",
      "far.png: (corrupt or truncated)",
    ]);
  });

  test("zips of every shape are read: zip64, data descriptors, comments, programs before, bytes behind", async () => {
    const parts: ZipPart[] = [
      { name: "a.png", data: bytes("a"), descriptor: true, deflate: true },
      { name: "b.png", data: bytes("b"), wide: true },
      { name: Buffer.from([0x82, 0x2e, 0x70, 0x6e, 0x67]), data: bytes("cp437") },
      { name: Buffer.from([0x83, 0x2e, 0x70, 0x6e, 0x67]), data: bytes("another") },
    ];
    const names = ["a.png: a", "b.png: b", "\x82.png: cp437", "\x83.png: another"];
    const comment = bytes(
      "no PK\x05\x06 end record, though it looks like one for a while: 22 bytes are needed",
    );
    const before = bytes("#!/bin/sh\nexit 1\n");
    for (const options of [{}, { wide: true }, { comment }, { before }, { before, wide: true }])
      expect(await contents(await zip("shape.zip", parts, options), "zip"), JSON.stringify(options)).toEqual(
        names,
      );
    const whole = Buffer.concat([zipOf(parts), bytes("bytes that a download left behind")]);
    expect(await contents(await put("behind.zip", whole), "zip")).toEqual(names);
  });

  test("a count that lies is damage; what is there is read", async () => {
    const parts = ["a", "b"].map((name) => ({ name: `${name}.png`, data: bytes(name) }));
    for (const count of [1, 3, 60_000])
      expect(await contents(await zip("count.zip", parts, { count }), "zip")).toEqual([
        "a.png: a",
        "b.png: b",
        ": (archive damaged)",
      ]);
    expect(await contents(await zip("count64.zip", parts, { count: 2 ** 52, wide: true }), "zip")).toEqual([
      "a.png: a",
      "b.png: b",
      ": (archive damaged)",
    ]);
  });

  test("tars of every shape: long names, sparse files, links, a name twice, gzip in pieces", async () => {
    const long = `${"deep/".repeat(60)}é.png`;
    const whole = await tarOf([
      [{ name: long, pax: { comment: "x" } }, bytes("long")],
      [{ name: "holes.png", pax: { "GNU.sparse.major": "1" } }, bytes("holes")],
      [{ name: "hard.png", type: "link", linkname: long }, bytes("")],
      [{ name: "pipe.png", type: "fifo" }, bytes("")],
      [{ name: "a.png" }, bytes("first")],
      [{ name: "a.png" }, bytes("second")],
    ]);
    const read = [
      `${long}: long`,
      "holes.png: (format not supported)",
      "hard.png: (link)",
      "pipe.png: (not an image file)",
      "a.png: first",
      "a.png: (same name as another)",
    ];
    expect(await contents(await put("shapes.tar", whole), "tar")).toEqual(read);
    const half = whole.length >> 1;
    const pieces = [gzipSync(whole.subarray(0, half)), gzipSync(whole.subarray(half)), bytes("junk behind")];
    expect(await contents(await put("pieces.tar.gz", Buffer.concat(pieces)), "tar.gz")).toEqual(read);
    // Without its last blocks, a tar cut between two entries would look like one of fewer pictures.
    const cut = whole.subarray(0, whole.length - 1024);
    expect(await contents(await put("cut-between.tar", cut), "tar")).toEqual([
      ...read,
      ": (archive damaged)",
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
    const noise = Buffer.concat([Buffer.from([0x1f, 0x8b]), bytes("x".repeat(900))]);
    expect(await contents(await put("noise.gz", noise), "tar.gz")).toEqual([": (archive damaged)"]);
  });

  test.each(["zip", "tar", "tar.gz"] as const)("%s: large entries wait for memory", async (kind) => {
    const data = Buffer.alloc(90, "x");
    const parts = Array.from({ length: 9 }, (_, i) => ({ name: `${i}.png`, data }));
    const whole = kind === "zip" ? zipOf(parts) : await tarOf(parts.map(({ name }) => [{ name }, data]));
    const path = await put(`large.${kind}`, kind === "tar.gz" ? gzipSync(whole) : whole);
    let held = 0;
    let most = 0;
    const sizes = await mapConcurrent(archiveImages(path, kind, 200), 6, (entry) =>
      entry.use(async (found) => {
        most = Math.max(most, ++held);
        await new Promise((resume) => setTimeout(resume, 5));
        held--;
        return found.length;
      }),
    );
    expect(sizes).toEqual(parts.map(() => 90));
    expect(most).toBe(2);
  });

  test("may be left early", async () => {
    for (const kind of ["zip", "tar"] as const) {
      const path =
        kind === "zip"
          ? await zip(
              "early.zip",
              files.map(([name, data]) => ({ name, data })),
            )
          : await tar("early.tar", files);
      for await (const entry of archiveImages(path, kind)) {
        expect(entry.name).toBe("b/two.JPG");
        break;
      }
    }
  });
});
