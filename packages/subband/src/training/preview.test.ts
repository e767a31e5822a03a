import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { node } from "onnxgrad/node";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ImageSource } from "../images/image-source.ts";
import type { HostStep } from "../systems/draw.ts";
import type { System } from "../systems/system.ts";
import { drawPreview } from "./preview.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-preview-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const SIDE = 64;
const heldOut: ImageSource = { channels: 1, height: SIDE, width: SIDE, count: 1, read: () => undefined };

/** Draws image i in the grey level 7 i of 255, in one call. */
const greys: HostStep = {
  ...{ kind: "host", name: "greys", gives: [1, SIDE, SIDE], level: 0 },
  open: (_, __, batch) =>
    Promise.resolve({
      run(_given, { first = 0 }) {
        const data = new Float32Array(batch * SIDE * SIDE);
        for (let i = 0; i < data.length; i++)
          data[i] = (7 * (first + Math.floor(i / (SIDE * SIDE)))) / 127.5 - 1;
        return Promise.resolve({ data, calls: new Array<number>(batch).fill(1), converged: true });
      },
      dispose: () => Promise.resolve(),
    }),
};

describe("drawPreview()", () => {
  test("puts 36 images into a grid, in their order, with their grey levels", async () => {
    const choice = { sampler: "none", steps: null };
    const system: System = {
      ...{ image: heldOut, stages: [], networks: () => [], pyramid: { levels: 0 } },
      draw: { choose: () => choice, steps: () => [greys], describe: () => [] },
    };
    const path = join(dir, "grid.png");
    await drawPreview(path, new Map(), { backend: node({ threads: 1 }), system, heldOut, seed: 0 });
    const { data, info } = await sharp(path).greyscale().raw().toBuffer({ resolveWithObject: true });
    // 6 rows of 6, twice as large, with 2 pixels between and around.
    const [cell, padding] = [2 * SIDE, 2];
    expect([info.width, info.height]).toEqual(Array(2).fill(6 * (cell + padding) + padding));
    const centre = (i: number) => padding + i * (cell + padding) + cell / 2;
    const found = Array.from(
      { length: 36 },
      (_, i) => data[centre(Math.floor(i / 6)) * info.width + centre(i % 6)],
    );
    expect(found).toEqual(Array.from({ length: 36 }, (_, i) => 7 * i));
  });
});
