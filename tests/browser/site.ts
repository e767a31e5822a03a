/** @module The pages of the tests, built by Vite as a user's would be and served from a folder that is removed after. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, preview } from "vite";

/** Vite's configuration of the example, which the test page shares. */
export const CONFIG: string = new URL("../../examples/web-training/vite.config.ts", import.meta.url).pathname;

/** A built page, being served. */
export interface Site {
  /** Ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** Builds the folder `root` (relative to this file) with its `index.html`, and serves the result. */
export async function serve(root: string): Promise<Site> {
  const outDir = await mkdtemp(join(tmpdir(), "site-"));
  const page = {
    configFile: CONFIG,
    root: new URL(root, import.meta.url).pathname,
    logLevel: "error" as const,
    build: { outDir, emptyOutDir: true, reportCompressedSize: false },
  };
  await build(page);
  const server = await preview({ ...page, preview: { port: 0 } });
  return {
    url: server.resolvedUrls!.local[0]!,
    async close() {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}
