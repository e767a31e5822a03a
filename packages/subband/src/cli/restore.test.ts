import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { encodePicture, type Picture, readPicture, writePicture } from "../restoration/picture.ts";
import { meanOfNine, testPicture } from "../restoration/pictures.testing.ts";
import { localModel } from "../systems/parts/local/model.ts";
import { saveModel } from "../training/model-file.ts";
import { type CapturedIo, captureIo } from "./capture-io.testing.ts";
import { folderContents } from "./folder-contents.testing.ts";
import { main } from "./main.ts";
import { restoreOne, type Workplace } from "./restore-one.ts";

let root: string;
let dir: string;
const at = (name: string): string => join(dir, name);
const size = { height: 12, width: 15 };
const picture = testPicture({ ...size, noise: 0.1 });

async function run(argv: readonly string[], stdin?: Uint8Array): Promise<CapturedIo & { code: number }> {
  const io = captureIo(stdin === undefined ? {} : { stdin });
  const code = await main([...argv, "--model", join(root, "model")], io);
  return Object.assign(io, { code });
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "subband-restore-"));
  saveModel(join(root, "model"), localModel(meanOfNine(), []));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(async () => {
  dir = mkdtempSync(join(root, "case-"));
  await writePicture(at("in.png"), picture);
  await writePicture(at("reference.png"), testPicture(size));
  const mask = { ...picture, samples: picture.samples.map((_, i) => (i % 50 === 7 ? 255 : 0)) };
  await writePicture(at("mask.png"), mask);
  await writePicture(at("reference-compare.png"), picture);
});

describe("no output of a restoration is a file that was named for another purpose", () => {
  const inpaint = (...more: string[]): string[] => ["inpaint", "in.png", "--mask", "mask.png", ...more];
  const map = (path: string): string[] => inpaint("--samples", "2", "--uncertainty", path);
  const CASES: readonly (readonly [string, readonly string[], string])[] = [
    ["the map the input", map("in.png"), '--uncertainty: "in.png" is the input'],
    ["the map the mask", map("mask.png"), '--uncertainty: "mask.png" is --mask'],
    ["the map --out", [...map("new.png"), "--out", "new.png"], "--out and --uncertainty would be one file"],
    ["the map --out in other letters", [...map("NEW.png"), "--out", "new.png"], "would be one file"],
    ["the map the default output", map("in-inpainted.png"), "--out and --uncertainty would be one file"],
    ["the map --compare", [...map("reference.png"), "--compare", "reference.png"], "is --compare"],
    [
      "the map the strip",
      [...map("a-compare.png"), "--out", "a.png", "--compare", "reference.png"],
      "would be one file",
    ],
    ["the map in a file", map("in.png/map.png"), "is a file, no folder"],
    [
      "--out --compare",
      inpaint("--out", "reference.png", "--compare", "reference.png"),
      '--out: "reference.png" is --compare',
    ],
    ["--out the mask", inpaint("--out", "mask.png"), '--out: "mask.png" is --mask'],
    ["--out the mask by force", inpaint("--out", "mask.png", "--force"), '--out: "mask.png" is --mask'],
    ["--out the input", inpaint("--out", "in.png"), '"in.png" would replace its own input'],
    ["--out a link to the input", inpaint("--out", "soft.png"), "would replace its own input"],
    ["--out a hard link to the input", inpaint("--out", "hard.png"), "would replace its own input"],
    ["--out a hard link to the mask", inpaint("--out", "mask-hard.png"), '"mask-hard.png" is --mask'],
    [
      "the strip the reference",
      ["denoise", "in.png", "--out", "reference.png", "--compare", "reference-compare.png"],
      "is --compare",
    ],
    ["--out a pipe", inpaint("--out", "pipe.png"), "it is a pipe, no file"],
    ["--out a link to a device", inpaint("--out", "null.png"), "it is a device, no file"],
    ["--out a link to nothing", inpaint("--out", "dangling.png"), "it is a dangling link, no file"],
    ["--out a link to itself", inpaint("--out", "loop.png"), "links lead in a circle (ELOOP)"],
    ["--out too long a name", inpaint("--out", `${"n".repeat(300)}.png`), "255 bytes at most (ENAMETOOLONG)"],
    [
      "the strip too long a name",
      ["denoise", "in.png", "--compare", "reference.png", "--out", `${"n".repeat(249)}.png`],
      "255 bytes at most",
    ],
    ["--out through a file", inpaint("--out", "mask.png/x.png"), '"mask.png" is a file, no folder'],
    [
      "--out a folder",
      inpaint("--out", "folder.png"),
      '"folder.png" is a folder. Give --out the name of a picture',
    ],
    ["--out a slash at the end", inpaint("--out", "new.png/"), "it is the name of a folder"],
    ["--out in a run", inpaint("--out", "run/new.png"), "lies in the run"],
    ["--out in a model", inpaint("--out", "../model/new.png"), "whose folder holds nothing else"],
    ["a folder onto itself", ["denoise", "photos", "--out", "photos"], "is the input folder"],
    ["a folder onto itself by a link", ["denoise", "photos", "--out", "way"], "is the input folder"],
    [
      "a folder onto its references",
      ["denoise", "photos", "--compare", "references", "--out", "references"],
      "is --compare",
    ],
  ];

  test("each is refused in one line, and nothing is changed", async () => {
    symlinkSync("in.png", at("soft.png"));
    linkSync(at("in.png"), at("hard.png"));
    linkSync(at("mask.png"), at("mask-hard.png"));
    symlinkSync("/dev/null", at("null.png"));
    symlinkSync("nowhere.png", at("dangling.png"));
    symlinkSync("loop.png", at("loop.png"));
    execFileSync("mkfifo", [at("pipe.png")]);
    for (const folder of ["folder.png", "run", "photos", "references"]) mkdirSync(at(folder));
    writeFileSync(at("run/run.json"), "{}torn");
    for (const folder of ["photos", "references"]) copyFileSync(at("in.png"), at(`${folder}/a.png`));
    symlinkSync("photos", at("way"));
    const before = folderContents(dir);
    const model = folderContents(join(root, "model"));
    const cwd = process.cwd();
    process.chdir(dir);
    try {
      for (const [what, argv, message] of CASES) {
        const { code, out, err } = await run(argv);
        expect([code, out], what).toEqual([1, ""]);
        expect(err, what).toMatch(/^error: [^\n]+\n$/);
        expect(err, what).toContain(message);
        expect(err, what).not.toContain("internal");
        expect(folderContents(dir), what).toEqual(before);
      }
    } finally {
      process.chdir(cwd);
    }
    expect(folderContents(join(root, "model"))).toEqual(model);
  });

  test("--force lets a picture be replaced by its own result, through its own name", async () => {
    const before = readFileSync(at("in.png"));
    const { code, err } = await run(["denoise", at("in.png"), "--out", at("in.png"), "--force"]);
    expect(code, err).toBe(0);
    expect(readFileSync(at("in.png")).equals(before)).toBe(false);
  });

  test("an older result is replaced, and folders are made for all that is written", async () => {
    const argv = ["inpaint", at("in.png"), "--mask", at("mask.png"), "--samples", "2"];
    const files = ["--out", at("new/out/x.png"), "--uncertainty", at("maps/x.webp")];
    for (const time of [1, 2]) {
      const { code, err } = await run([...argv, ...files]);
      expect(code, `${time}: ${err}`).toBe(0);
    }
    expect((await sharp(at("maps/x.webp")).metadata()).format).toBe("webp");
  });
});

