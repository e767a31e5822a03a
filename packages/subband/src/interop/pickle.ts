/**
 * @module A reader of Python pickles, protocol 2, that runs no code: plain values, lists, tuples, dicts, and whatever the
 * caller gives meaning to. Only the operations that occur in data are known; each other one is refused by name.
 */
import { printableJson, UserError } from "onnxgrad";

/** What a pickle may refer to outside itself. */
export interface PickleHooks {
  /**
   * The meaning of the global `module.name`: a function, if the pickle may call it with an array of arguments, or any
   * other value. Throws for what is not allowed; nothing else in a pickle can be called.
   */
  readonly global: (module: string, name: string) => unknown;
  /** The meaning of a persistent id. */
  readonly persistent: (id: unknown) => unknown;
}

/** Larger pickles, and deeper stacks of values in the making, do not describe tensors. */
const MAX_BYTES = 1 << 24;
const MAX_STACK = 1 << 16;

interface Machine {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly hooks: PickleHooks;
  at: number;
  /** Values in the making; a mark is where those of an open container begin. */
  readonly stack: unknown[];
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
}

/**
 * The value of a pickle: null, booleans, numbers, strings, arrays (lists and tuples), maps (dicts), and what the hooks
 * give. Shared and even circular where the pickle is; walk it with care.
 * @throws UserError `pickle/damaged`, `pickle/refused`, or what a hook throws.
 */
export function unpickle(bytes: Uint8Array, hooks: PickleHooks): unknown {
  if (bytes.length > MAX_BYTES)
    throw new UserError(
      "pickle/refused",
      `its pickle has ${bytes.length} bytes, over ${MAX_BYTES} are not read.`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine: Machine = { bytes, view, hooks, at: 0, stack: [], marks: [], memo: new Map() };
  for (;;) {
    const code = String.fromCharCode(machine.bytes[take(machine, 1)]!);
    if (code === ".") break;
    const operation = OPERATIONS.get(code);
    if (operation === undefined)
      throw new UserError(
        "pickle/refused",
        `its pickle has operation ${shown(code)} at byte ${machine.at - 1}, which tensors do not need.`,
      );
    operation(machine);
    if (machine.stack.length > MAX_STACK || machine.marks.length > MAX_STACK)
      throw new UserError("pickle/refused", `its pickle nests over ${MAX_STACK} values into each other.`);
  }
  const value = pop(machine);
  if (machine.stack.length > 0 || machine.marks.length > 0) throw damaged("values are left over");
  return value;
}

/** The operations that occur in data, by their byte. */
const OPERATIONS: ReadonlyMap<string, (machine: Machine) => void> = new Map([
  ["\x80", protocol],
  ["N", (m) => m.stack.push(null)],
  ["\x88", (m) => m.stack.push(true)],
  ["\x89", (m) => m.stack.push(false)],
  ["K", (m) => m.stack.push(m.bytes[take(m, 1)])],
  ["M", (m) => m.stack.push(m.view.getUint16(take(m, 2), true))],
  ["J", (m) => m.stack.push(m.view.getInt32(take(m, 4), true))],
  ["\x8a", long],
  ["G", (m) => m.stack.push(m.view.getFloat64(take(m, 8)))], // big-endian
  ["X", (m) => m.stack.push(text(m, m.view.getUint32(take(m, 4), true)))],
  ["(", (m) => m.marks.push(m.stack.length)],
  [")", (m) => m.stack.push([])],
  ["t", (m) => m.stack.push(popMark(m))],
  ["\x85", (m) => m.stack.push(popCount(m, 1))],
  ["\x86", (m) => m.stack.push(popCount(m, 2))],
  ["\x87", (m) => m.stack.push(popCount(m, 3))],
  ["]", (m) => m.stack.push([])],
  ["a", (m) => append(m, popCount(m, 1))],
  ["e", (m) => append(m, popMark(m))],
  ["}", (m) => m.stack.push(new Map())],
  ["s", (m) => setItems(m, popCount(m, 2))],
  ["u", (m) => setItems(m, popMark(m))],
  ["q", (m) => m.memo.set(m.bytes[take(m, 1)]!, peek(m))],
  ["r", (m) => m.memo.set(m.view.getUint32(take(m, 4), true), peek(m))],
  ["h", (m) => m.stack.push(recall(m, m.bytes[take(m, 1)]!))],
  ["j", (m) => m.stack.push(recall(m, m.view.getUint32(take(m, 4), true)))],
  ["c", (m) => m.stack.push(m.hooks.global(line(m), line(m)))],
  ["Q", (m) => m.stack.push(m.hooks.persistent(pop(m)))],
  ["R", call],
  ["b", build],
]);

function damaged(why: string): UserError {
  return new UserError("pickle/damaged", `its pickle is damaged: ${why}.`);
}

/** Moves over `count` bytes and says where they begin. */
function take(machine: Machine, count: number): number {
  const { at } = machine;
  if (at + count > machine.bytes.length) throw damaged(`it ends at byte ${machine.bytes.length}`);
  machine.at += count;
  return at;
}

function text(machine: Machine, length: number): string {
  const at = take(machine, length);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(machine.bytes.subarray(at, at + length));
  } catch {
    throw damaged(`the text at byte ${at} is no UTF-8`);
  }
}

