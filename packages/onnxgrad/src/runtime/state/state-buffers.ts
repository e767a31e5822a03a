/**
 * @module Where the buffers of the state are when a program runs: in the host's memory, or on a device that keeps them
 * from run to run. On either, a step reads one buffer while it writes another, unless it may write over what it has read.
 * What is on a device went there once, and comes back only when asked for.
 */
import { UserError } from "../../errors.ts";
import type { Packed } from "../../trace/packed.ts";
import { type Shape, sizeOf } from "../../trace/tensor.ts";
import type { Backend, Device, RuntimeTensor } from "../backend.ts";

/** Where a buffer of the state is on a device. */
export interface Residence {
  readonly device: Device;
  current: RuntimeTensor;
  spare: RuntimeTensor | undefined;
  /** A run has written here since the host's copy was taken. */
  ahead: boolean;
}

/** One buffer of the state. */
export interface StateEntry {
  readonly name: string;
  readonly shape: Shape;
  /** The packed layout, when the buffer is a packed tree. */
  readonly packed?: Packed;
  current: Float32Array;
  /** A run has failed that was writing here. */
  torn?: boolean;
  spare: Float32Array | undefined;
  /** Where the buffer is on a device, when a program keeps it there; `current` may be behind it then. */
  residence?: Residence | undefined;
}

/**
 * The present values of a buffer.
 * @throws UserError `state/on-device` when they are on a device and have not been pulled; `state/torn`.
 */
export function held({ name, current, residence, torn }: StateEntry): Float32Array {
  requireWhole(name, torn);
  if (residence?.ahead !== true) return current;
  throw new UserError(
    "state/on-device",
    `state "${name}": its present values are on the device. Call \`await state.pull()\` before reading it.`,
  );
}

function requireWhole(name: string, torn = false): void {
  if (torn)
    throw new UserError(
      "state/torn",
      `state "${name}": a run failed while it was writing here. Load a checkpoint.`,
    );
}

/** Makes a tensor over a buffer in the host's memory. */
type Wrap = (data: Float32Array, shape: readonly number[]) => RuntimeTensor;

/** The present values of `entry`, as a run on `backend` is fed them. @throws UserError `state/torn`. */
export async function readable(entry: StateEntry, backend: Backend, wrap: Wrap): Promise<RuntimeTensor> {
  requireWhole(entry.name, entry.torn);
  const residence = await settle(entry, backend.device);
  return residence === undefined ? wrap(entry.current, entry.shape) : residence.current;
}

/** The buffer of `entry` that a run on `backend` writes. */
export async function writable(entry: StateEntry, backend: Backend, wrap: Wrap): Promise<RuntimeTensor> {
  const { shape } = entry;
  const residence = await settle(entry, backend.device);
  if (residence !== undefined)
    return (residence.spare ??= await residence.device.upload(new Float32Array(sizeOf(shape)), shape));
  return wrap((entry.spare ??= new Float32Array(sizeOf(shape))), shape);
}

/** What a run on `backend` has written becomes the present values: what it wrote over, or else the buffer beside it. */
export function written(entry: StateEntry, { device }: Backend, isOverwritten: boolean): void {
  const { residence } = entry;
  if (device !== undefined && residence !== undefined) {
    if (!isOverwritten) [residence.current, residence.spare] = [residence.spare!, residence.current];
    residence.ahead = true;
  } else {
    evict(entry);
    if (!isOverwritten) [entry.current, entry.spare] = [entry.spare!, entry.current];
  }
}

/** Copies the present values to the host, unless they are there. */
export async function pull(entry: StateEntry): Promise<void> {
  const { residence, current, shape } = entry;
  if (residence?.ahead !== true) return;
  try {
    entry.current = await residence.device.download(residence.current, current);
  } catch (error) {
    // It may have been lost with a thread: what is loaded next needs a place.
    if (current.length === 0) entry.current = new Float32Array(sizeOf(shape));
    throw error;
  }
  residence.ahead = false;
}

/** Frees the buffers on the device; the host's copy counts from here on. */
export function evict(entry: StateEntry): void {
  const { residence } = entry;
  if (residence === undefined) return;
  residence.device.free(residence.current);
  if (residence.spare !== undefined) residence.device.free(residence.spare);
  entry.residence = undefined;
}

/** Brings the present values to `device`, or to the host where that is undefined. */
async function settle(entry: StateEntry, device: Device | undefined): Promise<Residence | undefined> {
  if (entry.residence === undefined && device === undefined) return undefined;
  if (entry.residence !== undefined && entry.residence.device === device) return entry.residence;
  await pull(entry);
  if (device === undefined) return undefined;
  evict(entry);
  const current = await device.upload(held(entry), entry.shape);
  return (entry.residence = { device, current, spare: undefined, ahead: false });
}