describe("what sizes tell is told before the work", () => {
  /** Whether the work began. */
  let worked = false;
  const place = (factor: number, map?: string): Workplace => ({
    context: { ...captureIo(), json: false, quiet: false, exitWith() {} },
    restoration: {
      verb: "enlarge",
      suffix: "large",
      factor,
      map,
      restore() {
        worked = true;
        return Promise.reject(new Error("it worked"));
      },
    },
    backend: undefined as never,
    denoiser: undefined as unknown as Workplace["denoiser"],
    loaded: undefined as unknown as Workplace["loaded"],
    progress: { update() {}, note() {}, finish() {} },
    source: (path) => path,
  });

  test.each([
    ["a WebP too wide", 1, "wide.png", "x.webp", undefined, undefined, "WebP holds at most 16383 a side"],
    [
      "a WebP too wide once enlarged",
      8,
      "tall.png",
      "x.webp",
      undefined,
      undefined,
      "24000 pixels, and WebP",
    ],
    ["a map too wide", 8, "tall.png", "x.png", "map.webp", undefined, 'cannot write "map.webp"'],
    [
      "a JPEG too wide once enlarged",
      4,
      "wide.png",
      "x.jpg",
      undefined,
      undefined,
      "JPEG holds at most 65500",
    ],
    [
      "a result that no memory holds",
      1e5,
      "in.png",
      "x.png",
      undefined,
      undefined,
      "enlarged has 1500000 x 1200000 pixels",
    ],
    [
      "another size to compare with",
      1,
      "in.png",
      "x.png",
      undefined,
      "wide.png",
      "the reference has 17000 x 2 pixels",
    ],
    ["the input's size, not the result's", 2, "in.png", "x.png", undefined, "in.png", "the result 30 x 24"],
  ] as const)("%s", async (_, factor, input, output, map, reference, message) => {
    const flat = (width: number, height: number): Picture => ({
      ...{ height, width, colours: 1, alpha: false, notes: [] },
      samples: new Uint8Array(height * width),
    });
    await writePicture(at("wide.png"), flat(17_000, 2));
    await writePicture(at("tall.png"), flat(2, 3000));
    const job = {
      ...{ name: input, input: at(input), output },
      ...(reference !== undefined && { comparison: { reference: at(reference), strip: "strip.png" } }),
    };
    await expect(restoreOne(place(factor, map), job, 0, 1)).rejects.toThrow(message);
    expect(worked).toBe(false);
  });
});

