/**
 * @module `subband export`: a trained run's whole sampler as one ONNX file that needs nothing of ours to run, or the
 * denoiser of a run as a model file without the state of its training.
 */
import type { Command } from "commander";
import type { ExportedSampler } from "../drawing/export-draw.ts";
import type { LoadedRun } from "../training/load-run.ts";
import type { Context } from "./context.ts";
import { type DrawingFlags, WEIGHTS_OPTION, withDrawing } from "./drawing-options.ts";
import { formatBytes } from "./format.ts";
import { addExamples, parsePath } from "./options.ts";
import { formatTable, note, tellWarning } from "./output.ts";

export { complete } from "./drawing-options.ts";

/** Options of the command. */
interface ExportFlags extends DrawingFlags {
  readonly out?: string;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("export")
    .description(
      "write the whole sampler as one ONNX file: noise in, RGB bytes out, any batch, any runtime; of a denoiser, its model",
    )
    .argument("<run>", "directory made by subband train")
    .option(
      "--out <file>",
      "the file to write, or - for stdout (default: sampler.onnx; of a denoiser denoiser.safetensors)",
      parsePath,
    )
    .option(...WEIGHTS_OPTION)
    .action(async (run: string, flags: Omit<ExportFlags, "asked">) => {
      await exportRun(context, run, await withDrawing(command, flags));
    });
  addExamples(command, [
    "subband export runs/faces",
    "subband export runs/faces --out faces.onnx --steps 5 --sampler heun",
    "subband export runs/denoiser --out models/denoiser",
  ]);
}

async function exportRun(context: Context, name: string, flags: ExportFlags): Promise<void> {
  const { modelPath } = await import("../restoration/model-source.ts");
  const { isDenoiser } = await import("../training/model-file.ts");
  const run = modelPath(name);
  return isDenoiser(run) ? exportDenoiser(context, run, flags) : exportGenerator(context, run, flags);
}

async function exportDenoiser(context: Context, run: string, flags: ExportFlags): Promise<void> {
  const { UserError } = await import("onnxgrad");
  const { loadModel } = await import("../training/model-file.ts");
  const { weightsRows } = await import("./open-drawing.ts");
  const { readsAt } = await import("./planned-reads.ts");
  const { putModel } = await import("./put-model.ts");
  const { emitBeside } = await import("./standard-streams.ts");
  const { versions } = await import("../training/versions.ts");
  const { weightsNamed } = await import("../loop/weights.ts");
  const { modelJson, modelRows } = await import("./model-table.ts");
  const { model, run: loaded } = await loadModel(run, weightsNamed(flags.weights ?? "last"));
  if (loaded === undefined)
    throw new UserError("export/model", `"${run}" is a model file already: copy it, or use it where it is.`);
  if (Object.keys(flags.asked).length > 0)
    throw new UserError(
      "export/denoiser",
      `run "${run}" is a denoiser, whose model has no sampler. Leave --sampler, --steps and their like out.`,
    );
  const { out = "denoiser.safetensors" } = flags;
  if (out.endsWith(".onnx"))
    throw new UserError(
      "export/denoiser",
      `run "${run}" is a denoiser and draws no images: there is no sampler to write to "${out}". Give --out a folder, or a ` +
        `file name that ends with .safetensors, for its model.`,
    );
  tellWarning((line) => note(context, line), loaded);
  const { file, bytes } = await putModel(
    context,
    out,
    model,
    { subband_version: versions().subband, ...provenance(loaded) },
    readsAt(run, "the run"),
  );
  const { weights, best, config } = loaded;
  const { licence, credit } = config.data;
  emitBeside(context, out, {
    lines: formatTable([
      ["model", `${file}, ${formatBytes(bytes)}`],
      ...modelRows(model),
      ...weightsRows({ weights, best }),
      ["licence", `of the training data: ${licence}`],
    ]),
    json: { file, bytes, ...modelJson(model), weights, best, licence, credit },
  });
}

