/** @module What fits into memory: numbers that cannot are refused before the work, with the number that can. */
import { totalmem } from "node:os";
import { UserError } from "onnxgrad/errors";
import { formatBytes, formatCount } from "./format.ts";

/** Share of the machine's memory that the images of a command may take. */
const SHARE = 0.75;

/** Bytes that the images of a command may take on this machine, or in this container. */
export function memoryForImages(): number {
  const limit = process.constrainedMemory();
  return SHARE * Math.min(totalmem(), limit > 0 ? limit : Number.POSITIVE_INFINITY);
}

/**
 * Refuses `count` images, of `bytesEach`, that would not fit.
 * @throws UserError `memory`.
 */
export function requireMemory(
  option: string,
  count: number,
  bytesEach: number,
  limit: number = memoryForImages(),
): void {
  if (count * bytesEach <= limit) return;
  const most = Math.floor(limit / bytesEach);
  const remedy =
    most === 0
      ? "Ask for smaller ones."
      : `Ask for at most ${formatCount(most)}, several times with other seeds.`;
  throw new UserError(
    "memory",
    `${option}: ${formatCount(count)} images would take ${formatBytes(count * bytesEach)} of memory, and there are ${formatBytes(limit)} for them. ${remedy}`,
  );
}
