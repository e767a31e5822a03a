/** @module For tests of signals: the command line in processes of its own, from the sources. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Where such processes run. */
export const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

/** What Node is given to run `code`. */
export function nodeArguments(code: string): string[] {
  return ["--import", "tsx", "--conditions=@subband/source", "--input-type=module", "-e", code];
}

/** A program that runs a command line. */
export function commandCode(argv: readonly string[]): string {
  const module = new URL("./main.ts", import.meta.url).href;
  return `import { main, processIo } from ${JSON.stringify(module)};
      process.exitCode = await main(${JSON.stringify(argv)}, processIo());`;
}

/** Starts `code` as a process, whose output is piped here. */
export function startNode(code: string): ChildProcess {
  return spawn(process.execPath, nodeArguments(code), { stdio: ["ignore", "pipe", "pipe"], cwd: PACKAGE });
}
