import { node } from "onnxgrad/node";
import { afterAll, describe, expect, test } from "vitest";
import { localModel } from "../systems/parts/local/model.ts";
import { meanOfNine, testPicture } from "./pictures.testing.ts";
import { tiledDenoiser } from "./tiled-denoiser.ts";
import { upscalePicture } from "./upscale-picture.ts";

const denoiser = tiledDenoiser(node({ threads: 1 }), localModel(meanOfNine(), []));
afterAll(() => denoiser.dispose());

describe("upscalePicture()", () => {
  test("needs no options, says how far it is, and stops when it is told to", async () => {
    const small = testPicture({ height: 9, width: 7 });
    const shares: number[] = [];
    const plain = await upscalePicture(denoiser, small, 2);
    const told = await upscalePicture(denoiser, small, 2, {
      ...{ seed: 0, samples: 1, sigma: 0 },
      onShare: (share) => void shares.push(share),
    });
    expect(told.picture).toEqual(plain.picture);
    expect([shares.length, shares.at(-1)]).toEqual([60, 1]);
    const stop = new AbortController();
    const stopped = upscalePicture(denoiser, small, 2, {
      signal: stop.signal,
      onShare: (share) => {
        if (share > 0.5) stop.abort();
      },
    });
    await expect(stopped).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
    await expect(upscalePicture(denoiser, small, 2, { samples: 0 })).rejects.toThrow("samples: 0.");
  });
});
