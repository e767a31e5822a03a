/** @module Folders of tests that train: one for each test, and a cache of data for all tests of a file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";

/** Makes them and takes them away again; `tell` is given the folder of the test that begins, of which `name` is a part. */
export function temporaryFolders(name: string, tell: (dir: string) => void): void {
  let cache: string;
  let dir: string;
  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), "subband-cache-"));
    vi.stubEnv("SUBBAND_CACHE", cache);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true, force: true });
  });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), `subband-${name}-`));
    tell(dir);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
}
