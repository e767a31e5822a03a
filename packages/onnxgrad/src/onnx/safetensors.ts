/**
 * @module The safetensors file format (8-byte header length, JSON header, raw little-endian data): float32 arrays by
 * name with string metadata. Reading trusts nothing: every length, offset and shape is checked before use.
 */
import { UserError } from "../errors.ts";
import { type Shape, sizeOf } from "../trace/tensor.ts";

/** Contents of a file. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, { readonly shape: Shape; readonly data: Float32Array }>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Headers beyond this are refused: 100 MB, as in the reference implementation. */
const MAX_HEADER = 100_000_000;

/** Writes named float32 arrays and metadata to one buffer. Equal contents give equal bytes. */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(text.length / 8) * 8; // padded with spaces so that the data are aligned
  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(text, 8);
  let at = 8 + headerLength;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * Reads what {@link encodeSafetensors} wrote, or any safetensors file of float32 arrays.
 * @throws UserError `safetensors/invalid` on anything torn, malformed or of another element type.
 */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  const fail = (why: string): never => {
    throw new UserError(
      "safetensors/invalid",
      `safetensors: ${why}. The file is damaged or of another kind.`,
    );
  };
  if (bytes.length < 8) fail(`${bytes.length} bytes are too few`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > MAX_HEADER || 8 + headerLength > bytes.length)
    fail(`header of ${headerLength} bytes does not fit`);
  let header: unknown;
  try {
    header = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + headerLength)),
    );
  } catch {
    fail("header is no JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) fail("header is no object");
  const start = 8 + headerLength;
  const available = bytes.length - start;
  const tensors = new Map<string, { shape: Shape; data: Float32Array }>();
  let metadata: Record<string, string> = {};
  let covered = 0;
  for (const [name, value] of Object.entries(header as Record<string, unknown>)) {
    if (name === "__metadata__") {
      metadata = Object.fromEntries(
        Object.entries(value as object).filter(
          (pair): pair is [string, string] => typeof pair[1] === "string",
        ),
      );
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
    if (dtype !== "F32") fail(`"${name}" has element type ${String(dtype)}, only F32 is read`);
    if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2)
      return fail(`"${name}" has no valid shape or offsets`);
    const [from, to] = offsets as [number, number];
    if (to > available || to - from !== 4 * sizeOf(shape)) fail(`"${name}" lies outside the data`);
    tensors.set(name, { shape, data: new Float32Array(bytes.slice(start + from, start + to).buffer) });
    covered = Math.max(covered, to);
  }
  if (covered !== available) fail(`${available} bytes of data, the header describes ${covered}`);
  return { tensors, metadata };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
