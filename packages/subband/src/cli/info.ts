/** @module `subband info`: what a run directory or a model holds, without needing to know its configuration. */
import { readdirSync } from "node:fs";
import type { Command } from "commander";
import type { LoadedCheckpoint } from "../training/checkpoint.ts";
import type { Context } from "./context.ts";
import { bestLine, formatBytes, formatCount, formatDuration, formatValue } from "./format.ts";
import { addExamples } from "./options.ts";
import { answer, formatTable, note, tellWarning } from "./output.ts";

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("info")
    .description("tell what a run or a model holds: configuration, progress, checkpoint, samples, networks")
    .argument("<run>", "directory made by subband train, model made by subband import, or builtin")
    .action(async (run: string) => inform(context, run));
  addExamples(command, [
    "subband info runs/faces",
    "subband info runs/faces --json",
    "subband info models/celeba",
    "subband info builtin",
  ]);
}

async function inform(context: Context, name: string): Promise<void> {
  const { modelPath } = await import("../restoration/model-source.ts");
  const dir = modelPath(name);
  const { isModel } = await import("../training/model-file.ts");
  if (isModel(dir)) return (await import("./model-info.ts")).informModel(context, dir);
  const { ANY_CONFIG, readRun, runPaths } = await import("../training/run-directory.ts");
  const { loadCheckpoint } = await import("../training/checkpoint.ts");
  const { readMetrics } = await import("../training/metrics-log.ts");
  const { lockHolder } = await import("../training/lock.ts");
  const { bestMoments } = await import("../loop/weights.ts");
  const { versions, seed, imagesSeen, secondsUsed, config } = readRun(dir, ANY_CONFIG);
  const paths = runPaths(dir);
  const checkpoint = await loadCheckpoint(dir);
  const metrics = readMetrics(paths.metrics);
  const last = metrics.at(-1);
  const samples = listFiles(paths.samples);
  const trainer = lockHolder(dir);
  const groups = checkpoint === undefined ? {} : groupElements(checkpoint);
  const best = bestMoments(checkpoint?.metadata ?? {});

  tellWarning((line) => note(context, line), checkpoint ?? {});
  answer(context, {
    lines: formatTable([
      ["run", dir],
      [
        "made by",
        Object.entries(versions)
          .map((pair) => pair.join(" "))
          .join(", "),
      ],
      ["training now", trainer === undefined ? "no" : `process ${trainer.pid} on ${trainer.host}`],
      ["seed", String(seed)],
      ...Object.entries(imagesSeen).map(([stage, n]) => [`images seen, ${stage}`, formatCount(n)] as const),
      ...Object.entries(secondsUsed ?? {}).map(
        ([what, seconds]) => [`time used, ${what}`, formatDuration(seconds)] as const,
      ),
      [
        "checkpoint",
        checkpoint === undefined
          ? "none yet"
          : `${checkpoint.file}, ${formatBytes(checkpoint.bytes)}, checksum good`,
      ],
      ...(Object.keys(best).length === 0 ? [] : [["best weights", bestLine(best)] as const]),
      ...Object.entries(groups).map(([group, n]) => [`numbers in ${group}`, formatCount(n)] as const),
      [
        "metrics",
        last === undefined ? "none yet" : `${formatCount(metrics.length)} records; last: ${oneLine(last)}`,
      ],
      [
        "samples",
        samples.length === 0 ? "none yet" : `${formatCount(samples.length)}; last: ${samples.at(-1)}`,
      ],
      ...flatten(config, "config"),
    ]),
    json: {
      run: dir,
      versions,
      seed,
      imagesSeen,
      secondsUsed,
      config,
      checkpoint: checkpoint && {
        file: checkpoint.file,
        bytes: checkpoint.bytes,
        tensors: checkpoint.tensors.size,
        elements: groups,
        metadata: checkpoint.metadata,
        best,
        warning: checkpoint.warning,
      },
      metrics: { records: metrics.length, last },
      samples,
      trainer,
    },
  });
}

/** Numbers held under the first two parts of the tensors' names, e.g. `low.params` or `best.low`. */
function groupElements({ tensors }: LoadedCheckpoint): Record<string, number> {
  const groups: Record<string, number> = {};
  for (const [name, { data }] of tensors) {
    const group = name.split(".").slice(0, 2).join(".");
    groups[group] = (groups[group] ?? 0) + data.length;
  }
  return groups;
}

/** Finished files, by name. */
function listFiles(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch {
    return [];
  }
}

/** Characters of a list that are shown. */
const LONG = 100;

/** Nested plain data as rows of dotted names and values. */
function flatten(value: unknown, name: string): [string, string][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const text = JSON.stringify(value) ?? "";
    const isLong = Array.isArray(value) && text.length > LONG;
    return [[name, isLong ? `${text.slice(0, LONG)}... (${formatCount(value.length)} entries)` : text]];
  }
  return Object.entries(value).flatMap(([key, child]) => flatten(child, `${name}.${key}`));
}

function oneLine(record: Readonly<Record<string, unknown>>): string {
  return Object.entries(record)
    .map(([name, value]) => `${name} ${typeof value === "number" ? formatValue(value) : String(value)}`)
    .join(", ");
}