describe("a folder", () => {
  test("every picture gets an output of its own, and every other file is named", async () => {
    mkdirSync(at("photos/sub"), { recursive: true });
    for (const name of ["x.jpg", "x.webp", "x.jpg.png", "X.JPG", "sub/y.jpg", "a-compare.png", "a.png"])
      writeFileSync(at(`photos/${name}`), (await encodePicture(name.toLowerCase(), picture)).bytes);
    for (const name of ["z.heic", ".hidden.jpg", "no extension", "notes.txt"])
      writeFileSync(at(`photos/${name}`), "");
    mkdirSync(at("references"));
    for (const name of ["x.jpg", "x.webp", "x.jpg.png", "X.JPG", "a-compare.png", "a.png", "sub/y.jpg"]) {
      mkdirSync(at("references/sub"), { recursive: true });
      copyFileSync(at("reference.png"), at(`references/${name}`));
    }
    const { code, out, err } = await run([
      "denoise",
      at("photos"),
      "--out",
      at("out"),
      "--compare",
      at("references"),
      "--json",
    ]);
    expect(code, err).toBe(0);
    const told = JSON.parse(out) as {
      readonly pictures: readonly { readonly output: string; readonly strip: string }[];
      readonly leftOut: unknown;
    };
    const files = told.pictures.flatMap(({ output, strip }) => [output, strip]);
    expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(14);
    for (const file of files) expect(existsSync(file), file).toBe(true);
    expect(told.leftOut).toEqual([
      { name: ".hidden.jpg", reason: "hidden file" },
      { name: "no extension", reason: "not an image file" },
      { name: "notes.txt", reason: "not an image file" },
      { name: "z.heic", reason: "format not supported" },
    ]);
    const shown = await run(["denoise", at("photos"), "--out", at("out")]);
    expect(shown.out.trimEnd().split("\n").slice(-2)).toEqual([
      "Left out 4 other files: .hidden.jpg (hidden file), no extension (not an image file), notes.txt (not an image file) and 1 more.",
      "7 of 7 pictures written.",
    ]);
    rmSync(at("photos"), { recursive: true });
    mkdirSync(at("photos"));
    writeFileSync(at("photos/z.heic"), "");
    expect((await run(["denoise", at("photos")])).err).toContain("left out z.heic (format not supported)");
  });

  test("one bad picture does not stop the others; the exit code and --quiet say so", async () => {
    mkdirSync(at("photos"));
    for (const name of ["a.png", "c.png"]) copyFileSync(at("in.png"), at(`photos/${name}`));
    writeFileSync(at("photos/broken.png"), "no");
    await writePicture(at("photos/big.png"), testPicture({ height: 14, width: 15 }));
    const { code, out, err } = await run([
      "inpaint",
      at("photos"),
      "--mask",
      at("mask.png"),
      "--json",
      "--quiet",
    ]);
    expect(code).toBe(1);
    const { pictures, failed } = JSON.parse(out) as {
      readonly pictures: readonly { readonly input: string }[];
      readonly failed: readonly { readonly input: string; readonly error: string }[];
    };
    expect(pictures.map(({ input }) => input)).toEqual([at("photos/a.png"), at("photos/c.png")]);
    expect(failed.map(({ input }) => input)).toEqual([at("photos/big.png"), at("photos/broken.png")]);
    expect(err).toMatch(
      /^error: the mask has 15 x 12 pixels, the picture 15 x 14\.[^\n]*\nerror: not a picture[^\n]*\n$/,
    );
    expect(readdirSync(at("photos-inpainted"))).toEqual(["a.png", "c.png"]);
  });

  test("where none can be done, no folder is left behind", async () => {
    mkdirSync(at("photos"));
    writeFileSync(at("photos/broken.png"), "no");
    const { code, err } = await run(["denoise", at("photos"), "--out", at("new/out")]);
    expect([code, existsSync(at("new"))]).toEqual([1, false]);
    expect(err).toMatch(/\nerror: none of 1 pictures: not a picture[^\n]*\n$/);
  });
});

