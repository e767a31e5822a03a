/** @module Builds and serves the page: `npx vite examples/web-training`, from the root of the repository. */
import { defaultClientConditions, defineConfig } from "vite";

/** Threads share memory, which a browser gives only to pages that let nothing foreign in. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  root: import.meta.dirname,
  // This repository's sources, unbuilt; a page of your own needs no such line.
  resolve: { conditions: ["@subband/source", ...defaultClientConditions] },
  server: { headers },
  preview: { headers },
  // ONNX Runtime finds its .wasm file from its own script, which must therefore stay where it is in development.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
});