/** Text up to the next line break. */
function line(machine: Machine): string {
  const end = machine.bytes.indexOf(0x0a, machine.at);
  if (end < 0) throw damaged("a name has no end");
  const found = text(machine, end - machine.at);
  take(machine, 1);
  return found;
}

function protocol(machine: Machine): void {
  const version = machine.bytes[take(machine, 1)]!;
  if (version !== 2)
    throw new UserError(
      "pickle/refused",
      `its pickle has protocol ${version}, only 2 (torch.save's) is read.`,
    );
}

/** A little-endian integer of any length, as far as a number holds it. */
function long(machine: Machine): void {
  const length = machine.bytes[take(machine, 1)]!;
  const at = take(machine, length);
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(machine.bytes[at + i]!);
  const number = Number(BigInt.asIntN(8 * length, value));
  if (!Number.isSafeInteger(number)) throw damaged(`the integer at byte ${at} is beyond 2^53`);
  machine.stack.push(number);
}

/** The values above the last open mark stay where they are. */
function floor({ marks }: Machine): number {
  return marks.at(-1) ?? 0;
}

function pop(machine: Machine): unknown {
  if (machine.stack.length <= floor(machine)) throw damaged("a value is missing");
  return machine.stack.pop();
}

function peek(machine: Machine): unknown {
  if (machine.stack.length <= floor(machine)) throw damaged("a value is missing");
  return machine.stack.at(-1);
}

function popCount(machine: Machine, count: number): unknown[] {
  if (machine.stack.length - count < floor(machine)) throw damaged("a value is missing");
  return machine.stack.splice(machine.stack.length - count);
}

function popMark(machine: Machine): unknown[] {
  const mark = machine.marks.pop();
  if (mark === undefined) throw damaged("a container has no beginning");
  return machine.stack.splice(mark);
}

function append(machine: Machine, items: readonly unknown[]): void {
  const list = peek(machine);
  if (!Array.isArray(list)) throw damaged("items are appended to what is no list");
  for (const item of items) list.push(item);
}

function setItems(machine: Machine, pairs: readonly unknown[]): void {
  const dict = peek(machine);
  if (!(dict instanceof Map) || pairs.length % 2 !== 0) throw damaged("items are set in what is no dict");
  for (let i = 0; i < pairs.length; i += 2) {
    if (dict.has(pairs[i])) throw damaged(`the key ${shown(pairs[i])} comes twice`);
    dict.set(pairs[i], pairs[i + 1]);
  }
}

function recall(machine: Machine, index: number): unknown {
  if (!machine.memo.has(index)) throw damaged(`value ${index} is used before it was made`);
  return machine.memo.get(index);
}

function call(machine: Machine): void {
  const [callee, given] = popCount(machine, 2);
  if (typeof callee !== "function" || !Array.isArray(given)) throw damaged("it calls what is no function");
  machine.stack.push((callee as (given: readonly unknown[]) => unknown)(given));
}

/** Attributes of a dict, such as the `_metadata` of a state dict, are dropped; nothing else has any. */
function build(machine: Machine): void {
  pop(machine);
  if (!(peek(machine) instanceof Map))
    throw new UserError(
      "pickle/refused",
      "its pickle sets the state of an object. Save a state_dict() instead.",
    );
}

/** A value or a name from a file, fit for a message: quoted, on one line, not too long. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? value : typeof value === "number" ? String(value) : typeof value;
  return printableJson(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
