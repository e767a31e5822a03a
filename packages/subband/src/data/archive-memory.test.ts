/** @module Archives that are small and unpack to much, read by a process whose memory is measured. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32, deflateRawSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tarOf, zipOf } from "../../../../tests/support/archives.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "subband-archive-memory-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** What opening the archive as a data set says, and the most memory that took, in MB. */
async function open(path: string): Promise<{ readonly said: string; readonly peak: number }> {
  const code = `
    import { openDataset } from ${JSON.stringify(join(import.meta.dirname, "open-dataset.ts"))};
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss() / 1e6)), 2);
    const said = await openDataset(${JSON.stringify(path)}, { cacheDir: ${JSON.stringify(folder)} }).then(
      (set) => "opened " + set.count,
      (error) => error.name + ": " + error.message,
    );
    clearInterval(watch);
    console.log(JSON.stringify({ said, peak }));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...["--import", "tsx", "--conditions=@subband/source", "--input-type=module", "-e", code],
  ]);
  return JSON.parse(stdout) as { said: string; peak: number };
}

const BLANK = Buffer.alloc(250e6);

test("32 entries of 250 MB in a small zip are refused unread, overlapping or not", async () => {
  const blank = { data: deflateRawSync(BLANK), method: 8, claim: BLANK.length, crc: crc32(BLANK) };
  for (const shared of [true, false]) {
    const parts = Array.from({ length: 32 }, (_, i) => ({
      ...blank,
      name: `${i}.tif`,
      ...(shared && i > 0 && { sameAs: 0, localName: "0.tif" }),
    }));
    const path = join(folder, "bomb.zip");
    await writeFile(path, zipOf(parts));
    expect((await stat(path)).size).toBeLessThan(10e6);
    const { said, peak } = await open(path);
    expect(said).toContain("32 compressed over 200:1");
    expect(peak).toBeLessThan(250);
  }
});

test("an entry of 250 MB in a small tar.gz is passed over", async () => {
  const whole = await tarOf([[{ name: "blank.tif" }, BLANK]]);
  const path = join(folder, "bomb.tar.gz");
  await writeFile(path, gzipSync(whole));
  const { said, peak } = await open(path);
  expect(said).toContain("1 compressed over 200:1");
  expect(peak).toBeLessThan(400);
});
