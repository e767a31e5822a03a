/**
 * @module Progress of long tasks on stderr: a bar that redraws itself on a terminal, plain lines now and then elsewhere.
 * Both say the same: fraction, count, rate, values such as losses, time left.
 */
import { SingleBar } from "cli-progress";
import { printable } from "onnxgrad/errors";
import type { OnProgress } from "../data/concurrent.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatCount, formatDuration, formatValue } from "./format.ts";
import { note } from "./output.ts";

/** How far a task is. */
export interface ProgressUpdate {
  /** What is going on, one or two words. A new label starts a new measurement of the rate. */
  readonly label: string;
  /** Of `unit`, counted from the start of the task; for the rate. */
  readonly done: number;
  readonly total?: number | undefined;
  readonly unit: "images" | "bytes";
  /** 0..1; default done / total. Give it where the end is no count, e.g. a time budget or stages side by side. */
  readonly fraction?: number | undefined;
  /** Further numbers, e.g. losses. */
  readonly values?: Readonly<Record<string, number | string>>;
}

/** A task being watched. */
export interface Progress {
  /** Shows the new state, at most a few times a second on a terminal and every `interval` seconds elsewhere. */
  update(update: ProgressUpdate): void;
  /** Prints a line of its own, above the bar. */
  note(line: string): void;
  /** Leaves the last state as a plain line, if any was shown. Call it also when the task fails. */
  finish(): void;
}

