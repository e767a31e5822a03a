/**
 * @module A system that can be trained by name: its options, its model, and the system that a model describes. Each preset
 * is a folder beside this file, and a row of `presets.ts`.
 */
import type * as z from "zod";
import type { ImageSource } from "../images/image-source.ts";
import type { Asked, Chosen, Options } from "./options.ts";
import type { LocalModel } from "./parts/local/model.ts";
import type { ImageShape, System } from "./system.ts";

/** A preset of the models `Model`, plain data that `run.json` keeps, with the options `Training`. */
export interface Preset<Model extends ImageShape, Training extends Options> {
  readonly name: string;
  /** One phrase for help texts. */
  readonly summary: string;
  /** Options of training. */
  readonly training: Training;
  /** Options of drawing, which `System.draw` chooses by. */
  readonly drawing: Options;
  /** Of options that came later, what runs were begun with before: they do not name them. */
  readonly earlier?: Asked<Training>;
  /** What a model may contain, field by field. */
  readonly model: z.ZodType<Model>;
  /**
   * Completes what was asked for images of a size: a run keeps it, and goes on with nothing else.
   * @throws UserError `config/...` for options that do not fit each other or the size; nothing has been read by then.
   */
  choose(asked: Asked<Training>, image: ImageShape): Chosen<Training>;
  /**
   * The model, with everything that is measured of the images to train on, in pieces; `asked` is what of `chosen` was asked for.
   * @throws UserError `config/...`, `nn/...`.
   */
  resolve(chosen: Chosen<Training>, images: ImageSource, asked: Asked<Training>): Generator<void, Model>;
  /** The options that a model was made with which a run of format 1 keeps; absent from presets that are younger. */
  format1?(model: Model): Chosen<Training>;
  /** What follows from a local model that a training begins with, if it can begin with that. */
  from?(model: LocalModel): Asked<Training> | undefined;
  system(model: Model): System;
}

/** A preset whose models and options are its own business. */
export type AnyPreset = Preset<ImageShape, Options>;

/** Puts the types of a preset aside, for the list of all. */
export function preset<Model extends ImageShape, Training extends Options>(
  declared: Preset<Model, Training>,
): AnyPreset {
  return declared as unknown as AnyPreset;
}