async function exportGenerator(context: Context, run: string, flags: ExportFlags): Promise<void> {
  const { inSlices } = await import("onnxgrad");
  const { exportingDraw } = await import("../drawing/export-draw.ts");
  const { networkCalls } = await import("../drawing/network-calls.ts");
  const { openRun } = await import("../training/open-drawable.ts");
  const { versions } = await import("../training/versions.ts");
  const { drawingOf, weightsRows } = await import("./open-drawing.ts");
  const { withFolders } = await import("./output-folders.ts");
  const { requirePlaceFor } = await import("./run-output.ts");
  const { emitBeside, putEncoded, requireStreams, shownPath, STANDARD } =
    await import("./standard-streams.ts");
  const opened = await openRun(run, flags.weights);
  const { arrays, weights, best } = opened;
  const { config } = opened.run;
  const { out = "sampler.onnx" } = flags;
  const { chosen, steps, described } = drawingOf(opened, flags.asked);
  requireStreams(context, [], [{ what: "--out", path: out }]);
  const writes = out === STANDARD ? [] : [out];
  if (writes.length > 0) requirePlaceFor("sampler", run, out);
  tellWarning((line) => note(context, line), opened);
  const exported = await withFolders(writes, async () => {
    const metadata = {
      subband_version: versions().subband,
      ...provenance({ config, weights, best }),
      ...Object.fromEntries(Object.entries(chosen).map(([name, value]) => [name, String(value)])),
    };
    const made = await inSlices(exportingDraw(steps, arrays, metadata));
    await putEncoded(context, out, made.bytes);
    return made;
  });

  const { bytes, inputs, output } = exported;
  const { nfeLow, nfeDetail } = networkCalls(exported.calls);
  emitBeside(context, out, {
    lines: [
      ...formatTable([
        ["file", `${shownPath(out)}, ${formatBytes(bytes.length)}`],
        ...described,
        ...weightsRows({ weights, best }),
        ["network calls", `${nfeLow} + ${nfeDetail} an image (low band + details)`],
        ...inputs.map(
          ({ name, shape }, i) => [i === 0 ? "inputs" : "", `${name} float32 ${extents(shape)}`] as const,
        ),
        ["output", `${output.name} uint8 ${extents(output.shape)}`],
        ["licence", `of the training data: ${config.data.licence}`],
      ]),
      "",
      "All inputs are independent N(0, 1) numbers. To run it:",
      "",
      ...snippet(out === STANDARD ? "sampler.onnx" : out, exported).map((line) => `  ${line}`),
    ],
    json: {
      file: out,
      bytes: bytes.length,
      ...chosen,
      weights,
      best,
      nfeLow,
      nfeDetail,
      inputs,
      output,
      licence: config.data.licence,
      credit: config.data.credit,
    },
  });
}

const extents = (shape: readonly number[]): string => `[batch, ${shape.join(", ")}]`;

/** Where the model comes from, as the file keeps it. Paths stay at home, and the pace is of no use elsewhere. */
function provenance({
  config,
  weights,
  best,
}: Pick<LoadedRun, "config" | "weights" | "best">): Record<string, string> {
  const { source: _, path: __, pathFromRun: ___, ...data } = config.data;
  return {
    config: JSON.stringify({ ...config, data, from: undefined, pace: undefined }),
    weights: weights === "last" ? weights : JSON.stringify({ best }),
    data: data.name,
    licence: data.licence,
    credit: data.credit,
  };
}

/** The shortest program that runs the file. */
function snippet(file: string, { output }: ExportedSampler): string[] {
  return [
    'import * as ort from "onnxruntime-node";',
    `const session = await ort.InferenceSession.create(${JSON.stringify(file)});`,
    "const uniform = () => (crypto.getRandomValues(new Uint32Array(1))[0] + 0.5) / 2 ** 32;",
    "const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());",
    'const feeds = session.inputMetadata.map(({ name, shape: [, ...dims] }) => [name, new ort.Tensor("float32", Float32Array.from({ length: dims.reduce((a, b) => a * b) }, normal), [1, ...dims])]);',
    `const { image } = await session.run(Object.fromEntries(feeds)); // image.data: ${output.shape.join(" x ")} bytes`,
  ];
}