/** Options of {@link createProgress}. */
export interface ProgressOptions {
  /** Seconds between plain lines. Default 10. */
  readonly interval?: number;
  /** The clock, milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/** Milliseconds before the first plain line: short tasks say nothing. */
const SILENCE_MS = 2000;
/** Milliseconds over which the rate is measured. */
const RATE_WINDOW_MS = 10_000;
const BAR_WIDTH = 24;

const SILENT: Progress = { update() {}, note() {}, finish() {} };

/** Watches a task and shows how far it is. Nothing is printed before the first update, and with `--quiet` nothing at all. */
export function createProgress(context: Context, options: ProgressOptions = {}): Progress {
  if (context.quiet) return SILENT;
  const { interval = 10, now = () => performance.now() } = options;
  const clock = rateClock(now);
  const begun = now();
  let last: ProgressUpdate | undefined;
  let lastLine = Number.NEGATIVE_INFINITY;
  /** The state that the last plain line told. */
  let told: string | undefined;
  let bar: SingleBar | undefined;

  const showBar = (): void => {
    bar = new SingleBar({
      stream: context.stderr,
      format: () => (last === undefined ? "" : fitted(context, progressLine(last, clock, true))),
      clearOnComplete: true,
      forceRedraw: true,
      // Whoever presses Ctrl-C gets a terminal as it was: nothing about it is changed, and no signal is caught.
      gracefulExit: false,
      linewrap: true,
    });
    bar.start(1, 0);
  };
  const hideBar = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const line = (text: string): void => note(context, text);
  return {
    update(update) {
      last = update;
      clock.record(update);
      if (context.isTTY) {
        if (bar === undefined) showBar();
        else bar.update(fractionOf(update) ?? 0);
      } else if (now() - begun >= SILENCE_MS && now() - lastLine >= 1000 * interval) {
        lastLine = now();
        told = stateOf(update);
        line(progressLine(update, clock, false));
      }
    },
    note(text) {
      hideBar();
      line(text);
      if (context.isTTY && last !== undefined) showBar();
    },
    finish() {
      const shown = bar !== undefined || lastLine > Number.NEGATIVE_INFINITY;
      hideBar();
      if (shown && last !== undefined && told !== stateOf(last)) line(progressLine(last, clock, false));
      last = undefined;
      lastLine = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Does `work` while its progress is shown; what was shown last stays as a line, also where the work fails. */
export async function withProgress<T>(
  context: Context,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = createProgress(context);
  try {
    return await work(progress);
  } finally {
    progress.finish();
  }
}

/** Whom opening and fetching data report to: they show how far they are, and what is wrong on a line of its own. */
export function dataListeners(progress: Progress): {
  readonly onProgress: OnProgress;
  readonly onWarning: (message: string) => void;
} {
  return {
    onProgress: ({ stage, unit, done, total }) => progress.update({ label: stage, unit, done, total }),
    onWarning: (message) => progress.note(`warning: ${message}`),
  };
}

/** Shows how many of `total` images are done; between two whole ones, too, where `done` is no whole number. */
export function imageProgress(progress: Progress, label: string, done: number, total: number): void {
  progress.update({ label, done: Math.floor(done), total, unit: "images", fraction: done / total });
}

/** Speed and time left, from what was recorded. */
interface RateClock {
  record(update: ProgressUpdate): void;
  /** Units a second lately; undefined when there is too little to tell. */
  rate(): number | undefined;
  /** Seconds left; undefined when there is too little to tell. */
  left(): number | undefined;
}

function rateClock(now: () => number): RateClock {
  interface Mark {
    readonly time: number;
    readonly done: number;
    readonly fraction: number | undefined;
  }
  let label: string | undefined;
  let first: Mark | undefined;
  let marks: Mark[] = [];
  return {
    record(update) {
      const mark: Mark = { time: now(), done: update.done, fraction: fractionOf(update) };
      if (update.label !== label || first === undefined) {
        label = update.label;
        first = mark;
        marks = [];
      }
      const newest = marks.at(-1);
      // Ten marks a second suffice; the newest one is always up to date.
      if (newest !== undefined && marks.length > 1 && mark.time - marks.at(-2)!.time < 100)
        marks[marks.length - 1] = mark;
      else marks.push(mark);
      while (marks.length > 2 && mark.time - marks[0]!.time > RATE_WINDOW_MS) marks.shift();
    },
    rate() {
      const [oldest, newest] = [marks[0], marks.at(-1)];
      if (oldest === undefined || newest === undefined || newest.time <= oldest.time) return undefined;
      const rate = (1000 * (newest.done - oldest.done)) / (newest.time - oldest.time);
      return rate >= 0 ? rate : undefined; // a sampler that stops by itself may guess that it was further
    },
    left() {
      const newest = marks.at(-1);
      if (first?.fraction === undefined || newest?.fraction === undefined) return undefined;
      const gained = newest.fraction - first.fraction;
      if (gained <= 0) return undefined;
      return ((newest.time - first.time) / 1000) * ((1 - newest.fraction) / gained);
    },
  };
}

/** Equal where a line would say the same. */
function stateOf({ label, done, fraction, values }: ProgressUpdate): string {
  return JSON.stringify([label, done, fraction, values]);
}

function fractionOf({ fraction, done, total }: ProgressUpdate): number | undefined {
  const value = fraction ?? (total === undefined || total === 0 ? undefined : done / total);
  return value === undefined ? undefined : Math.min(1, Math.max(0, value));
}

/** `decode [====    ]  50 % | 512 of 1,024 images | 80 images/s | loss 0.123 | 7 s left`. */
function progressLine(update: ProgressUpdate, clock: RateClock, withBar: boolean): string {
  const { label, done, total, unit, values = {} } = update;
  const fraction = fractionOf(update);
  const amount = (n: number): string => (unit === "bytes" ? formatBytes(n) : formatCount(n));
  const filled = Math.round((fraction ?? 0) * BAR_WIDTH);
  const bar = withBar && fraction !== undefined ? `[${"=".repeat(filled).padEnd(BAR_WIDTH)}]` : "";
  const percent = fraction === undefined ? "" : `${String(Math.floor(100 * fraction)).padStart(3)} %`;
  const rate = clock.rate();
  const left = clock.left();
  const counted = `${amount(done)}${total === undefined ? "" : ` of ${amount(total)}`}`;
  return [
    [label, bar, percent].filter((part) => part !== "").join(" "),
    unit === "bytes" ? counted : `${counted} ${unit}`,
    ...(rate === undefined
      ? []
      : [`${rate > 0 && rate < 1 ? rate.toFixed(2) : amount(rate)}${unit === "bytes" ? "" : ` ${unit}`}/s`]),
    ...Object.entries(values).map(([name, value]) => `${name} ${formatValue(value)}`),
    ...(left === undefined || fraction === 1 ? [] : [`${formatDuration(left)} left`]),
  ].join(" | ");
}

/** A line longer than the terminal is wide would wrap, and redrawing it would leave its remains. */
function fitted(context: Context, line: string): string {
  const { columns } = context.stderr as { readonly columns?: number };
  return printable(line).slice(0, (columns || 80) - 1); // some terminals say 0 when they do not know
}
