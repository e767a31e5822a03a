/** @module Measures what a browser must load, by a build with Vite. `npm run size` prints it as the README has it. */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { build } from "vite";
import { CONFIG } from "./site.ts";

/** One thing that is loaded. */
export interface BundlePart {
  readonly what: string;
  /** Kilobytes (1000 bytes), minified. */
  readonly minified: number;
  /** The same, compressed by gzip as it is by default. */
  readonly gzipped: number;
}

/** ONNX Runtime's files, as they come by npm, for each provider. */
const RUNTIMES = [
  { provider: "WebAssembly", script: "ort.wasm.bundle.min.mjs", module: "ort-wasm-simd-threaded.wasm" },
  { provider: "WebGPU", script: "ort.webgpu.bundle.min.mjs", module: "ort-wasm-simd-threaded.asyncify.wasm" },
];

/** onnxgrad alone and whole, and ONNX Runtime's script and module for each provider. */
export async function measureBundle(): Promise<BundlePart[]> {
  const dist = new URL("../../node_modules/onnxruntime-web/dist/", import.meta.url);
  return [
    await part("onnxgrad, all of it", await bundleOfOnnxgrad()),
    ...(await Promise.all(
      RUNTIMES.flatMap(({ provider, script, module }) => [
        readFile(new URL(script, dist)).then((bytes) => part(`ONNX Runtime for ${provider}, script`, bytes)),
        readFile(new URL(module, dist)).then((bytes) => part(`ONNX Runtime for ${provider}, module`, bytes)),
      ]),
    )),
  ];
}

/** The rows of the README's table. */
export function bundleTable(parts: readonly BundlePart[]): string {
  const kilobytes = (value: number) =>
    value < 1000 ? `${value.toFixed(0)} kB` : `${(value / 1000).toFixed(1)} MB`;
  return parts
    .map(({ what, minified, gzipped }) => `| ${what} | ${kilobytes(minified)} | ${kilobytes(gzipped)} |`)
    .join("\n");
}

async function part(what: string, bytes: Uint8Array): Promise<BundlePart> {
  const { length } = await promisify(gzip)(bytes);
  return { what, minified: bytes.length / 1000, gzipped: length / 1000 };
}

async function bundleOfOnnxgrad(): Promise<Uint8Array> {
  const result = await build({
    configFile: CONFIG,
    logLevel: "error",
    build: {
      write: false,
      rolldownOptions: {
        input: new URL("./page/everything.ts", import.meta.url).pathname,
        preserveEntrySignatures: "strict",
        external: /^onnxruntime-web/,
      },
    },
  });
  const { output } = result as Extract<typeof result, { output: unknown }>;
  return Buffer.concat(output.map((file) => Buffer.from(file.type === "chunk" ? file.code : file.source)));
}

if (import.meta.filename === process.argv[1]) console.log(bundleTable(await measureBundle()));
