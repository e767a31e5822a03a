/** @module Versions of what made a run: recorded with it, printed by the command line, never decided upon. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const Package = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });

/** Exact versions of `subband`, `onnxgrad` (released in lock-step) and `node`. */
export function versions(): { readonly subband: string; readonly onnxgrad: string; readonly node: string } {
  // The same two folders up from src/training and from dist/training.
  const path = new URL("../../package.json", import.meta.url);
  const { version, dependencies } = Package.parse(JSON.parse(readFileSync(path, "utf8")));
  return { subband: version, onnxgrad: dependencies["onnxgrad"] ?? "unknown", node: process.versions.node };
}
