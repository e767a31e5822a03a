import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng, UserError } from "onnxgrad";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Checkpoint,
  decodingCheckpoint,
  hasCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
} from "./checkpoint.ts";
import { failingFileSystem } from "./failing-file-system.testing.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-checkpoint-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const CURRENT = "state.safetensors";
const PREVIOUS = "state.previous.safetensors";

/** A checkpoint that tells its number in every part. */
function numbered(number: number, size = 24): Checkpoint {
  return {
    tensors: new Map([
      ["params.w", { shape: [2, size / 2], data: rng(number, "w").fillNormal(new Float32Array(size)) }],
      ["bias", { shape: [], data: new Float32Array([number]) }],
    ]),
    metadata: { images: String(number), note: '"sha256":"' },
  };
}

const imagesOf = (found: Checkpoint | undefined): number => Number(found?.metadata["images"] ?? -1);

function expectSame(found: Checkpoint | undefined, want: Checkpoint, what: string): void {
  expect(found, what).toBeDefined();
  expect(found!.metadata, what).toEqual(want.metadata);
  expect([...found!.tensors.keys()].sort(), what).toEqual([...want.tensors.keys()].sort());
  for (const [name, { shape, data }] of want.tensors) {
    expect(found!.tensors.get(name)!.shape, `${what} ${name}`).toEqual(shape);
    expect(
      Buffer.from(found!.tensors.get(name)!.data.buffer).equals(Buffer.from(data.buffer)),
      `${what} ${name}: bits`,
    ).toBe(true);
  }
}

describe("saveCheckpoint(), loadCheckpoint()", () => {
  test("give back every bit, the smallest, the largest and signed zero included, and views of larger buffers", async () => {
    const whole = Float32Array.of(7, 3.4028234663852886e38, 1.1754943508222875e-38, -1, -0, 1e-45, 8);
    const checkpoint: Checkpoint = {
      tensors: new Map([
        ["a", { shape: [5], data: whole.subarray(1, 6) }],
        ["empty", { shape: [0, 3], data: new Float32Array() }],
      ]),
      metadata: { text: 'line\nand "quotes" ü', nothing: "" },
    };
    saveCheckpoint(dir, checkpoint);
    const found = (await loadCheckpoint(dir))!;
    expectSame(
      found,
      {
        ...checkpoint,
        tensors: new Map([...checkpoint.tensors].map(([k, v]) => [k, { ...v, data: v.data.slice() }])),
      },
      "special",
    );
    expect(found.warning).toBeUndefined();
    expect(found.file).toBe(CURRENT);
    expect(found.bytes).toBe(readFileSync(join(dir, CURRENT)).length);
  });

  test("turn the event loop meanwhile, and decode in pieces", async () => {
    const arrays = Array.from(
      { length: 4 },
      (_, i) => [`w${i}`, { shape: [1 << 20], data: new Float32Array(1 << 20) }] as const,
    );
    saveCheckpoint(dir, { tensors: new Map(arrays), metadata: {} });
    let turns = 0;
    let isLoading = true;
    const count = (): void => {
      turns++;
      if (isLoading) setImmediate(count);
    };
    setImmediate(count);
    await loadCheckpoint(dir);
    isLoading = false;
    expect(turns).toBeGreaterThan(16);
    const pieces = [...decodingCheckpoint(readFileSync(join(dir, CURRENT)), CURRENT, () => "")];
    expect(pieces.length, "4 arrays of 4 MiB, summed and copied").toBeGreaterThanOrEqual(8);
  });

  test.each([NaN, Infinity, -Infinity])(
    "%d in any array is refused, by name and with a remedy",
    async (value) => {
      const file = join(dir, CURRENT);
      for (const name of ["params.w", "bias"]) {
        const poisoned = numbered(2);
        const { data } = poisoned.tensors.get(name)!;
        data[data.length - 1] = value;
        saveCheckpoint(dir, poisoned);
        await expect(loadCheckpoint(dir), name).rejects.toThrow(UserError);
        await expect(loadCheckpoint(dir), name).rejects.toThrow(
          `cannot use "${file}": weights that are no finite numbers: "${name}" holds ${value} as number ${data.length} of ${data.length}. `,
        );
        rmSync(file);
        rmSync(join(dir, PREVIOUS), { force: true });
      }
    },
  );

  test("an older checkpoint is not taken in the place of one that holds no numbers, but named", async () => {
    saveCheckpoint(dir, numbered(1));
    const poisoned = numbered(2);
    poisoned.tensors.get("bias")!.data[0] = NaN;
    saveCheckpoint(dir, poisoned);
    await expect(loadCheckpoint(dir)).rejects.toThrow(`delete this file to go back to ${PREVIOUS}`);
    rmSync(join(dir, CURRENT));
    expectSame(await loadCheckpoint(dir), numbered(1), "after the remedy");
    rmSync(join(dir, PREVIOUS));
    saveCheckpoint(dir, poisoned);
    await expect(loadCheckpoint(dir)).rejects.toThrow(
      "Restore a copy of the run, or train into a new folder",
    );
  });

  test("nothing saved is undefined, also where there is no folder", async () => {
    expect(await loadCheckpoint(dir)).toBeUndefined();
    expect(await loadCheckpoint(join(dir, "missing"))).toBeUndefined();
    expect(hasCheckpoint(dir)).toBe(false);
    saveCheckpoint(dir, numbered(1));
    expect(hasCheckpoint(dir)).toBe(true);
  });

  test("keep the one before, and only that", async () => {
    for (const number of [1, 2, 3]) saveCheckpoint(dir, numbered(number));
    expect(readdirSync(dir).sort()).toEqual([PREVIOUS, CURRENT].sort());
    expectSame(await loadCheckpoint(dir), numbered(3), "current");
    rmSync(join(dir, CURRENT));
    expectSame(await loadCheckpoint(dir), numbered(2), "previous");
  });

  test("equal checkpoints are equal files, whatever the order of names", () => {
    saveCheckpoint(dir, numbered(5));
    const first = readFileSync(join(dir, CURRENT));
    const { tensors, metadata } = numbered(5);
    saveCheckpoint(dir, {
      tensors: new Map([...tensors].reverse()),
      metadata: Object.fromEntries(Object.entries(metadata).reverse()),
    });
    expect(readFileSync(join(dir, CURRENT)).equals(first)).toBe(true);
  });

  test("the file is plain safetensors: 8-byte length, JSON header, data to its end", () => {
    saveCheckpoint(dir, numbered(1));
    const bytes = readFileSync(join(dir, CURRENT));
    const headerLength = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength)) as Record<string, never>;
    expect(Object.keys(header)).toEqual(["__metadata__", "bias", "params.w"]);
    expect(header["__metadata__"]!["sha256"]).toMatch(/^[0-9a-f]{64}$/);
    expect(bytes.length).toBe(8 + headerLength + 4 * 25);
  });

  test("refuse metadata that would move the checksum", () => {
    for (const key of ["0", "sha256"])
      expect(() => saveCheckpoint(dir, { tensors: new Map(), metadata: { [key]: "x" } }), key).toThrow(
        "internal:",
      );
  });
});

