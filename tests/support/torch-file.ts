/**
 * @module Test support: writes PyTorch checkpoints, good and bad, byte by byte: a pickle of protocol 2 put together from
 * its operations, and a zip of stored entries.
 */
import { zipOf as archiveOf } from "./archives.ts";

/** A tensor to write: float32, row-major. */
export interface WrittenTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** An entry of a zip. */
export interface WrittenEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Deflate it, as torch.save never does. */
  readonly compressed?: boolean;
}

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** Operations of a pickle, each as bytes that leave one value on the stack. */
export const op = {
  text(value: string): Buffer {
    const bytes = Buffer.from(value, "utf8");
    return Buffer.concat([latin1("X"), uint32(bytes.length), bytes]);
  },
  int(value: number): Buffer {
    const bytes = Buffer.alloc(5);
    bytes.write("J", "latin1");
    bytes.writeInt32LE(value, 1);
    return bytes;
  },
  /** Eight bytes, two's complement. */
  long(value: bigint): Buffer {
    const bytes = Buffer.alloc(10);
    bytes.write("\x8a\x08", "latin1");
    bytes.writeBigInt64LE(value, 2);
    return bytes;
  },
  false: latin1("\x89"),
  global: (module: string, name: string): Buffer => latin1(`c${module}\n${name}\n`),
  tuple: (...items: readonly Buffer[]): Buffer => Buffer.concat([latin1("("), ...items, latin1("t")]),
  dict: (...pairs: readonly (readonly [Buffer, Buffer])[]): Buffer =>
    Buffer.concat([latin1("}("), ...pairs.flat(), latin1("u")]),
  /** callee(...args) */
  call: (callee: Buffer, ...args: readonly Buffer[]): Buffer =>
    Buffer.concat([callee, op.tuple(...args), latin1("R")]),
  persistent: (id: Buffer): Buffer => Buffer.concat([id, latin1("Q")]),
} as const;

/** A whole pickle of one value. */
export function pickleOf(value: Buffer): Buffer {
  return Buffer.concat([latin1("\x80\x02"), value, latin1(".")]);
}

/** A tensor as torch.save refers to it; any part can be given otherwise than it should be. */
export function tensorOp(
  key: string,
  {
    shape,
    strides = contiguous(shape),
    offset = 0,
    count = shape.reduce((a, b) => a * b, 1),
    storage = "FloatStorage",
  }: {
    readonly shape: readonly number[];
    readonly strides?: readonly number[];
    readonly offset?: number;
    readonly count?: number;
    readonly storage?: string;
  },
): Buffer {
  const counts = (list: readonly number[]) => op.tuple(...list.map((n) => op.long(BigInt(n))));
  return op.call(
    op.global("torch._utils", "_rebuild_tensor_v2"),
    op.persistent(
      op.tuple(
        op.text("storage"),
        op.global("torch", storage),
        op.text(key),
        op.text("cpu"),
        op.long(BigInt(count)),
      ),
    ),
    op.long(BigInt(offset)),
    counts(shape),
    counts(strides),
    op.false,
    op.call(op.global("collections", "OrderedDict")),
  );
}

/** The checkpoint of a state dict. */
export function torchFile(tensors: Readonly<Record<string, WrittenTensor>>): Buffer {
  return torchZip(
    stateOf(tensors),
    Object.values(tensors).map(({ data }) => data),
  );
}

/** The state dict as a value of a pickle; storages are called 0, 1, ... */
export function stateOf(tensors: Readonly<Record<string, WrittenTensor>>): Buffer {
  return op.dict(
    ...Object.entries(tensors).map(
      ([name, tensor], i) => [op.text(name), tensorOp(String(i), tensor)] as const,
    ),
  );
}

/** A checkpoint of any value, with storages of float32 called 0, 1, ... */
export function torchZip(value: Buffer, storages: readonly ArrayLike<number>[] = []): Buffer {
  return zipOf([
    { name: "archive/data.pkl", bytes: pickleOf(value) },
    ...storages.map((data, i) => ({ name: `archive/data/${i}`, bytes: float32Bytes(data) })),
    { name: "archive/version", bytes: latin1("3\n") },
  ]);
}

/** Little-endian float32. */
export function float32Bytes(data: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(data).buffer);
}

/** A zip, its entries stored unless told otherwise. */
export function zipOf(entries: readonly WrittenEntry[]): Buffer {
  return archiveOf(
    entries.map(({ name, bytes, compressed = false }) => ({ name, data: bytes, deflate: compressed })),
  );
}

function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
}
