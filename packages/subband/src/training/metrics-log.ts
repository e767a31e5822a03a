/**
 * @module The metrics stream: one JSON object a line, only ever appended. On resume it is cut back to the checkpoint, so
 * that the file of an interrupted run equals that of a straight one.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { UserError } from "onnxgrad";
import { writeError } from "./atomic-file.ts";
import { readRegularFile } from "./regular-file.ts";

/** One line. Numbers that JSON lacks (NaN, infinities) are stored as null. */
export type MetricsRecord = Readonly<Record<string, unknown>>;

/** An open `metrics.jsonl`. */
export interface MetricsLog {
  /** Adds a line. @throws UserError `file/disk-full`, ... */
  append(record: MetricsRecord): void;
  /** Makes what was appended durable: call it before saving the checkpoint that resumes behind it. */
  sync(): void;
  /** No appending after this. */
  close(): void;
}

/** A line and where it ends. */
interface Line {
  readonly record: MetricsRecord;
  /** Bytes from the start of the file to the end of the line. */
  readonly end: number;
}

/**
 * Opens `path` for appending, made when it is missing. A torn last line is cut off, and everything from the first
 * record on that `keep` refuses: on resume, those after the checkpoint.
 * @throws UserError `metrics/invalid` when a line in the middle is no JSON object; `file/...`.
 *
 * @example
 * const log = openMetricsLog(runPaths(dir).metrics, (record) => Number(record.images) <= imagesSeen);
 */
export function openMetricsLog(
  path: string,
  keep: (record: MetricsRecord) => boolean = () => true,
): MetricsLog {
  const lines = readLines(path);
  const cut = lines.findIndex(({ record }) => !keep(record));
  const kept = cut < 0 ? lines : lines.slice(0, cut);
  const guarded = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw writeError(path, undefined, error);
    }
  };
  let size = kept.at(-1)?.end ?? 0;
  const descriptor = guarded(() => openSync(path, "a"));
  guarded(() => ftruncateSync(descriptor, size));
  return {
    append(record) {
      const bytes = new TextEncoder().encode(`${JSON.stringify(record)}\n`);
      guarded(() => {
        // A full disk may take part of a line; the next one then goes in its place.
        ftruncateSync(descriptor, size);
        for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
      });
      size += bytes.length;
    },
    sync: () => guarded(() => fsyncSync(descriptor)),
    close: () => closeSync(descriptor),
  };
}

/**
 * Every whole record of `path`, in order; none when the file is missing. Safe while another process appends.
 * @throws UserError `metrics/invalid`.
 */
export function readMetrics(path: string): MetricsRecord[] {
  return readLines(path).map(({ record }) => record);
}

function readLines(path: string): Line[] {
  const bytes = readBytes(path);
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0x0a, start) + 1;
    if (end === 0) break; // torn: no end of line
    const record = parseRecord(bytes.toString("utf8", start, end));
    if (record === undefined) {
      if (end === bytes.length) break; // torn within a block of zeros, as some file systems leave it
      throw new UserError(
        "metrics/invalid",
        `bad line ${lines.length + 1} of "${path}": no JSON object. Mend the line, or move the file away; training needs none of it.`,
      );
    }
    lines.push({ record, end });
    start = end;
  }
  return lines;
}

function parseRecord(line: string): MetricsRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function readBytes(path: string): Buffer {
  try {
    return readRegularFile(path) ?? Buffer.alloc(0);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("metrics/unreadable", `cannot read "${path}": ${(error as Error).message}.`, {
      cause: error,
    });
  }
}
