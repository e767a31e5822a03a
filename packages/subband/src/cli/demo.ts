/** @module `subband demo`: trains on the embedded faces for a few minutes and shows what came out. */
import { join } from "node:path";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { addBackendOptions, type BackendFlags } from "./open-backend.ts";
import { addExamples, parsePath } from "./options.ts";
import { emit } from "./output.ts";
import { sampleRun } from "./sample.ts";
import { outcomeLines as trainLines, trainWithProgress } from "./train.ts";

/** Options of the command; numbers of the training are still text. */
interface DemoFlags extends BackendFlags {
  readonly out: string;
  readonly minutes?: string;
  readonly images?: string;
}

/** What the run is made from; a run that exists keeps its own. */
const DATA = { data: "faces" };
const MINUTES = "4";

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("demo")
    .description(
      "train on drawn faces for a few minutes, then sample a grid; again: goes on and samples anew",
    )
    .option("--out <run>", "run directory", parsePath, "runs/demo")
    .option("--minutes <m>", `budget of the training; a larger one extends the run (default: ${MINUTES})`)
    .option("--images <n>", "budget: images that every stage sees, instead of minutes")
    .action(async (flags: DemoFlags) => {
      const { parseTrainFlags } = await import("./train-options.ts");
      const { isRun } = await import("../training/run-directory.ts");
      const { requireTrainingFiles } = await import("./plan-training.ts");
      const asked = flags.minutes !== undefined || flags.images !== undefined || isRun(flags.out);
      const parsed = parseTrainFlags(
        { ...DATA, ...(asked ? {} : { minutes: MINUTES }), ...flags },
        (message) => command.error(message),
      );
      requireTrainingFiles(parsed.request, [join(flags.out, "grid.png")]);
      const trained = await trainWithProgress(context, parsed);
      const again = command.parent!.name() + " demo";
      if (!trained.finished || context.signal.aborted)
        return emit(context, {
          lines: trainLines(trained, again),
          json: { train: trained, sample: null },
        });
      const sampled = await sampleRun(context, flags.out, {
        asked: {},
        n: 64,
        seed: 0,
        batch: 64,
        ...parsed.backend,
      });
      emit(context, {
        lines: [...trainLines(trained, again), "", ...sampled.lines, "", `Look at  ${sampled.outcome.grid}`],
        json: { train: trained, sample: sampled.outcome },
      });
    });
  addBackendOptions(command);
  addExamples(command, ["subband demo", "subband demo --minutes 10", "subband demo --out runs/faces --json"]);
}
