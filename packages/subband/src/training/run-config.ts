/** @module The configuration kept in `run.json`: which system, on which data, for how long; validated when read back. */
import { UserError } from "onnxgrad";
import * as z from "zod";
import type { HeldOutBy } from "../data/held-out.ts";
import type { Rollback } from "../loop/rollbacks.ts";
import type { Json } from "../systems/options.ts";
import { Count, Positive } from "../systems/parts/schemas.ts";
import type { AnyPreset } from "../systems/preset.ts";
import { presetNamed, presets, readOptions } from "../systems/presets.ts";
import type { ImageShape, System } from "../systems/system.ts";
import { Pace } from "./pace-schema.ts";
import { Rollbacks } from "./rollback-schema.ts";

/** What is known of the data of a run. */
export interface RunData {
  /** As given to --data. */
  readonly source: string;
  /** Where that was: whole, and from the run's folder; absent for known data sets, and in early runs. */
  readonly path?: string | undefined;
  readonly pathFromRun?: string | undefined;
  readonly name: string;
  /** Images after skipping. */
  readonly count: number;
  /** Fingerprint of the decoded pixels: resuming on other data is refused. */
  readonly fingerprint: string;
  readonly licence: string;
  readonly credit: string;
  /** Only the first so many images were looked at. */
  readonly limit?: number | undefined;
  /** At most so many patches were cut from each picture; absent where pictures were brought to the size. */
  readonly patches?: number | undefined;
  /** Images that are never trained on, only judged by; absent in runs begun before there were any. */
  readonly heldOut?: number | undefined;
  /** What was held out whole; absent in runs begun when single images were. */
  readonly heldOutBy?: HeldOutBy | undefined;
  /** Mirrored at random. */
  readonly flip: boolean;
}

/** A run's configuration. */
export interface RunConfig {
  /** Name of its preset. */
  readonly preset: string;
  /** Every option of the preset's, as asked for or as it was chosen then. */
  readonly options: Readonly<Record<string, Json>>;
  readonly data: RunData;
  /** The budget of time; absent where images were asked for. */
  readonly minutes?: number | undefined;
  /** Images that each stage sees, as planned last; without a stage that is not planned yet. */
  readonly images: Readonly<Record<string, number>>;
  /** How each stage got there; absent where it is evenly, and in runs of before there was a clock. */
  readonly pace?: Readonly<Record<string, Pace>> | undefined;
  /** Where it went back to after its numbers had stopped being finite; absent where they never did. */
  readonly rollbacks?: readonly Rollback[] | undefined;
  /** The model or run whose weights it began with. */
  readonly from?: string | undefined;
  /** What the options came to: the preset's own business, save for the shape of the images. */
  readonly model: ImageShape;
}

/** The fields besides options and model. */
const RunFields = {
  preset: z
    .string()
    .refine(
      (name) => presets.some((preset) => preset.name === name),
      `none that this version knows (${presets.map(({ name }) => name).join(", ")}): update subband`,
    ),
  data: z.strictObject({
    source: z.string(),
    path: z.string().optional(),
    pathFromRun: z.string().optional(),
    name: z.string(),
    count: Count,
    fingerprint: z.string(),
    licence: z.string(),
    credit: z.string(),
    limit: Count.optional(),
    patches: Count.optional(),
    heldOut: z.int().nonnegative().optional(),
    heldOutBy: z.enum(["pictures", "images"]).optional(),
    flip: z.boolean(),
  }),
  minutes: Positive.optional(),
  images: z.record(z.string(), Count),
  pace: z.record(z.string(), Pace).optional(),
  rollbacks: Rollbacks.optional(),
  from: z.string().optional(),
};

/** The schema of a run's configuration. */
export const RunConfig: z.ZodType<RunConfig> = z
  .strictObject({ ...RunFields, options: z.record(z.string(), z.json()), model: z.unknown() })
  .transform((config, context) => {
    const preset = presetNamed(config.preset);
    return {
      ...config,
      options: parsedOptions(preset, config.options, context),
      model: parsedModel(preset, config.model, context),
    };
  });

/** A model by its preset's schema; what does not fit is told of `config.model.<field>`. */
export function parsedModel(preset: AnyPreset, model: unknown, context: z.RefinementCtx): ImageShape {
  const parsed = preset.model.safeParse(model);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues)
    context.issues.push({ code: "custom", path: ["model", ...path], message, input: model });
  return z.NEVER;
}

/**
 * All options of a preset, of those that a run of before does not name what it had, each with a value that it takes, and no text for a number. A number beyond what is offered today
 * is what the run was begun with, by a library or a version of other limits: its model is checked by itself.
 */
function parsedOptions(
  preset: AnyPreset,
  named: Readonly<Record<string, Json>>,
  context: z.RefinementCtx,
): Readonly<Record<string, Json>> {
  const options = { ...preset.earlier, ...named } as Readonly<Record<string, Json>>;
  const refuse = (key: string, message: string): void =>
    void context.issues.push({ code: "custom", path: ["options", key], message, input: options[key] });
  for (const key of Object.keys(preset.training)) if (!Object.hasOwn(options, key)) refuse(key, "missing");
  const isNumber = (key: string) =>
    Number.isFinite(options[key]) && Object.hasOwn(preset.training, key) && preset.training[key]!.numeric;
  for (const [key, value] of Object.entries(options))
    try {
      if (isNumber(key)) continue;
      const read = readOptions(preset, { [key]: value })[key];
      if (read !== value) refuse(key, `expected ${JSON.stringify(read)}, received ${JSON.stringify(value)}`);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refuse(key, error.message);
    }
  return options;
}

/** What a configuration is of. */
type Configured = Pick<RunConfig, "preset" | "model">;

/** The system that a configuration describes. */
export function systemOf({ preset, model }: Configured): System {
  return presetNamed(preset).system(model);
}
