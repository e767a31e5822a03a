/** @module Writes `docs/cli.md` from the command tree: every command, what it takes and examples, as its help says. */
import type { Command, Option } from "commander";
import { captureIo } from "../../packages/subband/src/cli/capture-io.testing.ts";
import { commandTree } from "../../packages/subband/src/cli/main.ts";

/** The page. */
export async function cliPage(): Promise<string> {
  const program = await commandTree({ ...captureIo(), json: false, quiet: false, exitWith() {} });
  const commands = leaves(program);
  const contents = commands.map(
    ([path, command]) => `| [\`${path}\`](#${anchorOf(path)}) | ${command.description()} |`,
  );
  return [
    "# The command line",
    "Made from the commands themselves by `npm run cli`; do not edit by hand. `subband COMMAND --help` says the same.",
    ["| command | does |", "|---|---|", ...contents].join("\n"),
    "Every command takes these, too:",
    optionTable(program.options),
    textAfter(program).trim(),
    ...commands.flatMap(([path, command]) => section(path, command)),
    "",
  ].join("\n\n");
}

/** Commands that do something, with the words that call them. */
function leaves(command: Command, path = command.name()): [path: string, command: Command][] {
  if (command.commands.length === 0) return [[path, command]];
  return command.commands.flatMap((each) => leaves(each, `${path} ${each.name()}`));
}

function section(path: string, command: Command): string[] {
  const named = command.registeredArguments.map(
    (argument) => `| \`${argument.name()}\` | ${cell(argument.description)} |`,
  );
  const after = textAfter(command).trim();
  return [
    `## ${path}`,
    `${sentence(command.description())}`,
    `\`${path} ${command.usage()}\``,
    ...(named.length === 0 ? [] : [["| argument | |", "|---|---|", ...named].join("\n")]),
    ...[...grouped(command.options)].flatMap(([heading, options]) => [
      ...(heading === "" ? [] : [`**${heading}**`]),
      optionTable(options),
    ]),
    ...(after === "" ? [] : [`\`\`\`text\n${after}\n\`\`\``]),
  ];
}

function optionTable(options: readonly Option[]): string {
  const rows = options
    .filter(({ hidden }) => !hidden)
    .map((option) => `| \`${option.flags}\` | ${cell(describe(option))} |`);
  return ["| option | |", "|---|---|", ...rows].join("\n");
}

/** Its help, with the default that commander keeps where the help does not say one. */
function describe({
  description,
  defaultValue,
  defaultValueDescription,
  mandatory,
  argChoices,
  negate,
}: Option): string {
  const said = description.includes("(default");
  const value = defaultValueDescription ?? (defaultValue as unknown);
  return [
    description,
    ...(argChoices === undefined ? [] : [`(${argChoices.join(", ")})`]),
    ...(said || value === undefined || negate ? [] : [`(default: ${String(value)})`]),
    ...(mandatory ? ["(needed)"] : []),
  ].join(" ");
}

function grouped(options: readonly Option[]): ReadonlyMap<string, Option[]> {
  const groups = new Map<string, Option[]>();
  for (const option of options) groups.set(groupOf(option), [...(groups.get(groupOf(option)) ?? []), option]);
  return groups;
}

/** `Options of preset local`, or nothing. */
function groupOf({ helpGroupHeading = "" }: Option): string {
  return helpGroupHeading.replace(/:$/, "");
}

/** What is printed below the help: examples, presets, exit codes. */
function textAfter(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text.slice(command.helpInformation().length);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "\\<");

/** As GitHub makes it of a heading. */
function anchorOf(path: string): string {
  return path.replaceAll(" ", "-");
}
