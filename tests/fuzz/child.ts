/**
 * @module The process that reads: told a file, it answers what came of it. It may die, hang or swell; whoever started it
 * watches. Arguments: the file of the target, and the folder to work in.
 */
import { chdir } from "node:process";
import { pathToFileURL } from "node:url";
import { UserError } from "onnxgrad";
import type { Target } from "./target.ts";

/** What the process says of one input. */
export interface Answer {
  /** In a word: what was read, or the code of the refusal. */
  readonly word: string;
  /** What went wrong, where something did. */
  readonly fault?: string;
}

/** A refusal is one printable line, and no complaint about ourselves. */
function answerOf(error: unknown): Answer {
  if (!(error instanceof UserError))
    return { word: "fault", fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  const { code, message } = error;
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(message))
    return { word: code, fault: `not one printable line: ${JSON.stringify(message)}` };
  if (message.includes("internal:")) return { word: code, fault: message };
  return { word: `refused: ${code}` };
}

const [, , file, folder] = process.argv;
const { target } = (await import(pathToFileURL(file!).href)) as { readonly target: Target };
await target.setUp?.(folder!);
chdir(folder!);
process.on("message", ({ path }: { readonly path: string }) => {
  target.read(path).then(
    (word) => process.send!({ word } satisfies Answer),
    (error: unknown) => process.send!(answerOf(error)),
  );
});
process.send!({ word: "ready" } satisfies Answer);
