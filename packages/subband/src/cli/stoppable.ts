/** @module Work of a command that ends early when it is asked to, with nothing half done. */
import type { Context } from "./context.ts";
import { formatCount } from "./format.ts";
import type { Progress } from "./progress.ts";

/**
 * Does `work`, during which the first Ctrl-C, or its like, ends no process: it is answered at once, and then what `work` is
 * given throws the signal's reason, `steps` when progress is told, `wrote` when a file has been written, as `work` says by
 * calling it. How many files are there then is told.
 */
export async function stoppable<T>(
  { signal }: Context,
  progress: Progress,
  work: (steps: Progress, wrote: () => void) => Promise<T>,
): Promise<T> {
  let written = 0;
  const wrote = (): void => {
    written++;
    signal.throwIfAborted();
  };
  const update: Progress["update"] = (state) => {
    signal.throwIfAborted();
    progress.update(state);
  };
  const answer = (): void => progress.note("stopping after this step; Ctrl-C again stops at once");
  signal.addEventListener("abort", answer);
  try {
    return await work({ ...progress, update }, wrote);
  } catch (error) {
    if (signal.aborted && error === signal.reason) progress.note(`stopped: ${filesLine(written)} written`);
    throw error;
  } finally {
    signal.removeEventListener("abort", answer);
  }
}

function filesLine(count: number): string {
  if (count === 0) return "nothing was";
  return count === 1 ? "1 file was" : `${formatCount(count)} files were`;
}
