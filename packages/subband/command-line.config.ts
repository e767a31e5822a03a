/**
 * @module Writes the command line once more, as a few large files instead of hundreds of small ones, which Node takes
 * long to open: `dist/bundle`, with onnxgrad, its threads, and the small packages that all of it needs. The folder lies
 * two below the package, as `src/cli` does, for the sake of paths from one file to another.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const source = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Packages that go into the files; all others are loaded from where they are installed. */
const TAKEN_IN = ["onnxgrad", "commander", "zod", "onnx-buf", "@bufbuild/protobuf"];

export default defineConfig({
  root: source("subband"),
  publicDir: false,
  logLevel: "warn",
  ssr: { noExternal: TAKEN_IN, resolve: { conditions: ["@subband/source"] } },
  build: {
    ssr: true,
    outDir: "dist/bundle",
    target: "node20",
    minify: false,
    rolldownOptions: {
      checks: { ineffectiveDynamicImport: false }, // what is deferred in one place and at hand in another
      input: {
        main: source("subband/src/cli/main.ts"),
        "node-worker-thread": source("onnxgrad/src/runtime/node/node-worker-thread.ts"),
        "shard-thread": source("onnxgrad/src/runtime/node/shard-thread.ts"),
      },
      // They lie beside each other, so that a thread finds its file.
      output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    },
  },
  plugins: [licences()],
});

/** Writes the licences of the packages that are taken in beside the files. */
function licences(): Plugin {
  return {
    name: "licences",
    generateBundle(_, files) {
      const modules = new Map<string, string[]>();
      for (const file of Object.values(files))
        for (const id of file.type === "chunk" ? file.moduleIds : []) {
          const folder = PACKAGE.exec(id)?.[1];
          if (folder !== undefined) modules.set(folder, [...(modules.get(folder) ?? []), id]);
        }
      const texts = [...modules].sort().map(([folder, ids]) => licenceOf(folder, ids));
      this.emitFile({
        type: "asset",
        fileName: "licences.txt",
        source: texts.join(`\n${"-".repeat(80)}\n\n`),
      });
    },
  };
}

/** The folder of the package that a module belongs to. */
const PACKAGE = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/** The licence of a package of which `modules` are taken in: its file, or what they begin with. */
function licenceOf(folder: string, modules: readonly string[]): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license: string;
  };
  const file = join(folder, "LICENSE");
  const title = `${name} ${version}, ${license}\n\n`;
  if (existsSync(file)) return `${title}${readFileSync(file, "utf8").trim()}\n`;
  const headings = modules.map((path) => /^(?:\/\/.*\n)+/.exec(readFileSync(path, "utf8"))?.[0] ?? "");
  const notices = new Set(headings.filter((text) => text.includes("Copyright")));
  // The text of the Apache licence is that of a package that has it.
  const apache = license.includes("Apache-2.0")
    ? [readFileSync(source("../node_modules/sharp/LICENSE"), "utf8")]
    : [];
  return title + [...notices, ...apache].join("\n");
}
