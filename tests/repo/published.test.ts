/**
 * @module The packages as users get them: packed, unpacked into an empty project outside the repository, beside nothing
 * but what they declare as dependencies. Needs `npm run build`.
 */
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, textOf } from "./sources.ts";

const run = promisify(execFile);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const project = realpathSync(mkdtempSync(join(tmpdir(), "onnxgrad-user-")));
afterAll(() => rmSync(project, { recursive: true }));

const PACKAGES = ["onnxgrad", "subband"];
const unbuilt = PACKAGES.filter((name) => !existsSync(join(ROOT, `packages/${name}/dist/index.js`)));
const suffix = unbuilt.length === 0 ? "" : ` (skipped: ${unbuilt.join(", ")} not built)`;

/** Packs a package, unpacks it where an installation would, and links what it depends on. */
async function install(name: string): Promise<void> {
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], {
    cwd: join(ROOT, "packages", name),
  });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  const place = join(project, "node_modules", name);
  mkdirSync(place, { recursive: true });
  await run("tar", ["-xzf", join(project, filename), "-C", place, "--strip-components", "1"]);
  const { dependencies } = JSON.parse(textOf(`packages/${name}/package.json`)) as Manifest;
  for (const each of Object.keys(dependencies)) if (!PACKAGES.includes(each)) link(each);
}

/** Puts a package of the repository's node_modules, whose own dependencies lie there too, into the project's. */
function link(name: string): void {
  const place = join(project, "node_modules", name);
  mkdirSync(dirname(place), { recursive: true });
  if (!existsSync(place)) symlinkSync(join(ROOT, "node_modules", name), place);
}

describe.skipIf(unbuilt.length > 0)(`the packages${suffix}`, { timeout: 180_000 }, () => {
  beforeAll(async () => {
    writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
    for (const name of PACKAGES) await install(name);
    link("@types/node");
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
    const compilerOptions = { module: "nodenext", target: "es2023", strict: true, noEmit: true, types };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["typed.ts"] }));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const complaints = await run(process.execPath, [tsc, "-p", project]).then(
      () => "",
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(complaints).toBe("");
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
