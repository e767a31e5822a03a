/** @module What commands compute on: opened here alone, in a thread of its own, so that Ctrl-C and progress are never kept waiting. */
import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import type { Backend } from "onnxgrad";
import type { DeviceName } from "onnxgrad/node";
import type { Context } from "./context.ts";
import { parseThreads } from "./options.ts";
import { note } from "./output.ts";

/** Choices of the user. */
export interface BackendFlags {
  /** Threads inside one operation; default all cores. */
  readonly threads?: number | undefined;
  /** Default `cpu`. */
  readonly device?: DeviceName | undefined;
}

const DEVICES: readonly DeviceName[] = ["auto", "cpu", "webgpu", "cuda"];

/** Adds the options. */
export function addBackendOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--device <name>",
        "what computes: cpu, webgpu, cuda, or auto for the best there is (default: cpu)",
      ).choices(DEVICES),
    )
    .option("--threads <n>", "threads inside one operation on the CPU (default: all cores)", parseThreads);
}

/**
 * Opens what was asked for, and says what `auto` found. The CPU is not waited for; a GPU is tried first.
 * @throws UserError `webgpu/...`, `cuda/...`, `device/wrong` when a GPU cannot be used here.
 */
export async function openBackend(
  context: Context,
  { threads, device = "cpu" }: BackendFlags,
): Promise<Backend> {
  const options = threads === undefined ? {} : { threads };
  if (device === "cpu") {
    const { nodeWorker } = await import("onnxgrad/node-worker");
    return nodeWorker(options);
  }
  const { openDevice } = await import("onnxgrad/node");
  const opened = await openDevice(device, { ...options, worker: true });
  if (device === "auto") {
    const others = opened.passedOver.map(({ device: name, why }) => ` ${name}: ${why}`).join("");
    note(context, `note: computing on ${opened.device}.${others}`);
  }
  return opened.backend;
}

/**
 * Opens the CPU before it is needed, where it is what is asked for and there is anything at `path` to work on: its thread
 * takes a while to load. What is refused for lack of a file is refused without it.
 */
export function openEarly(context: Context, flags: BackendFlags, path: string): Promise<Backend> | undefined {
  const { device = "cpu" } = flags;
  return device === "cpu" && existsSync(path) ? openBackend(context, flags) : undefined;
}

/** The options as they are typed, to repeat a command with. */
export function typedBackend({ threads, device }: BackendFlags): string[] {
  return [
    ...(device === undefined ? [] : ["--device", device]),
    ...(threads === undefined ? [] : ["--threads", String(threads)]),
  ];
}
