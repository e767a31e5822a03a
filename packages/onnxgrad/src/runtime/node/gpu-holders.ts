/**
 * @module Which thread of the process has the GPU. ONNX Runtime's WebGPU is one for all threads and bears one at a time:
 * two that run there at once end the process by a signal. They may take turns, each with all of its sessions.
 */
import { UserError } from "../../errors.ts";

/** A thread that has sessions on the GPU. */
export interface GpuHolder {
  /** Whether it has ended, and all that it had with it. */
  readonly isOver: boolean;
}

/** This thread. */
export const THIS_THREAD: GpuHolder = { isOver: false };

let holder: GpuHolder | undefined;
let holds = 0;

/**
 * Holds the GPU for a session of `thread`, until what it returns is called.
 * @throws UserError `webgpu/thread` while another thread holds it.
 */
export function holdGpu(thread: GpuHolder): () => void {
  if (holder !== thread) {
    if (holder !== undefined && !holder.isOver && holds > 0)
      throw new UserError(
        "webgpu/thread",
        "WebGPU is used by another thread of this process, and bears one at a time. Compile all programs on one backend, or dispose of the others first.",
      );
    [holder, holds] = [thread, 0];
  }
  holds++;
  let held = true;
  return () => {
    if (held && holder === thread) holds--;
    held = false;
  };
}