describe("damage", () => {
  test("a file cut off anywhere is noticed, the previous is used, and the message says so", async () => {
    saveCheckpoint(dir, numbered(1));
    saveCheckpoint(dir, numbered(2));
    const whole = readFileSync(join(dir, CURRENT));
    const cuts = [0, 1, 7, 8, 20, 99, 100, 150, whole.length - 60, whole.length - 4, whole.length - 1];
    for (const length of cuts) {
      writeFileSync(join(dir, CURRENT), whole.subarray(0, length));
      const found = await loadCheckpoint(dir);
      expectSame(found, numbered(1), `cut to ${length} of ${whole.length} bytes`);
      expect(found!.warning, `cut to ${length}`).toMatch(
        /^damaged checkpoint: state\.safetensors \((cut off after \d+ bytes|checksum differs)\) in ".*"; using state\.previous\.safetensors, which is older\.$/,
      );
    }
  });

  test("a single flipped bit anywhere, and bytes added, are noticed", async () => {
    saveCheckpoint(dir, numbered(1));
    saveCheckpoint(dir, numbered(2));
    const whole = readFileSync(join(dir, CURRENT));
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << (at % 8);
      writeFileSync(join(dir, CURRENT), flipped);
      expect(imagesOf(await loadCheckpoint(dir)), `bit ${at % 8} of byte ${at}`).toBe(1);
    }
    writeFileSync(join(dir, CURRENT), Buffer.concat([whole, Buffer.alloc(4)]));
    expect(imagesOf(await loadCheckpoint(dir)), "bytes added").toBe(1);
  });

  test("both bad is a user error that names both and what is wrong", async () => {
    saveCheckpoint(dir, numbered(1));
    saveCheckpoint(dir, numbered(2));
    writeFileSync(join(dir, CURRENT), "");
    writeFileSync(join(dir, PREVIOUS), "x".repeat(500));
    await expect(loadCheckpoint(dir)).rejects.toThrow(
      new UserError(
        "checkpoint/damaged",
        `damaged checkpoint: no good one is left in "${dir}": state.safetensors (cut off after 0 bytes), ` +
          `state.previous.safetensors (not a checkpoint of subband). Restore a copy, or train into a new folder.`,
      ),
    );
  });
});

