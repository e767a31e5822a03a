/** @module Where the model of a restoration comes from: the one that ships with the package, or a model or run of the user. */
import { fileURLToPath } from "node:url";
import { UserError } from "onnxgrad";
import { isModel, type LoadedModel, loadModel } from "../training/model-file.ts";

/** The name of the model that ships with the package. */
export const BUILTIN = "builtin";

/** Where it lies: beside `src/` and `dist/`. */
const BUILTIN_FOLDER = fileURLToPath(new URL("../../models/denoiser", import.meta.url));

/** The path of `builtin`, or the path that was given. @throws UserError `model/no-builtin`, `model/pytorch`. */
export function modelPath(name: string, builtinFolder: string = BUILTIN_FOLDER): string {
  if (name === BUILTIN) {
    if (!isModel(builtinFolder))
      throw new UserError(
        "model/no-builtin",
        "this build has no builtin denoiser. Import one (subband import NET.pt --out MODEL) or train one (subband train " +
          "--preset local-unet), and give it with --model.",
      );
    return builtinFolder;
  }
  if (/\.pth?$/.test(name))
    throw new UserError(
      "model/pytorch",
      `"${name}" is a PyTorch checkpoint. Import it first: subband import ${name} --out MODEL`,
    );
  return name;
}

/**
 * Opens `builtin`, or the model or run at a path.
 * @throws UserError `model/no-builtin`, `model/pytorch`; what `loadModel` throws.
 */
export async function openModel(name: string, builtinFolder?: string): Promise<LoadedModel> {
  return loadModel(modelPath(name, builtinFolder));
}
