/**
 * @module Tensors inside a PyTorch checkpoint: the few globals that `torch.save` of a state dict refers to, and reading
 * a tensor's values out of its storage. Every size, offset and stride is checked against the bytes that are there.
 */
import { UserError } from "onnxgrad";
import { type PickleHooks, shown } from "./pickle.ts";

/** Element types by the name of their storage; bytes an element. */
const STORAGES: ReadonlyMap<string, ElementType> = new Map([
  ["FloatStorage", { name: "float32", bytes: 4 }],
  ["DoubleStorage", { name: "float64", bytes: 8 }],
  ["HalfStorage", { name: "float16", bytes: 2 }],
  ["BFloat16Storage", { name: "bfloat16", bytes: 2 }],
  ["LongStorage", { name: "int64", bytes: 8 }],
  ["IntStorage", { name: "int32", bytes: 4 }],
  ["ShortStorage", { name: "int16", bytes: 2 }],
  ["CharStorage", { name: "int8", bytes: 1 }],
  ["ByteStorage", { name: "uint8", bytes: 1 }],
  ["BoolStorage", { name: "bool", bytes: 1 }],
]);

/** More axes than this no tensor has. */
const MAX_RANK = 8;

interface ElementType {
  readonly name: string;
  readonly bytes: number;
}

/** A stretch of numbers that tensors are views of. */
interface TorchStorage {
  readonly kind: "storage";
  readonly type: ElementType;
  readonly bytes: Uint8Array;
}

/** A tensor of a checkpoint, its values still unread. */
export interface TorchTensor {
  readonly kind: "tensor";
  readonly shape: readonly number[];
  /** `float32`, `float64`, ... */
  readonly type: string;
  /**
   * The values as float32, row-major.
   * @throws UserError `torch/element-type` unless they are float32 or float64.
   */
  read(): Float32Array;
}

/** Whether a value of a pickle is a tensor; a pickle cannot make one but through {@link torchHooks}. */
export function isTorchTensor(value: unknown): value is TorchTensor {
  return hasKind(value, "tensor");
}

/**
 * What a pickle of tensors may refer to: `collections.OrderedDict`, the rebuilding of tensors and parameters, and the
 * storages, whose bytes `entry` gives by their key (undefined when there are none).
 */
export function torchHooks(entry: (key: string) => Uint8Array | undefined): PickleHooks {
  const globals = new Map<string, unknown>([
    ["collections.OrderedDict", orderedDict],
    ["torch._utils._rebuild_tensor_v2", rebuildTensor],
    ["torch._utils._rebuild_parameter", rebuildParameter],
    ...[...STORAGES].map(([name, type]) => [`torch.${name}`, type] as const),
  ]);
  return {
    global(module, name) {
      const found = globals.get(`${module}.${name}`);
      if (found === undefined)
        throw new UserError(
          "torch/refused",
          `it asks for ${shown(`${module}.${name}`)}. Only tensors in plain containers are read, and no code is run: ` +
            `save model.state_dict() with torch.save.`,
        );
      return found;
    },
    persistent: (id) => storage(id, entry),
  };
}

function damaged(why: string): UserError {
  return new UserError("torch/damaged", `${why}. The file is damaged.`);
}

function orderedDict(given: readonly unknown[]): Map<unknown, unknown> {
  if (given.length > 0) throw damaged("an OrderedDict is made from values");
  return new Map();
}

/** ("storage", element type, key, device, count): the device does not matter here. */
function storage(id: unknown, entry: (key: string) => Uint8Array | undefined): TorchStorage {
  const [tag, type, key, , count] = Array.isArray(id) ? (id as unknown[]) : [];
  if (tag !== "storage" || !isElementType(type) || typeof key !== "string" || !isCount(count))
    throw damaged("a storage has no type, key or size");
  const bytes = entry(key);
  if (bytes === undefined) throw damaged(`storage ${shown(key)} is missing`);
  if (bytes.length !== count * type.bytes)
    throw damaged(`storage ${shown(key)} has ${bytes.length} bytes, ${count} ${type.name} were announced`);
  return { kind: "storage", type, bytes };
}

/** (storage, offset, sizes, strides, requires grad, hooks), offset and strides in elements. */
function rebuildTensor(given: readonly unknown[]): TorchTensor {
  const [source, offset, shape, strides] = given;
  if (!hasKind<TorchStorage>(source, "storage") || !isCount(offset) || !isCounts(shape) || !isCounts(strides))
    throw damaged("a tensor has no storage, offset, sizes or strides");
  const size = shape.reduce((a, b) => a * b, 1);
  const available = source.bytes.length / source.type.bytes;
  const last = shape.reduce((at, n, axis) => at + (n - 1) * (strides[axis] ?? NaN), offset);
  // Written so that NaN fails. A tensor larger than its storage repeats values: parameters do not.
  const fits = size === 0 || (size <= available && last < available);
  if (shape.length !== strides.length || shape.length > MAX_RANK || !fits)
    throw new UserError(
      "torch/damaged",
      `a tensor of sizes [${shape.slice(0, MAX_RANK).join(",")}] does not fit its storage of ${available} values. ` +
        `The file is damaged, or the tensor was expanded and must be saved as a clone().`,
    );
  const { type } = source;
  return { kind: "tensor", shape, type: type.name, read: () => readValues(source, offset, shape, strides) };
}

/** (tensor, requires grad, hooks) */
function rebuildParameter([tensor]: readonly unknown[]): TorchTensor {
  if (!isTorchTensor(tensor)) throw damaged("a parameter has no tensor");
  return tensor;
}

function readValues(
  { type, bytes }: TorchStorage,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type.name !== "float32" && type.name !== "float64")
    throw new UserError(
      "torch/element-type",
      `element type: ${type.name}. Known: float32, float64. Convert it with .float() before saving.`,
    );
  const value =
    type.name === "float32"
      ? (i: number) => view.getFloat32(4 * i, true)
      : (i: number) => view.getFloat64(8 * i, true);
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = offset; i < values.length; i++) {
    values[i] = value(at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return values;
}

function hasKind<T extends { readonly kind: string }>(value: unknown, kind: T["kind"]): value is T {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}

function isElementType(value: unknown): value is ElementType {
  return [...STORAGES.values()].includes(value as ElementType);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isCount);
}
