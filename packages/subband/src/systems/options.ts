/**
 * @module What can be chosen about a system: a flag, its help, the values that it takes. The command line makes flags, help
 * and refusals of options, runs keep what was chosen; neither knows any of them by name.
 */

/** What JSON holds. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** One option. Presets that have it in common share the object. */
export interface Option<T extends Json = Json> {
  /** As it is typed: `--rf <n>`; a switch has no value, as in `--edm-low`. */
  readonly flag: string;
  /** One phrase for help texts, without the default. */
  readonly help: string;
  /** The values that it takes, in the words that follow "give". */
  readonly takes: string;
  /** Whether it takes numbers; within which limits may differ from version to version. */
  readonly numeric?: true;
  /**
   * A value, or the text that was typed for one; undefined for whatever is no value.
   * @throws UserError where a name is unknown, with a suggestion.
   */
  read(given: unknown): T | undefined;
}

/** Options by name. */
export type Options = Readonly<Record<string, Option>>;

/** A value for each option. */
export type Chosen<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/** Values for some options. */
export type Asked<O extends Options> = { readonly [K in keyof O]?: Chosen<O>[K] | undefined };

/** What was asked for, and the default of whatever was not. */
export function withDefaults<T extends object>(
  defaults: T,
  asked: { readonly [K in keyof T]?: Widened<T[K]> | undefined },
): { readonly [K in keyof T]: Widened<T[K]> } {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as { readonly [K in keyof T]: Widened<T[K]> };
}

type Widened<T> = T extends number ? number : T extends boolean ? boolean : T extends string ? string : T;

/** An option's flag without its value: `--rf`. */
export function flagName({ flag }: Pick<Option, "flag">): string {
  return flag.split(" ")[0]!;
}

/** Words as a sentence lists them: `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[]): string {
  return joined(words, "and");
}

/** Words as a sentence lets choose among them: `a`, `a or b`, `a, b or c`. */
export function alternatives(words: readonly string[]): string {
  return joined(words, "or");
}

function joined(words: readonly string[], last: string): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)!}`;
}

/** A whole number, typed in digits: no sign, no exponent. */
export function whole(
  flag: string,
  help: string,
  {
    least,
    most = Number.MAX_SAFE_INTEGER,
    multipleOf = 1,
  }: { least: number; most?: number; multipleOf?: number },
): Option<number> {
  const among = most < Number.MAX_SAFE_INTEGER ? ` and at most ${most}` : "";
  return {
    flag,
    help,
    takes:
      multipleOf === 1
        ? `a whole number of at least ${least}${among}`
        : `a multiple of ${multipleOf}${among}`,
    numeric: true,
    read(given) {
      const value = typeof given === "string" && !/^\s*\d+\s*$/.test(given) ? Number.NaN : numberOf(given);
      return Number.isSafeInteger(value) && value >= least && value <= most && value % multipleOf === 0
        ? value
        : undefined;
    },
  };
}

/** A number above 0. */
export function positive(flag: string, help: string, takes = "a number above 0"): Option<number> {
  return {
    flag,
    help,
    takes,
    numeric: true,
    read(given) {
      const value = numberOf(given);
      return value > 0 && Number.isFinite(value) ? value : undefined;
    },
  };
}

/** A number within limits, both taken. */
export function between(
  flag: string,
  help: string,
  { least, most }: { readonly least: number; readonly most: number },
): Option<number> {
  return {
    flag,
    help,
    takes: `a number from ${least} to ${most}`,
    numeric: true,
    read(given) {
      const value = numberOf(given);
      return value >= least && value <= most ? value : undefined;
    },
  };
}

/** A number above 0, and up to 1. */
export function share(flag: string, help: string): Option<number> {
  return {
    flag,
    help,
    takes: "a number above 0 and up to 1",
    read(given) {
      const value = numberOf(given);
      return value > 0 && value <= 1 ? value : undefined;
    },
  };
}

/** Height and width in pixels. */
export interface Extent {
  readonly [key: string]: Json | undefined;
  readonly height: number;
  readonly width: number;
}

/** `64` is 64 x 64, `64x48` is 64 wide and 48 high; undefined for anything else. */
export function extentOf(text: string): Extent | undefined {
  const [, width, height = width] = /^(\d{1,5})(?:x(\d{1,5}))?$/i.exec(text.trim()) ?? [];
  if (width === undefined || Number(width) < 1 || Number(height) < 1) return undefined;
  return { height: Number(height), width: Number(width) };
}

/** Height and width, typed as {@link extentOf} reads them. */
export function extent(flag: string, help: string): Option<Extent> {
  return {
    flag,
    help,
    takes: "pixels: 64, or WIDTHxHEIGHT as in 64x48",
    read: (given) => (typeof given === "string" ? extentOf(given) : undefined),
  };
}

/** One of some names. */
export function oneOf<const T extends string>(flag: string, help: string, names: readonly T[]): Option<T> {
  return {
    flag,
    help,
    takes: alternatives(names),
    read: (given) => names.find((name) => name === given),
  };
}

/** On, or off unless asked for. */
export function toggle(flag: string, help: string): Option<boolean> {
  return {
    flag,
    help,
    takes: "true or false",
    read: (given) => (typeof given === "boolean" ? given : undefined),
  };
}

/** A name that `find` looks up, which throws the `UserError` of an unknown one. */
export function named<T extends string>(
  flag: string,
  help: string,
  takes: string,
  find: (name: string) => T,
): Option<T> {
  return { flag, help, takes, read: (given) => (typeof given === "string" ? find(given) : undefined) };
}

/** A number, or the {@link decimal} of a text; NaN for anything else. */
function numberOf(given: unknown): number {
  if (typeof given === "number") return given;
  return typeof given === "string" ? decimal(given) : Number.NaN;
}

/** A decimal number such as `0.1`, `25` or `1e-3`; NaN for anything else, hexadecimals and infinity among it. */
export function decimal(text: string): number {
  const value = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : Number.NaN;
}