describe("- is stdin and stdout", () => {
  test("a picture goes through, and notes go to stderr", async () => {
    mkdirSync(at("-"));
    const cwd = process.cwd();
    process.chdir(dir); // where a folder is called so
    try {
      const { bytes } = await encodePicture("in.tiff", picture);
      expect((await run(["denoise", "-", "--out", "-"], bytes)).code).toBe(0);
      expect((await run(["denoise", "in.png", "--out", "-"])).code).toBe(0);
      expect((await run(["denoise", "-", "--out", "x.bmp"], bytes)).err).toContain("unknown extension");
    } finally {
      process.chdir(cwd);
    }
    const { bytes } = await encodePicture("in.tiff", picture);
    const { code, outBytes, err } = await run(["denoise", "-", "--out", "-"], bytes);
    expect(code, err).toBe(0);
    await run(["denoise", at("in.png"), "--out", at("out.png")]);
    expect(Buffer.from(outBytes).equals(readFileSync(at("out.png")))).toBe(true);
    expect(err).toMatch(/^picture +stdout, 15 x 12, gray, 8 bits$/m);
    const quiet = await run(["denoise", "-", "--out", "-", "--quiet"], bytes);
    expect(quiet.err).toBe("");
    expect(Buffer.from(quiet.outBytes).equals(outBytes)).toBe(true);
  });

  test("either alone, for masks and maps, too", async () => {
    const mask = readFileSync(at("mask.png"));
    const argv = ["inpaint", at("in.png"), "--mask", "-", "--samples", "2"];
    const { code, outBytes, err } = await run([...argv, "--out", at("out.png"), "--uncertainty", "-"], mask);
    expect(code, err).toBe(0);
    expect(await readPicture({ name: "map", bytes: outBytes }, true)).toMatchObject(size);
    const compared = await run(
      ["denoise", at("in.png"), "--compare", "-", "--out", "-"],
      readFileSync(at("reference.png")),
    );
    expect(compared.err).toMatch(/^after +PSNR /m);
    expect(readdirSync(dir).toSorted()).toEqual([
      "in.png",
      "mask.png",
      "out.png",
      "reference-compare.png",
      "reference.png",
    ]);
  });

  test.each([
    [["denoise", "-"], "give --out a picture, or - for stdout"],
    [["denoise", "-", "--out", "-", "--json"], "--json prints to stdout"],
    [["denoise", "-", "--out", "-", "--compare", "-"], "the input and --compare cannot both be stdin"],
    [
      ["upscale", "-", "--factor", "2", "--out", "-", "--uncertainty", "-"],
      "--out and --uncertainty cannot both be stdout",
    ],
    [["denoise", "-", "--out", "-"], "nothing on stdin"],
  ])("%j is refused", async (argv, message) => {
    const { code, err, out } = await run(argv);
    expect([code, err]).toEqual([1, expect.stringMatching(/^error: [^\n]+\n$/)]);
    expect(err).toContain(message);
    if (argv.includes("--json")) expect(JSON.parse(out)).toHaveProperty("error.code");
  });

  test("terminals are no pictures", async () => {
    const io = captureIo();
    Object.assign(io.stdout, { isTTY: true });
    expect(await main(["denoise", at("in.png"), "--out", "-"], io)).toBe(1);
    expect(io.err).toBe(
      "error: stdout is a terminal: lead it into a file or a pipe, as in: --out - > out.png\n",
    );
    expect(io.out).toBe("");
  });
});

test("a picture compared with itself: infinite for people, and a number for programs", async () => {
  await writePicture(at("flat.png"), { ...picture, samples: picture.samples.map(() => 100) });
  const argv = [
    "denoise",
    at("flat.png"),
    "--sigma",
    "0",
    "--compare",
    at("flat.png"),
    "--out",
    at("out.png"),
  ];
  expect((await run(argv)).out).toMatch(/^before +PSNR infinite \(identical\), SSIM 1\.0000$/m);
  const { out } = await run([...argv, "--json"]);
  const told = JSON.parse(out) as {
    readonly pictures: readonly { readonly before: { readonly psnr: unknown } }[];
  };
  expect(told.pictures[0]!.before.psnr).toBe("Infinity");
});

test("an empty path is wrong usage", async () => {
  for (const option of ["--out", "--compare", "--mask", "--uncertainty"])
    expect(await run(["inpaint", at("in.png"), "--mask", at("mask.png"), option, ""]), option).toMatchObject({
      code: 2,
      err: expect.stringContaining("Give a path.") as string,
    });
});
