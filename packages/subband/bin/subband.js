#!/usr/bin/env node
/** @module The `subband` command: hands over to the built command line, or says how to build it. */
import { existsSync } from "node:fs";

const built = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(built)) {
  const { main, processIo } = await import(built.href);
  process.exitCode = await main(process.argv.slice(2), processIo());
} else {
  process.stderr.write("error: subband is not built yet. Run: npm run build\n");
  process.exitCode = 1;
}
