import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { narrowModel } from "../studies/narrow-model.testing.ts";
import { saveModel } from "../training/model-file.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-study-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const pictures = join(dir, "pictures");

beforeAll(async () => {
  saveModel(join(dir, "flat"), narrowModel(0));
  saveModel(join(dir, "pyramid"), narrowModel(2));
  mkdirSync(pictures);
  const pixels = Uint8Array.from({ length: 48 * 32 }, (_, i) => (7919 * i) % 256);
  const png = sharp(pixels, { raw: { width: 48, height: 32, channels: 1 } }).png();
  writeFileSync(join(pictures, "a.png"), await png.toBuffer());
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

describe("subband study", () => {
  test("names the studies that there are", async () => {
    const { code, err } = await run("study", "locale");
    expect([code, err]).toEqual([
      2,
      'error: unknown command: "locale". Did you mean "local"? See: subband study --help\n',
    ]);
  });
});

describe("subband study local", () => {
  const models = () => ["--model", `flat=${join(dir, "flat")}`, "--model", `pyramid=${join(dir, "pyramid")}`];

  test("compares models on pictures: files, and rows as JSON", async () => {
    const out = join(dir, "out");
    const rest = ["--sigmas", "50,25", "--gain", "flat,pyramid", "--threads", "1", "--out", out, "--json"];
    const {
      code,
      out: text,
      err,
    } = await run("study", "local", ...models(), "--pictures", pictures, ...rest);
    expect(code, err).toBe(0);
    const found = JSON.parse(text.trim().split("\n").at(-1)!) as {
      rows: { method: string; sigma: number }[];
    };
    expect(found).toMatchObject({ pictures: ["a.png"], sigmas: [25, 50], seed: 0 });
    expect(found.rows.map(({ method, sigma }) => `${method} ${sigma}`)).toEqual([
      "flat 25",
      "flat 50",
      "pyramid 25",
      "pyramid 50",
    ]);
    expect(readFileSync(join(out, "tables.md"), "utf8")).toContain("| flat over pyramid |");
  });

  test("writes noisy pictures for other programs, models or not", async () => {
    const dump = join(dir, "noisy");
    const { code, err } = await run(
      "study",
      "local",
      "--pictures",
      pictures,
      "--sigmas",
      "25",
      "--dump",
      dump,
    );
    expect(code, err).toBe(0);
    expect(readFileSync(join(dump, "noisy.csv"), "utf8")).toMatch(
      /\na\.png,25,1,32,48,0-clean\.f32,0-sigma25\.f32,\d+\n$/,
    );
  });

  test.each([
    ["nothing to study", []],
    ["noise level: -1", ["--model", "a=x", "--sigmas", "-1"]],
    ["no such model", ["--model", "a=/no/such/model"]],
    ["gain: ", ["--model", "a=x", "--gain", "a"]],
    ["no such list of results", ["--peers", "/no/such.csv"]],
  ])("%s: one line", async (message, argv) => {
    const out = join(dir, "refused");
    const { code, err } = await run("study", "local", "--pictures", pictures, "--out", out, ...argv);
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`^error: ${message}[^\\n]*\\n$`));
    expect(existsSync(out)).toBe(false);
  });

  test("takes numbers with commas, and needs pictures", async () => {
    expect(await run("study", "local", "--pictures", pictures, "--sigmas", "a")).toMatchObject({ code: 2 });
    expect(await run("study", "local", ...models())).toMatchObject({
      code: 2,
      err: "error: required option '--pictures <folder>' not specified. See: subband study local --help\n",
    });
  });
});
