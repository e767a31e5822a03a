/** @module Damage to bytes of any meaning: flipped bits, cuts, repetitions, splices, numbers that are edges somewhere. */
import type { Rng } from "onnxgrad";
import type { Mutation } from "./target.ts";

/** Numbers at which something overflows, is empty, or is one too many. */
export const EDGES: readonly number[] = [
  0,
  1,
  2,
  7,
  8,
  127,
  128,
  255,
  256,
  32767,
  32768,
  65535,
  65536,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  -1,
];

/** One of a list. */
export function pick<T>(list: readonly T[], random: Rng): T {
  return list[random.below(list.length)]!;
}

/** A place in the bytes with `room` behind it; 0 where there is none. */
function place(bytes: Buffer, room: number, random: Rng): number {
  return random.below(Math.max(1, bytes.length - room + 1));
}

const flipBits: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes);
  for (let left = 1 + random.below(8); left > 0 && copy.length > 0; left--)
    copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
};

const cutShort: Mutation = (bytes, random) => Buffer.from(bytes.subarray(0, place(bytes, 0, random)));

const leaveOut: Mutation = (bytes, random) => {
  const from = place(bytes, 1, random);
  const count = 1 + random.below(64);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + count)]);
};

const repeat: Mutation = (bytes, random) => {
  const from = place(bytes, 1, random);
  const part = bytes.subarray(from, from + 1 + random.below(256));
  return Buffer.concat([bytes.subarray(0, from), part, bytes.subarray(from)]);
};

const insertNoise: Mutation = (bytes, random) => {
  const at = place(bytes, 0, random);
  const noise = Buffer.from(Array.from({ length: 1 + random.below(32) }, () => random.below(256)));
  return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
};

const splice: Mutation = (bytes, random, others) => {
  const other = pick(others, random);
  return Buffer.concat([bytes.subarray(0, place(bytes, 0, random)), other.subarray(place(other, 0, random))]);
};

/** Overwrites 1, 2, 4 or 8 bytes, of either order, with an edge. */
const writeEdge: Mutation = (bytes, random) => {
  const width = pick([1, 2, 4, 8], random);
  if (bytes.length < width) return Buffer.from(bytes);
  const copy = Buffer.from(bytes);
  const number = Buffer.alloc(8);
  number.writeBigInt64LE(BigInt(pick(EDGES, random)));
  const part = number.subarray(0, width);
  if (random.below(2) === 1) part.reverse();
  part.copy(copy, place(copy, width, random));
  return copy;
};

/** All of them. */
export const byteMutations: readonly Mutation[] = [
  flipBits,
  flipBits,
  cutShort,
  leaveOut,
  repeat,
  insertNoise,
  splice,
  writeEdge,
  writeEdge,
];

/** Strings that are names, numbers or formats somewhere else. */
export const WORDS: readonly string[] = [
  "",
  " ",
  "0",
  "-1",
  "1e308",
  "NaN",
  "__proto__",
  "constructor",
  "toString",
  "../../etc/passwd",
  "a\u0000b",
  "\u001b[2J",
  "x".repeat(5000),
  "\ud800",
];

/** JSON with one or two of its leaves changed, left out, or doubled. */
export function mutateJson(value: unknown, random: Rng): unknown {
  const copy = structuredClone(value);
  const places = leavesOf(copy);
  if (places.length === 0) return pick<unknown>([null, [], {}, 0, "x"], random);
  for (let left = 1 + random.below(2); left > 0; left--) {
    const { owner, key } = pick(places, random);
    const old = owner[key];
    const way = random.below(5);
    if (way === 0) Reflect.deleteProperty(owner, key);
    else if (way === 1) owner[key] = pick<unknown>([null, true, [], {}, [[]], { a: 1 }], random);
    else if (way === 2) owner[key] = pick(WORDS, random);
    else if (way === 3 || typeof old !== "number") owner[key] = edgeNumber(random);
    else owner[key] = old * pick([-1, 0.5, 2, 1.001, 1e6], random);
  }
  return copy;
}

function edgeNumber(random: Rng): number {
  return pick([...EDGES, 0.5, -0.5, 1e-300, 1e300, 2 ** 53, 2 ** 63], random);
}

/** Every place in a tree of objects and arrays, branches too. */
export function leavesOf(
  value: unknown,
): { readonly owner: Record<string, unknown>; readonly key: string }[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  const owner = value as Record<string, unknown>;
  return Object.keys(owner).flatMap((key) => [{ owner, key }, ...leavesOf(owner[key])]);
}
