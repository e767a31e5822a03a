/** @module Tensors stored in an ONNX file: checked before anything is allocated, and read as numbers. */
import type { TensorProto } from "onnx-buf";
import { quoteName, UserError } from "../errors.ts";
import { cast } from "../ops/compare.ts";
import { constant } from "../ops/source.ts";
import type { DType, Shape, Tensor } from "../trace/tensor.ts";

/** ONNX's numbers of the element types that an imported model may hold. */
export const ELEMENT = { float: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10, double: 11 } as const;

/** Our type of each; arithmetic is float32, and whole numbers are shapes and indices. */
export const DTYPES: ReadonlyMap<number, DType> = new Map<number, DType>([
  [ELEMENT.float, "float32"],
  [ELEMENT.uint8, "uint8"],
  [ELEMENT.int32, "int64"],
  [ELEMENT.int64, "int64"],
  [ELEMENT.bool, "bool"],
  [ELEMENT.float16, "float32"],
  [ELEMENT.double, "float32"],
]);

/** `float16`, or `element type 17` for what has no name here. */
export const typeName = (type: number): string =>
  Object.entries(ELEMENT).find(([, each]) => each === type)?.[0] ?? `element type ${type}`;

/** Dimensions of a tensor, at most: ONNX has no limit, and no use for more. */
export const MOST_DIMENSIONS = 16;

/** A tensor of a model with the element type that the file gives it. */
export interface Typed {
  readonly tensor: Tensor;
  /** ONNX's number of the element type. */
  readonly type: number;
}

/** Extents as numbers, and how many elements they hold. @throws UserError `import/format` unless both are sound. */
export function requireDims(dims: readonly bigint[], what: string): { shape: Shape; size: number } {
  const refuse = (problem: string): never => {
    throw new UserError("import/format", `importModel: ${what} ${problem}.`);
  };
  if (dims.length > MOST_DIMENSIONS)
    refuse(`has ${dims.length} dimensions; at most ${MOST_DIMENSIONS} are supported`);
  const wrong = dims.find((n) => n < 0n || n > BigInt(2 ** 31));
  if (wrong !== undefined) refuse(`has a dimension of ${wrong}`);
  const shape = dims.map(Number);
  const size = shape.reduce((product, n) => product * n, 1);
  if (!Number.isSafeInteger(size)) refuse(`has the shape [${shape.join(",")}], which is too large`);
  return { shape, size };
}

/**
 * A stored tensor as a constant.
 * @throws UserError `import/format` when its shape and its data do not fit each other, `import/unsupported` when it lies
 * elsewhere or holds something else than numbers.
 */
export function storedTensor(proto: TensorProto): Typed {
  const { name, dataType, dims, dataLocation, externalData, segment } = proto;
  const what = `tensor ${quoteName(name)}`;
  const unsupported = (problem: string): never => {
    throw new UserError("import/unsupported", `importModel: ${what} ${problem}.`);
  };
  if (dataLocation !== 0 || externalData.length > 0)
    unsupported("is stored in another file. Save the model with its weights inside");
  if (segment !== undefined) unsupported("is stored in segments");
  const width = WIDTHS.get(dataType);
  if (width === undefined)
    return unsupported(
      `has ${typeName(dataType)}. Floats and integers of 32 or 64 bits, float16, uint8 and bool are supported`,
    );
  const { shape, size } = requireDims(dims, what);
  const { rawData } = proto;
  const isRaw = rawData.length > 0;
  const values = isRaw ? [] : listed(proto);
  const held = isRaw ? rawData.length / width : values.length;
  if (held !== size)
    throw new UserError(
      "import/format",
      `importModel: ${what} holds ${isRaw ? `${rawData.length} bytes` : `${held} values`}, and its shape [${shape.join(",")}] of ${typeName(dataType)} takes ${isRaw ? size * width : size}.`,
    );
  const numbers = isRaw ? fromRaw(rawData, dataType) : values;
  const dtype = DTYPES.get(dataType)!;
  const tensor =
    dtype === "float32" ? constant(numbers, shape) : cast(constant(numbers, shape, "int64"), dtype);
  return { tensor, type: dataType };
}

/** Bytes of an element, of the types that may be stored. */
const WIDTHS: ReadonlyMap<number, number> = new Map([
  [ELEMENT.float, 4],
  [ELEMENT.uint8, 1],
  [ELEMENT.bool, 1],
  [ELEMENT.int32, 4],
  [ELEMENT.int64, 8],
  [ELEMENT.float16, 2],
  [ELEMENT.double, 8],
]);

/** The values of a tensor that gives them one by one, in the field of its type. */
function listed({ dataType, floatData, int32Data, int64Data, doubleData }: TensorProto): readonly number[] {
  switch (dataType) {
    case ELEMENT.float:
      return floatData;
    case ELEMENT.double:
      return doubleData;
    case ELEMENT.int64:
      return int64Data.map(Number);
    case ELEMENT.float16:
      return int32Data.map(halfToNumber);
    default:
      return int32Data;
  }
}

/** The values of a tensor that gives their bytes, little-endian. */
function fromRaw(rawData: Uint8Array, dataType: number): ArrayLike<number> {
  // A copy, also of a Buffer, whose slice() is a view.
  const raw = new Uint8Array(rawData).buffer;
  switch (dataType) {
    case ELEMENT.float:
      return new Float32Array(raw);
    case ELEMENT.double:
      return new Float64Array(raw);
    case ELEMENT.int64:
      return Array.from(new BigInt64Array(raw), Number);
    case ELEMENT.float16:
      return Array.from(new Uint16Array(raw), halfToNumber);
    case ELEMENT.int32:
      return new Int32Array(raw);
    default:
      return rawData;
  }
}

/** The value of 16 bits as IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
