import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runLocalStudy } from "./local-study.ts";
import { smallPicture } from "./narrow-model.testing.ts";
import { addNoise } from "./noisy-pictures.ts";
import { dumpNoisy, readPeers } from "./peers.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-peers-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const pictures = [smallPicture("a"), smallPicture("b c.png", 32, 32)];
const sigmas = [25, 100];
const floats = (file: string) => new Float32Array(new Uint8Array(readFileSync(join(dir, file))).buffer);

/** What a peer would write: the mean of noisy and clean, half the noise, 6.02 dB better. */
function halve(list: string): string {
  const [, ...lines] = readFileSync(list, "utf8").trim().split("\n");
  const rows = lines.map((line, i) => {
    const [picture, sigma, , , , clean, noisy, crc] = line.split(",");
    const truth = floats(clean!);
    const found = floats(noisy!).map((v, at) => (v + truth[at]!) / 2);
    const error = found.reduce((total, v, at) => total + (v - truth[at]!) ** 2, 0) / found.length;
    writeFileSync(join(dir, `${i}-out.f32`), found);
    return `half,${picture},${sigma},${crc},4.5,${(-10 * Math.log10(error)).toFixed(4)},${i}-out.f32`;
  });
  const file = join(dir, "results.csv");
  writeFileSync(file, ["method,picture,sigma,crc32,ms,psnr_out,file", ...rows, ""].join("\n"));
  return file;
}

const study = (file: string, seed = 3) => runLocalStudy({ methods: readPeers(file), pictures, sigmas, seed });

describe("dumpNoisy()", () => {
  test("writes the very pictures that methods are given", async () => {
    const list = await dumpNoisy(dir, pictures, sigmas, 3);
    const lines = readFileSync(list, "utf8").trim().split("\n");
    expect(lines).toHaveLength(5);
    const [picture, sigma, channels, height, width, clean, noisy] = lines[4]!.split(",");
    expect([picture, sigma, channels, height, width]).toEqual(["b_c.png", "100", "1", "32", "32"]);
    expect(floats(clean!)).toEqual(pictures[1]!.data);
    expect(floats(noisy!)).toEqual(addNoise(pictures[1]!, 100, 3));
  });
});

describe("readPeers()", () => {
  test("measures what a peer made as it measures everything", async () => {
    const rows = await study(halve(await dumpNoisy(dir, pictures, sigmas, 3)));
    expect(rows.map(({ method, isPeer, ms }) => [method, isPeer, ms])).toEqual(
      new Array(4).fill(["half", true, 4.5]),
    );
    for (const { picture, sigma, psnrIn, psnrOut } of rows)
      expect(psnrOut - psnrIn, `${picture} ${sigma}`).toBeCloseTo(20 * Math.log10(2), 3);
  });

  test("refuses results on other noise, without a picture, or of another picture", async () => {
    const file = halve(await dumpNoisy(dir, pictures, sigmas, 3));
    await expect(study(file, 4)).rejects.toMatchObject({ code: "peers/noise" });
    const good = readFileSync(file, "utf8");
    const refused = async (changed: string, code: string) => {
      expect(changed).not.toBe(good);
      writeFileSync(file, changed);
      await expect((async () => study(file))()).rejects.toMatchObject({ code });
    };
    await refused(good.replace(/\n[^\n]*\n$/, "\n"), "peers/incomplete");
    await refused(good.replace("1-out.f32", "9-out.f32"), "peers/file");
    await refused(good.replace("0-out.f32", "2-out.f32"), "peers/file"); // of another size
    await refused(good.replace("0-out.f32", "1-out.f32"), "peers/psnr");
    await refused(good.replace(",ms", ",seconds"), "peers/format");
    await refused(good.replace("half,", "half,more,"), "peers/format");
  });

  test("says how to make results that are missing", () => {
    expect(() => readPeers(join(dir, "none.csv"))).toThrow(/^no such list of results: .*skimage_denoise\.py/);
  });
});
