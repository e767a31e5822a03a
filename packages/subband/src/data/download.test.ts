import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { download, type DownloadOptions } from "./download.ts";

const body = Buffer.alloc(200_000, "subband ");
let server: Server;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "subband-download-"));
  server = createServer((request, response) => {
    if (request.url === "/file") response.writeHead(200, { "content-length": body.length }).end(body);
    else if (request.url === "/stall")
      response.writeHead(200, { "content-length": body.length }).write(body.subarray(0, 9));
    else if (request.url === "/cut")
      response.writeHead(200, { "content-length": body.length }).write("x", () => response.destroy());
    else if (request.url !== "/silent") response.writeHead(404).end();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const options = (path: string): DownloadOptions => ({
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
  checksum: { algorithm: "md5", hex: createHash("md5").update(body).digest("hex") },
  to: join(folder, "got"),
  answerTimeoutMs: path === "/silent" ? 200 : 20_000, // the first fetch of a process may be slow
  stallTimeoutMs: 200,
});

describe("download()", () => {
  test("writes the file, verified, and reports all bytes", async () => {
    let last = 0;
    await download({
      ...options("/file"),
      onProgress: ({ done, total }) => {
        expect(total).toBe(body.length);
        expect(done).toBeGreaterThan(last);
        last = done;
      },
    });
    expect(last).toBe(body.length);
    expect(await readFile(join(folder, "got"))).toEqual(body);
  });

  test("refuses bytes with another checksum", async () => {
    const wrong = { ...options("/file"), checksum: { algorithm: "md5", hex: "00" } } as const;
    await expect(download(wrong)).rejects.toMatchObject({ code: "data/checksum" });
  });

  test("gives up on a server that is silent, stalls, breaks off, has no such file or is not there", async () => {
    for (const [path, message] of [
      ["/silent", "no answer in 200 ms"],
      ["/stall", "no bytes for 200 ms"],
      ["/cut", "127.0.0.1"],
      ["/missing", "HTTP 404"],
    ] as const) {
      const error: unknown = await download(options(path)).catch((e: unknown) => e);
      expect(error, path).toMatchObject({ code: "data/download" });
      expect((error as Error).message, path).toContain(message);
    }
    await expect(download({ ...options("/"), url: "http://127.0.0.1:1/" })).rejects.toMatchObject({
      code: "data/download",
    });
  });
});
