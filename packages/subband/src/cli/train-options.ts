/**
 * @module The options of training, validated by one schema whose messages are the words for an error of one line.
 * Imported when the command runs.
 */
import * as z from "zod";
import { decimal, type Extent } from "../systems/options.ts";
import { presetNamed } from "../systems/presets.ts";
import { modelPath } from "../restoration/model-source.ts";
import type { RunSettings, TrainRequest } from "../training/train-run.ts";
import { formatCount } from "./format.ts";
import type { BackendFlags } from "./open-backend.ts";
import { readTyped } from "./preset-options.ts";

/** The options of `subband train` as the command line gives them: text, save for flags and sizes. */
export interface TrainFlags extends BackendFlags {
  readonly data?: string;
  readonly out: string;
  readonly preset?: string;
  readonly size?: Extent;
  readonly flip?: boolean;
  readonly [option: string]: unknown;
}

/** Validated options: what to train, and how to go about it. */
export interface TrainCommand {
  readonly request: TrainRequest;
  readonly settings: RunSettings;
  readonly backend: BackendFlags;
  readonly dryRun: boolean;
}

const WHOLE = "a whole number of at least";
/** Minutes, or seconds, beyond which nobody waits. */
const LONGEST = 10_000_000;

function whole(least: number, words = `${WHOLE} ${least}`): z.ZodType<number, string> {
  return z.string().regex(/^\d+$/, words).transform(Number).pipe(z.int(words).min(least, words));
}

function positive(words = "a number above 0", most = LONGEST): z.ZodType<number, string> {
  const bounded = `${words}, at most ${formatCount(most)}`;
  return z.string().transform(decimal).pipe(z.number(words).positive(words).max(most, bounded));
}

const Schema = z
  .object({
    data: z.string().min(1, "a folder, an archive, cifar10 or faces").optional(),
    out: z.string().min(1, "the path of a folder"),
    from: z.string().min(1, "a model, a run or builtin").optional(),
    minutes: positive().optional(),
    images: whole(1).optional(),
    replay: z.string().optional(),
    seed: whole(0).optional(),
    limit: whole(2).optional(),
    patches: whole(1).optional(),
    channels: z
      .enum(["1", "3"], "1 (grey) or 3 (colour)")
      .transform((text): 1 | 3 => (text === "1" ? 1 : 3))
      .optional(),
    saveSeconds: positive().optional(),
  })
  .refine(({ minutes, images, replay }) => minutes === undefined || (images ?? replay) === undefined, {
    path: ["images"],
    message: "either --minutes or --images, not both",
  });

/**
 * Validates the options; `refuse` is called with one line for the first that is wrong.
 * @throws UserError `unknown/preset`, those of options that are names, and whatever `refuse` throws.
 */
export function parseTrainFlags(flags: TrainFlags, refuse: (message: string) => never): TrainCommand {
  const preset = flags.preset === undefined ? undefined : presetNamed(flags.preset).name;
  const parsed = Schema.safeParse(withReplay(flags));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    const key = String(path[0]);
    return refuse(`${flagOf(key)}: "${String(flags[key])}"; give ${message}.`);
  }
  const { saveSeconds, from, ...asked } = parsed.data;
  return {
    request: {
      ...asked,
      from: from === undefined ? undefined : modelPath(from),
      preset,
      size: flags.size,
      flip: flags.flip === false ? false : undefined,
      options: readTyped("training", flags, refuse),
    },
    settings: { saveSeconds },
    backend: { threads: flags.threads, device: flags.device },
    dryRun: flags["dryRun"] === true,
  };
}

/** `--images` names a run to replay where it is no number; a run called 12 is `./12`. */
function withReplay(flags: TrainFlags): TrainFlags {
  const { images, ...others } = flags;
  const isNumber = typeof images !== "string" || /^\s*[-+]?[\d.]*(e[-+]?\d*)?\s*$/i.test(images);
  return isNumber ? flags : { ...others, replay: images };
}

/** `saveSeconds` as it is typed: `--save-seconds`. */
function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
