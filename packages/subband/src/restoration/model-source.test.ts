import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { localModel } from "../systems/local-model.ts";
import { saveModel } from "../training/model-file.ts";
import { openModel } from "./model-source.ts";
import { randomNetwork } from "./test-pictures.ts";

test("openModel() opens the builtin model once there is one, and else says how to get one", () => {
  const dir = mkdtempSync(join(tmpdir(), "subband-builtin-"));
  try {
    expect(() => openModel("builtin", dir)).toThrow(
      "this build has no builtin denoiser. Import one (subband import NET.pt --out MODEL) or train one (subband train " +
        "--preset local-unet), and give it with --model.",
    );
    saveModel(dir, localModel(randomNetwork(1), []));
    expect(openModel("builtin", dir).model).toMatchObject({ kind: "pyramid", channels: 1 });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
