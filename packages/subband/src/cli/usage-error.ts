/** @module Wrong usage (exit code 2): commander's errors as one line, with the nearest name and where to read on. */
import type { Command, CommanderError } from "commander";
import { didYouMean } from "onnxgrad/errors";

/**
 * `unknown option: "--jsno". Did you mean "--json"? See: subband info --help`, for an error that `command` raised.
 */
export function usageMessage(command: Command, error: CommanderError): string {
  const plain = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  const see = `See: ${commandPath(command)} --help`;
  const [, kind, word] = /^unknown (command|option) '(.*)'$/.exec(plain) ?? [];
  if (kind === undefined || word === undefined) return `${/[.?!]$/.test(plain) ? plain : `${plain}.`} ${see}`;
  const near = didYouMean(word, kind === "command" ? commandNames(command) : optionNames(command));
  return `unknown ${kind}: "${word}". ${near === undefined ? "" : `Did you mean "${near}"? `}${see}`;
}

function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

function commandNames(command: Command): string[] {
  return command.commands.map((each) => each.name());
}

/** Long options of the command and of those above it, which it accepts too. */
function optionNames(command: Command): string[] {
  const own = command.options.flatMap(({ long }) => long ?? []);
  return ["--help", ...own, ...(command.parent === null ? [] : optionNames(command.parent))];
}
