/** @module `subband wavelets`: the filter banks that can be named. */
import { type Command, Option } from "commander";
import type { WaveletFamily } from "../wavelet/wavelets.ts";
import type { Context } from "./context.ts";
import { addExamples } from "./options.ts";
import { answer, formatTable } from "./output.ts";

const FAMILIES: Readonly<Record<WaveletFamily, string>> = {
  haar: "Haar",
  db: "Daubechies",
  sym: "symlets",
  coif: "coiflets",
  bior: "biorthogonal splines",
  rbio: "reverse biorthogonal splines",
};

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("wavelets")
    .description("list the wavelets by name, as PyWavelets has them")
    .addOption(
      new Option("--family <family>", "only this family, with filter lengths").choices(Object.keys(FAMILIES)),
    )
    .action(async ({ family }: { family?: WaveletFamily }) => list(context, family));
  addExamples(command, ["subband wavelets", "subband wavelets --family db", "subband wavelets --json"]);
}

async function list(context: Context, only: WaveletFamily | undefined): Promise<void> {
  const { listWavelets, wavelet } = await import("../wavelet/wavelets.ts");
  const found = listWavelets(only).map((name) => {
    const { family, orthogonal, decLo } = wavelet(name);
    return { name, family, orthogonal, taps: decLo.length };
  });
  const families = Object.entries(FAMILIES).map(([family, title]): [string, string] => [
    title,
    found.flatMap((each) => (each.family === family ? [each.name] : [])).join(" "),
  ]);
  const details = found.map(({ name, orthogonal, taps }): [string, string] => [
    name,
    `${taps} taps, ${orthogonal ? "orthogonal" : "biorthogonal"}`,
  ]);
  answer(context, {
    lines: formatTable(only === undefined ? families : details),
    json: { wavelets: found },
  });
}
