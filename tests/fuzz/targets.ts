/** @module Everything that is fuzzed, and the file that a process reads it by. */
import { fileURLToPath } from "node:url";
import { target as agreement } from "./agreement.ts";
import { target as archives } from "./archives.ts";
import { target as checkpoints } from "./checkpoints.ts";
import { target as models } from "./models.ts";
import { target as options } from "./options.ts";
import { target as pictures } from "./pictures.ts";
import type { Target } from "./target.ts";

export const TARGETS: readonly Target[] = [archives, pictures, models, agreement, checkpoints, options];

/** The file that exports a target. */
export function fileOf({ name }: Target): string {
  return fileURLToPath(new URL(`${name}.ts`, import.meta.url));
}
