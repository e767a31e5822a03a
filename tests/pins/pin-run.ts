/**
 * @module What is pinned of a run, all of it made by the commands that a user types: what does not depend on the machine as
 * it is, what its floating-point unit rounds as summaries, and everything once more as hashes of all bits.
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataType } from "onnx-buf";
import { captureIo } from "../../packages/subband/src/cli/capture-io.testing.ts";
import { main } from "../../packages/subband/src/cli/main.ts";
import { decodeSafetensors } from "onnxgrad";
import { drawPictures, type PinnedRun } from "./pinned-runs.ts";
import { sha256, type Summary, summarise } from "./summary.ts";

/** What is known of a run. */
export interface Pin {
  /** What is the same on every machine. */
  readonly same: Readonly<Record<string, unknown>>;
  /** What is the same but for rounding. */
  readonly close: Readonly<Record<string, Summary>>;
  /** SHA-256 of every file and drawing: the same on one machine, with one thread. */
  readonly exact: Readonly<Record<string, string>>;
}

/** Trains, samples and exports a run below `folder`; `drawn` hands over the images of the sampling before. */
export async function pinRun(run: PinnedRun, folder: string, drawn: () => Float32Array): Promise<Pin> {
  const [data, out] = [join(folder, "pictures"), join(folder, "run")];
  mkdirSync(data, { recursive: true });
  await drawPictures(data, run.size);
  const size = run.train.includes("--size") ? [] : ["--size", run.size.join("x")];
  const training = ["train", "--data", data, "--out", out, ...size, ...run.train];
  const threads = ["--threads", process.env["PINS_THREADS"] ?? "1"];
  const same: Record<string, unknown> = {};
  const close: Record<string, Summary> = {};
  const exact: Record<string, string> = {};
  const command = async (argv: readonly string[]): Promise<Record<string, unknown>> => {
    const io = captureIo();
    if ((await main([...argv, "--json"], io)) !== 0) throw new Error(`${argv.join(" ")}: ${io.err}`);
    return JSON.parse(io.out.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;
  };

  const { networks, sampling, denoising } = await command([...training, "--dry-run"]);
  same["dry run"] = { networks, sampling, denoising };
  await command([...training, ...threads]);
  same["run.json"] = withoutPlace(readFileSync(join(out, "run.json"), "utf8"), folder)
    .trimEnd()
    .split("\n");
  pinState(readFileSync(join(out, "state.safetensors")));
  const metrics = readFileSync(join(out, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  const records = metrics.map((line) => JSON.parse(line) as Record<string, unknown>);
  same["metrics.jsonl"] = records.map((record) => Object.keys(record).join(" "));
  for (const record of records) {
    const numbers = Object.values(record).filter((value) => typeof value === "number");
    close[
      `metrics ${String(record["stage"])} ${String(record["step"])}${"score" in record ? " score" : ""}`
    ] = summarise([numbers]);
  }
  exact["metrics.jsonl"] = sha256(metrics.join("\n"));
  for (const name of readdirSync(join(out, "samples")).sort())
    exact[`samples/${name}`] = sha256(readFileSync(join(out, "samples", name)));

  const calls: Record<string, unknown> = {};
  for (const options of run.samplings) {
    const name = `sample ${options.join(" ")}`.trimEnd();
    const { sampler, steps, nfeLow, nfeDetail } = await command([
      ...["sample", out, "-n", "5", "--batch", "4", "--out", join(folder, "grid.png")],
      ...options,
      ...threads,
    ]);
    calls[name] = { sampler, steps, nfeLow, nfeDetail };
    const pixels = drawn();
    close[name] = summarise([pixels]);
    exact[name] = sha256(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
  }
  same["sampling"] = calls;

  if (denoising !== undefined) {
    await command(["export", out, "--out", join(folder, "denoiser.safetensors")]);
    pinDenoiser(readFileSync(join(folder, "denoiser.safetensors")));
  } else
    for (const options of run.samplings) {
      const name = `export ${options.join(" ")}`.trimEnd();
      await command(["export", out, "--out", join(folder, "sampler.onnx"), ...withoutSeed(options)]);
      pinSampler(name, readFileSync(join(folder, "sampler.onnx")));
    }
  return { same, close, exact };

  function pinState(bytes: Uint8Array): void {
    const { tensors, metadata } = decodeSafetensors(bytes);
    same["state.safetensors"] = {
      tensors: tensors.size,
      layout: sha256(layoutOf(tensors)),
      progress: withoutScores(metadata["progress"]!),
    };
    for (const [group, arrays] of grouped(tensors)) close[`state ${group}`] = summarise(arrays);
    exact["state.safetensors"] = sha256(bytes);
  }

  function pinDenoiser(bytes: Uint8Array): void {
    const { tensors, metadata } = decodeSafetensors(bytes);
    const { sha256: _, ...kept } = metadata;
    same["denoiser.safetensors"] = {
      layout: sha256(layoutOf(tensors)),
      metadata: withoutScores(withoutPlace(JSON.stringify(kept), folder)),
    };
    close["denoiser"] = summarise([...tensors.values()].map(({ data: values }) => values));
    exact["denoiser.safetensors"] = sha256(
      layoutOf(tensors),
      ...[...tensors.values()].map(
        ({ data: values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      ),
    );
  }

  function pinSampler(name: string, bytes: Uint8Array): void {
    const model = fromBinary(ModelProtoSchema, bytes);
    for (const entry of model.metadataProps)
      entry.value = entry.key === "subband_version" ? "" : withoutScores(withoutPlace(entry.value!, folder));
    exact[name] = sha256(toBinary(ModelProtoSchema, model));
    const parameters: Float32Array[] = [];
    // One number alone is a constant of the sampler, which no training moved.
    for (const tensor of model.graph!.initializer)
      if (tensor.dataType === Number(TensorProto_DataType.FLOAT) && (tensor.rawData?.length ?? 0) > 4) {
        parameters.push(new Float32Array(new Uint8Array(tensor.rawData!).buffer));
        tensor.rawData = new Uint8Array();
      }
    const counts = new Map<string, number>();
    for (const { opType } of model.graph!.node) counts.set(opType!, (counts.get(opType!) ?? 0) + 1);
    same[name] = {
      nodes: [...counts]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([op, count]) => `${op} ${count}`)
        .join(", "),
      graph: sha256(toBinary(ModelProtoSchema, model)),
    };
    close[name] = summarise(parameters);
  }
}

/** A text without what depends on where and by which version it was made. */
function withoutPlace(text: string, folder: string): string {
  return text
    .replaceAll(folder, "FOLDER")
    .replace(/("versions": \{)[^}]*\}/, "$1}")
    .replace(/("subband_version":")[^"]*"/, '$1"');
}

/** A text without the scores of the best weights, which are sums of floats. */
const withoutScores = (text: string): string => text.replaceAll(/("score":)[\d.e-]+/g, "$1 0");

/** Names and extents, in the order of the file. */
function layoutOf(tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): string {
  return [...tensors].map(([name, { shape }]) => `${name} [${shape.join(", ")}]`).join("\n");
}

/** Arrays by the first words of their names: `low.average`, `best.low.average`. */
function grouped<T extends { readonly data: ArrayLike<number> }>(
  tensors: ReadonlyMap<string, T>,
): Map<string, ArrayLike<number>[]> {
  const groups = new Map<string, ArrayLike<number>[]>();
  for (const [name, { data }] of tensors) {
    const group = /^(best\.)?[^.]*\.[^.]*/.exec(name)![0];
    groups.set(group, [...(groups.get(group) ?? []), data]);
  }
  return groups;
}

/** Options of a sampling that an export has, too: its noise comes from outside. */
const withoutSeed = (options: readonly string[]): string[] =>
  options.filter((_, i) => options[i] !== "--seed" && options[i - 1] !== "--seed");
