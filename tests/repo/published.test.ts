/**
 * @module The packages as users get them: packed, and installed into an empty project outside the repository. What the
 * READMEs show is run there. Needs `npm run build`.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawPictures } from "./drawn-pictures.ts";
import {
  emptyProject,
  install,
  installCommand,
  link,
  type Manifest,
  PACKAGES,
  run,
  unbuilt,
} from "./installation.ts";
import { blocksOf } from "./markdown.ts";
import { ROOT, textOf } from "./sources.ts";

const project = emptyProject();
afterAll(() => rmSync(project, { recursive: true }));

const suffix = unbuilt.length === 0 ? "" : ` (skipped: ${unbuilt.join(", ")} not built)`;

describe.skipIf(unbuilt.length > 0)(`the packages${suffix}`, { timeout: 600_000 }, () => {
  beforeAll(async () => {
    const offline = await install(project);
    if (offline !== undefined)
      console.log(`npm could not install (${offline}): dependencies are linked instead`);
    link("@types/node", project);
    await drawPictures(project);
  }, 600_000); // npm on a busy machine

  test("the READMEs begin with one line that installs, and says what for", () => {
    for (const name of PACKAGES) {
      const readme = textOf(`packages/${name}/README.md`);
      const command = installCommand(`packages/${name}/README.md`);
      expect(readme.indexOf(command), `${name}: at the top`).toBeLessThan(700);
      expect(readme.split(command)[1]!.trim(), name).toMatch(
        /^```\n\n`ONNXRUNTIME_NODE_INSTALL=skip` keeps .* NuGet/,
      );
    }
  });

  test.each(PACKAGES)("%s: publint has nothing to say", async (name) => {
    const pkgDir = join(project, "node_modules", name);
    const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg as Record<string, unknown>)).join("\n")).toBe(
      "",
    );
  });

  test("onnxgrad trains twenty steps in Node, in its main thread and in a worker", async () => {
    writeFileSync(
      join(project, "train.js"),
      `import { adam, adamInit, compile, full, matmul, mean, pack, square, sub, valueAndGrad } from "onnxgrad";
       import { node } from "onnxgrad/node";
       import { nodeWorker } from "onnxgrad/node-worker";
       const params = pack({ w: full([3, 1], 0) });
       for (const backend of [node({ threads: 1 }), nodeWorker({ threads: 1 })]) {
         const step = await compile(
           backend,
           { state: { params, adam: adamInit(params) }, inputs: { x: [8, 3] } },
           ({ state, x }) => {
             const { value: loss, grads } = valueAndGrad((p) => mean(square(sub(matmul(x, p.w), mean(x, [1], { keepDims: true })))))(state.params);
             const next = adam(state.params, grads, state.adam, { lr: 0.05 });
             return { state: { params: next.params, adam: next.state }, loss };
           },
         );
         const losses = [];
         for (let k = 0; k < 20; k++) losses.push((await step.run({ x: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i * i + k)) })).loss[0]);
         await step.dispose();
         console.log(backend.name, losses[0], losses.at(-1));
       }`,
    );
    const { stdout, stderr } = await run(process.execPath, ["train.js"], { cwd: project });
    expect(stderr).toBe("");
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    expect(lines.map(([name]) => name)).toEqual(["node-cpu", "node-cpu-worker"]);
    for (const [name, first, last] of lines)
      expect(Number(last), `${name}: last loss`).toBeLessThan(0.1 * Number(first));
    expect(lines[1]!.slice(1)).toEqual(lines[0]!.slice(1));
  });

  test.each([
    {
      name: "onnxgrad, without the types of Node",
      types: [],
      source: `import { add, compile, type NdArray, scalar } from "onnxgrad";
        import { node, type NodeOptions } from "onnxgrad/node";
        import { nodeWorker } from "onnxgrad/node-worker";
        import { expectClose } from "onnxgrad/testing";
        import { web } from "onnxgrad/web";
        const options: NodeOptions = { threads: 1 };
        const step = await compile(
          [node(options), nodeWorker(options), web()][0]!,
          { state: { x: scalar(1) }, inputs: { by: [] } },
          ({ state, by }) => ({ state: { x: add(state.x, by) }, was: state.x }),
        );
        const { was }: { readonly was: Float32Array } = await step.run({ by: 1 });
        // @ts-expect-error: the input is called "by"
        await step.run({ buy: 1 });
        export const x: NdArray = step.state.tree().x;
        expectClose(was, [1]);`,
    },
    {
      name: "subband",
      types: ["node"],
      source: `import { type Band, bandLayout } from "subband";
        import { trainRun } from "subband/node";
        export const used: [typeof bandLayout, typeof trainRun, Band | undefined] = [bandLayout, trainRun, undefined];`,
    },
  ])("$name: its declarations pass a strict check", async ({ types, source }) => {
    writeFileSync(join(project, "typed.ts"), source);
    for (const resolution of RESOLUTIONS)
      expect(await complaints({ ...resolution, types }, ["typed.ts"]), resolution.module).toBe("");
  });

  describe("the programs of the READMEs", () => {
    const programs = blocksOf(textOf("packages/subband/README.md")).filter(
      ({ language }) => language === "js",
    );
    const spirals = blocksOf(textOf("packages/onnxgrad/README.md")).find(
      ({ language }) => language === "ts",
    )!;

    test("train, load, sample, export, restore and wavelets, in 25 lines each", () => {
      expect(programs.map(({ heading }) => heading)).toEqual([
        ...["Train", "Load", "Sample", "Export", "Restore", "Wavelets"],
      ]);
      for (const { heading, text } of programs)
        expect(text.trim().split("\n").length, heading).toBeLessThanOrEqual(25);
    });

    test.each(programs)("subband: $heading runs", async ({ heading, text }) => {
      const file = `${heading.toLowerCase()}.js`;
      writeFileSync(
        join(project, file),
        SHORTER.reduce((code, [long, short]) => code.replace(long, short), text),
      );
      const { stderr } = await run(process.execPath, [file], { cwd: project });
      expect(stderr).toBe("");
    });

    test("what they write is there", async () => {
      expect(await sizeOf("grid.png")).toEqual([522, 522]); // 4 x 4 images of 16 pixels, 8 times as large;
      expect(await sizeOf("clean.png")).toEqual([48, 32]);
      expect(await sizeOf("large.png")).toEqual([96, 64]);
      expect(await sizeOf("whole.png")).toEqual([48, 32]);
      expect(await sizeOf("sharp.png")).toEqual([48, 32]);
      writeFileSync(join(project, "example.mjs"), textOf("examples/sample-with-onnxruntime.mjs"));
      await run(process.execPath, ["example.mjs", "sampler.onnx", "drawn.png", "4"], { cwd: project });
      expect(await sizeOf("drawn.png")).toEqual([32, 32]);
    });

    test("their types are right by both ways of finding modules", async () => {
      const files = programs.map(({ heading }) => `${heading.toLowerCase()}.js`);
      writeFileSync(join(project, "spirals.ts"), spirals.text);
      for (const resolution of RESOLUTIONS)
        expect(
          await complaints({ ...resolution, checkJs: true, noImplicitAny: false, types: ["node"] }, [
            ...files,
            "spirals.ts",
          ]),
          resolution.module,
        ).toBe("");
    });

    test("onnxgrad: the spirals are learnt", async () => {
      writeFileSync(join(project, "spirals.ts"), spirals.text);
      const tsx = join(ROOT, "node_modules/tsx/dist/cli.mjs");
      const { stdout } = await run(process.execPath, [tsx, "spirals.ts"], { cwd: project });
      expect(Number(/step 500: loss ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(0.1);
    });
  });

  test.each(["packages/subband/README.md", "README.md"])("the commands of %s run", async (readme) => {
    const commands = blocksOf(textOf(readme))
      .filter(({ language }) => language === "sh")
      .flatMap(({ text }) => text.split("\n").filter((line) => line.startsWith("npx subband ")));
    expect(commands.length).toBeGreaterThan(4);
    rmSync(join(project, "runs"), { recursive: true, force: true });
    const env = { ...process.env, HOME: project, npm_config_cache: join(project, ".npm") };
    for (const command of commands) {
      const short = SHORTER_COMMANDS.reduce((text, [long, less]) => text.replace(long, less), command);
      const { stdout } = await run("bash", ["-c", short], { cwd: project, env });
      expect(stdout, short).not.toBe("");
    }
  });

  test("subband's command runs", async () => {
    const { version } = JSON.parse(textOf("packages/subband/package.json")) as Manifest;
    const command = join(project, "node_modules/subband/bin/subband.js");
    const { stdout } = await run(process.execPath, [command, "--version"], { cwd: project });
    expect(stdout.trim()).toBe(version);
  });

  test("subband denoises with the model that it brings along", async () => {
    const command = join(project, "node_modules/subband/bin/subband.js");
    const noisy = join(project, "noisy.png");
    const noise = { type: "gaussian", mean: 128, sigma: 25 } as const;
    await sharp({ create: { width: 64, height: 48, channels: 3, background: "black", noise } })
      .png()
      .toFile(noisy);
    const out = join(project, "clean.png");
    await run(process.execPath, [command, "denoise", noisy, "--out", out], { cwd: project });
    const deviation = async (path: string) => (await sharp(path).stats()).channels[0]!.stdev;
    expect(await deviation(noisy)).toBeGreaterThan(20);
    expect(await deviation(out)).toBeLessThan(10);
  });
});

/** How a bundler and Node find modules. */
const RESOLUTIONS = [
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "preserve", moduleResolution: "bundler" },
] as const;

/** What the compiler has against files of the project. */
async function complaints(
  options: Readonly<Record<string, unknown>>,
  files: readonly string[],
): Promise<string> {
  const compilerOptions = { target: "es2023", strict: true, noEmit: true, ...options };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  return run(process.execPath, [tsc, "-p", project]).then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  );
}

/** Makes the README's training a short one of small images. */
const SHORTER: readonly (readonly [string | RegExp, string])[] = [
  [
    "{ height: 64, width: 64 }, minutes: 15 }",
    "{ height: 16, width: 16 }, images: 16, options: { batch: 8, width: 16 } }",
  ],
  ["samples: 8", "samples: 2"],
];

const SHORTER_COMMANDS: readonly (readonly [string | RegExp, string])[] = [
  [/ --size 64/, ""],
  [/ --minutes 30/, ""],
  [/^npx subband train .*?(?= +#|$)/, "$& --size 16 --images 16 --batch 8 --width 16"],
  [/-n 64/, "-n 4"],
  [/--samples 8/, "--samples 2"],
];

async function sizeOf(name: string): Promise<[number, number]> {
  const { width, height } = await sharp(join(project, name)).metadata();
  return [width, height];
}
