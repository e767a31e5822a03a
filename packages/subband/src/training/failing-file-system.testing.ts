/** @module For tests of durable writing: file systems that fail at a chosen call, as a full disk or a crash does. */
import * as fs from "node:fs";
import type { FileSystem } from "./atomic-file.ts";

/** A file system and what happened to it. */
export interface FailingFileSystem extends FileSystem {
  /** Names of the calls made, the failing one last. */
  readonly calls: readonly string[];
}

/**
 * Works until its call number `failAt` (from 0). `crash`: that call and all later ones throw, as if the process had been
 * killed there; a write stores half of its bytes first. Otherwise only that call throws, with the system's error `code`.
 */
export function failingFileSystem(failAt: number, failure: "crash" | { code: string }): FailingFileSystem {
  const calls: string[] = [];
  const guard = <F extends (...args: never[]) => unknown>(name: string, call: F): F =>
    ((...args: Parameters<F>) => {
      const number = calls.length;
      if (failure === "crash" ? number < failAt : number !== failAt) {
        calls.push(name);
        return call(...args);
      }
      if (number === failAt) {
        calls.push(name);
        if (name === "writeSync" && failure === "crash") {
          const [descriptor, bytes, at, length] = args as unknown as [number, Uint8Array, number, number];
          fs.writeSync(descriptor, bytes, at, length >> 1);
        }
      }
      if (failure === "crash") throw new Error(`crash at call ${failAt} (${calls[failAt]})`);
      throw Object.assign(new Error(`${failure.code}: injected, ${name}`), { code: failure.code });
    }) as F;
  return {
    calls,
    closeSync: guard("closeSync", fs.closeSync),
    fsyncSync: guard("fsyncSync", fs.fsyncSync),
    linkSync: guard("linkSync", fs.linkSync),
    openSync: guard("openSync", fs.openSync),
    renameSync: guard("renameSync", fs.renameSync),
    rmSync: guard("rmSync", fs.rmSync as (...args: never[]) => void) as typeof fs.rmSync,
    writeSync: guard("writeSync", fs.writeSync as (...args: never[]) => number) as typeof fs.writeSync,
  };
}
