/** @module Versions of what made a run: recorded with it, printed by the command line, never decided upon. */
import { readFileSync } from "node:fs";

/** Exact versions of `subband`, `onnxgrad` (released in lock-step) and `node`. */
export function versions(): { readonly subband: string; readonly onnxgrad: string; readonly node: string } {
  // Our own file, the same two folders up from src/training and from dist/training.
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version, dependencies } = JSON.parse(text) as {
    version: string;
    dependencies: { onnxgrad: string };
  };
  return { subband: version, onnxgrad: dependencies.onnxgrad, node: process.versions.node };
}