describe("a crash while saving", () => {
  /** What lies in the folder before the save that crashes, and which checkpoint counts as the one to keep. */
  const STARTS: Readonly<Record<string, { prepare: () => void; newest: number }>> = {
    "an empty folder": { prepare: () => {}, newest: -1 },
    "one checkpoint": { prepare: () => saveCheckpoint(dir, numbered(1)), newest: 1 },
    "two checkpoints": {
      prepare: () => {
        saveCheckpoint(dir, numbered(1));
        saveCheckpoint(dir, numbered(2));
      },
      newest: 2,
    },
    "a damaged one and a good previous one": {
      prepare: () => {
        saveCheckpoint(dir, numbered(1));
        saveCheckpoint(dir, numbered(2));
        writeFileSync(join(dir, CURRENT), "damaged");
      },
      newest: 1,
    },
    "a damaged one alone": {
      prepare: () => {
        saveCheckpoint(dir, numbered(1));
        writeFileSync(join(dir, CURRENT), "damaged");
      },
      newest: -1,
    },
  };

  test.each(Object.keys(STARTS))(
    "between any two steps leaves the old or the new one, from %s",
    async (start) => {
      const { prepare, newest } = STARTS[start]!;
      const load = async (): Promise<number> =>
        start === "a damaged one alone" ? loadOrDamaged() : imagesOf(await loadCheckpoint(dir));
      let completed = false;
      const found = new Set<number>();
      for (let failAt = 0; !completed; failAt++) {
        rmSync(dir, { recursive: true, force: true });
        dir = mkdtempSync(join(tmpdir(), "subband-checkpoint-"));
        prepare();
        const files = failingFileSystem(failAt, "crash");
        try {
          saveCheckpoint(dir, numbered(7), files);
          completed = true;
        } catch (error) {
          expect(String(error)).toContain("crash at call");
        }
        const what = `${start}, crash at call ${failAt} of [${files.calls.join(", ")}]`;
        expect([newest, 7], what).toContain(await load());
        found.add(await load());

        // A second crash of the resumed run, at every place again, must not lose what the first one left.
        const survivor = await load();
        const again = failingFileSystem(failAt, "crash");
        try {
          saveCheckpoint(dir, numbered(8), again);
        } catch {
          // As intended.
        }
        expect([survivor, 8], `${what}, then at call ${failAt} of [${again.calls.join(", ")}]`).toContain(
          await load(),
        );

        saveCheckpoint(dir, numbered(9));
        expect(await load(), `${what}, then saved whole`).toBe(9);
      }
      expect([...found].sort(), "both outcomes were seen").toEqual([newest, 7].sort());
    },
  );

  async function loadOrDamaged(): Promise<number> {
    try {
      return imagesOf(await loadCheckpoint(dir));
    } catch (error) {
      expect((error as UserError).code).toBe("checkpoint/damaged");
      return -1;
    }
  }

  test("a full disk at any step loses nothing, and the next save works", async () => {
    saveCheckpoint(dir, numbered(1));
    const steps = failingFileSystem(Infinity, "crash");
    saveCheckpoint(dir, numbered(2), steps);
    for (let failAt = 0; failAt < steps.calls.length; failAt++) {
      const what = `ENOSPC at call ${failAt} (${steps.calls[failAt]})`;
      const before = imagesOf(await loadCheckpoint(dir));
      const files = failingFileSystem(failAt, { code: "ENOSPC" });
      expect(() => saveCheckpoint(dir, numbered(100 + failAt), files), what).toThrow(/^disk full: /);
      expect([before, 100 + failAt], what).toContain(imagesOf(await loadCheckpoint(dir)));
      saveCheckpoint(dir, numbered(200 + failAt));
      expect(imagesOf(await loadCheckpoint(dir)), what).toBe(200 + failAt);
      expect(readdirSync(dir).sort(), what).toEqual([PREVIOUS, CURRENT].sort());
    }
  });
});
