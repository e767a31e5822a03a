import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-damaged-"));
const pictures = join(dir, "pictures");
beforeAll(async () => {
  vi.stubEnv("SUBBAND_CACHE", join(dir, "cache"));
  mkdirSync(pictures);
  for (const [i, background] of ["red", "green", "blue"].entries())
    await sharp({ create: { width: 8, height: 8, channels: 3, background } }).toFile(
      join(pictures, `${i}.png`),
    );
  for (const name of ["cut.jpg", "half.png", "photo.heic", "torn.webp", "void.gif"])
    writeFileSync(join(pictures, name), "damaged");
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

test("damaged files of the data are named by train, by its dry run and by data info, in words and as JSON", async () => {
  const small = ["--size", "8", "--levels", "0", "--width", "16", "--batch", "2", "--images", "2"];
  const train = [
    "train",
    "--data",
    pictures,
    ...small,
    "--threads",
    "1",
    "--out",
    join(dir, "run"),
    "--json",
  ];
  for (const argv of [[...train, "--dry-run"], train, ["data", "info", pictures, "--size", "8", "--json"]]) {
    const io = captureIo();
    expect(await main(argv, io), io.err).toBe(0);
    expect(io.err).toContain(
      'left out of "' +
        `${pictures}": 1 format not supported: "photo.heic"; 4 corrupt or truncated: "cut.jpg", "half.png", "torn.webp" and 1 more.`,
    );
    expect(JSON.parse(io.out.trimEnd().split("\n").at(-1)!)).toMatchObject({
      skipped: { "format not supported": 1, "corrupt or truncated": 4 },
      skippedFiles: { "corrupt or truncated": ["cut.jpg", "half.png", "torn.webp", "void.gif"] },
    });
  }
});
