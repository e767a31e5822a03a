/** @module Fetching one large file over HTTPS: bounded waiting, checksum while it streams, progress. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { UserError } from "onnxgrad/errors";
import type { OnProgress } from "./concurrent.ts";

/** What {@link download} fetches and how long it waits. */
export interface DownloadOptions {
  readonly url: string;
  /** Hex digest that the whole file must have. */
  readonly checksum: { readonly algorithm: "md5" | "sha256" | "sha512"; readonly hex: string };
  /** Where to write it; replaced when it exists. */
  readonly to: string;
  /** Milliseconds until the first bytes must have come. */
  readonly answerTimeoutMs: number;
  /** Milliseconds without any bytes after which the transfer counts as stalled. */
  readonly stallTimeoutMs: number;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Downloads a file and verifies its checksum.
 * @throws UserError `data/download` when the server does not answer in time, refuses or stalls, and `data/checksum`
 * when the bytes are not the expected ones.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { url, checksum, to, answerTimeoutMs, stallTimeoutMs, onProgress } = options;
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(new Error(`no answer in ${answerTimeoutMs} ms`)), answerTimeoutMs);
  const hash = createHash(checksum.algorithm);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    const total = Number(response.headers.get("content-length") ?? 0) || undefined;
    const file = await open(to, "w");
    try {
      let done = 0;
      for await (const piece of response.body as AsyncIterable<Uint8Array>) {
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(new Error(`no bytes for ${stallTimeoutMs} ms`)), stallTimeoutMs);
        hash.update(piece);
        await file.writeFile(piece);
        done += piece.length;
        onProgress?.({ stage: "download", unit: "bytes", done, total });
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new UserError("data/download", `cannot download ${url}: ${causeOf(error)}.`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
  const found = hash.digest("hex");
  if (found !== checksum.hex)
    throw new UserError(
      "data/checksum",
      `wrong ${checksum.algorithm} of ${url}: ${found}, expected ${checksum.hex}. Try again; if it stays, the file changed.`,
    );
}

/** `fetch failed` says nothing: its cause does. */
function causeOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message : String(inner);
}
