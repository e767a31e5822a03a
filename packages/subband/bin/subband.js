#!/usr/bin/env node
/** @module The `subband` command: hands over to the built command line, or says how to build it. */
import { statSync } from "node:fs";

const built = (path) => statSync(new URL(path, import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? -1;

const bundle = "../dist/bundle/main.js";
const main = "../dist/cli/main.js";
// The bundle loads sooner. It may be older than what has been compiled since; what is published has no build info.
const compiled = ["../dist/.tsbuildinfo", "../../onnxgrad/dist/.tsbuildinfo"].map(built);
const found = [bundle, main].find((path) => built(path) >= (path === bundle ? Math.max(...compiled, 0) : 0));
if (found !== undefined) {
  const { main: run, processIo } = await import(new URL(found, import.meta.url).href);
  process.exitCode = await run(process.argv.slice(2), processIo());
} else {
  process.stderr.write("error: subband is not built yet. Run: npm run build\n");
  process.exitCode = 1;
}
