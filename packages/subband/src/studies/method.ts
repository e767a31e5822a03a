/**
 * @module What a denoising study compares: a method takes noisy pictures of one shape and gives denoised ones. Models of
 * ours run here; methods from outside (`peers.ts`) have their results read.
 */
import { type Backend, UserError } from "onnxgrad";
import { compileDenoiser } from "../systems/parts/local/denoiser.ts";
import { macsPerPixel, parametersOf } from "../systems/parts/local/cost.ts";
import type { LocalModel } from "../systems/parts/local/model.ts";
import { loadModel } from "../training/model-file.ts";
import type { Picture } from "./noisy-pictures.ts";

/** A denoised picture. */
export interface Denoised {
  /** `[channels, height, width]`, not clipped. */
  readonly image: Float32Array;
  /** Milliseconds that it took. */
  readonly ms: number;
}

/** A method made ready for pictures of one shape. */
export interface ReadyMethod {
  /** Denoises `noisy`, which is `picture` with noise of deviation `sigma` / 255; blind methods ignore `sigma`. */
  denoise(noisy: Float32Array, picture: Picture, sigma: number): Promise<Denoised>;
  dispose(): Promise<void>;
}

/** A way to denoise. */
export interface Method {
  readonly name: string;
  /** Whether it runs outside this program. */
  readonly isPeer: boolean;
  /** Undefined where there is nothing to count. */
  readonly parameters: number | undefined;
  /** Multiply-accumulates a pixel. */
  readonly macsPerPixel: number | undefined;
  ready(shape: Pick<Picture, "channels" | "height" | "width">): Promise<ReadyMethod>;
}

/** A model as a method: a whole picture at a time, compiled once a shape; compiling is not in its time. */
export function modelMethod(name: string, model: LocalModel, backend: Backend): Method {
  return {
    name,
    isPeer: false,
    parameters: parametersOf(model),
    macsPerPixel: macsPerPixel(model),
    async ready({ channels, height, width }) {
      const denoiser = await compileDenoiser(backend, model, [1, channels, height, width], {
        reuse: true,
      });
      return {
        async denoise(noisy) {
          const started = performance.now();
          const { image } = await denoiser.run(noisy);
          return { image, ms: performance.now() - started };
        },
        dispose: () => denoiser.dispose(),
      };
    },
  };
}

/** A model under the name that it has in the study. */
export interface NamedModel {
  readonly name: string;
  readonly model: LocalModel;
}

/**
 * Opens the model that `name=dir` names.
 * @throws UserError `study/model` when there is no name or no folder, or the name would not fit into a table; `model/...`.
 */
export async function openNamedModel(text: string): Promise<NamedModel> {
  const at = text.indexOf("=");
  const [name, path] = [text.slice(0, Math.max(0, at)).trim(), text.slice(at + 1)];
  if (name === "" || path === "" || /[,"|\n]/.test(name))
    throw new UserError(
      "study/model",
      `model: ${JSON.stringify(text)}. Give a name without , " | and a model, as in --model flat43=models/flat-rf43.`,
    );
  const { model } = await loadModel(path);
  return { name, model };
}

/**
 * The channels that all models take.
 * @throws UserError `study/channels` when they differ, `study/name` when two have one name.
 */
export function commonChannels(models: readonly NamedModel[]): 1 | 3 {
  const [first, ...rest] = models;
  const other = rest.find(({ model }) => model.channels !== first?.model.channels);
  if (other !== undefined)
    throw new UserError(
      "study/channels",
      `"${first!.name}" is for ${first!.model.channels === 1 ? "gray" : "colour"} pictures and "${other.name}" is not. ` +
        `Study them apart: no number would be comparable.`,
    );
  requireDistinct(models.map(({ name }) => name));
  return first?.model.channels ?? 1;
}

/** @throws UserError `study/name` when a name comes twice. */
export function requireDistinct(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UserError("study/name", `two methods are called "${twice}". Give each a name of its own.`);
}
