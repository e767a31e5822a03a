/** @module Keeps a training in a folder: the host of the training loop in Node. */
import { inSlices } from "onnxgrad";
import type { LoopHost } from "../loop/host.ts";
import { loadCheckpoint, savingCheckpoint } from "./checkpoint.ts";

/** What a {@link folderHost} does besides keeping the training; see {@link LoopHost}. */
export interface FolderHostOptions extends Partial<
  Pick<LoopHost, "now" | "tell" | "preview" | "previews" | "signal">
> {
  /** Hears of a damaged checkpoint in whose place an older one is used. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * A host that keeps the training in the checkpoints of the folder `dir`.
 *
 * @example
 * await train(folderHost("runs/mine"), { backend: node(), stages, images, dataset, seed: 0, flip: true });
 */
export function folderHost(dir: string, { onWarning, ...options }: FolderHostOptions = {}): LoopHost {
  return {
    place: dir,
    now: () => performance.now(),
    async load() {
      const checkpoint = await loadCheckpoint(dir);
      if (checkpoint === undefined) return undefined;
      const { tensors, metadata, warning } = checkpoint;
      if (warning !== undefined) onWarning?.(warning);
      return { arrays: tensors, progress: metadata["progress"] ?? "" };
    },
    save: ({ arrays, progress }) =>
      inSlices(savingCheckpoint(dir, { tensors: arrays, metadata: { progress } })),
    ...options,
  };
}
