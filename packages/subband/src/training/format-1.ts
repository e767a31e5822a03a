/** @module Configurations of format 1, which kept no options: they are found in the model, by the presets of then. */
import * as z from "zod";
import { presets } from "../systems/presets.ts";
import { parsedModel, RunConfig } from "./run-config.ts";

/** The schema of a run's configuration of format 1, as that of today. */
export const RunConfig1: z.ZodType<RunConfig> = z
  .looseObject({ preset: z.string(), model: z.unknown() })
  .transform((config, context): unknown => {
    const preset = presets.find(({ name }) => name === config.preset);
    if (preset?.format1 !== undefined) {
      const model = parsedModel(preset, config.model, context);
      return context.issues.length > 0 ? z.NEVER : { ...config, options: preset.format1(model) };
    }
    const message = `none of format 1 (${presets.flatMap(({ name, format1 }) => (format1 ? [name] : [])).join(", ")})`;
    context.issues.push({ code: "custom", path: ["preset"], message, input: config.preset });
    return z.NEVER;
  })
  .pipe(RunConfig);
