/**
 * @module The part of a model that makes an empty sequence, byte by byte: whoever only runs models need not load all that
 * writes them.
 */

/** A protobuf field of a message, or of text. */
function field(number: number, content: string | readonly Uint8Array[]): Uint8Array {
  const parts = typeof content === "string" ? [new TextEncoder().encode(content)] : content;
  const length = parts.reduce((total, part) => total + part.length, 0);
  // Lengths of up to 127 take one byte.
  const bytes = new Uint8Array(2 + length);
  bytes.set([(number << 3) | 2, length]);
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 2);
  return bytes;
}

/** A protobuf field of a number below 128. */
const number = (field: number, value: number): Uint8Array => Uint8Array.of(field << 3, value);

/** ONNX's number of float32. */
const FLOAT = 1;

/** Versions of ONNX's format and of its operators. */
const FORMAT = 10;
const OPERATORS = 20;

/** A whole model that only makes an empty sequence: the smallest that ONNX Runtime loads. */
export function smallestModel(): Uint8Array {
  const parts = [number(1, FORMAT), modelWithEmptySequence("empty"), field(8, [number(2, OPERATORS)])];
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The part of a model that makes an empty sequence of tensors and gives it as the output `name`, a short one. */
export function modelWithEmptySequence(name: string): Uint8Array {
  const tensor = field(1, [number(1, FLOAT)]);
  const sequence = field(4, [field(1, [tensor])]);
  const node = [field(2, name), field(3, name), field(4, "SequenceEmpty")];
  return field(7, [field(1, node), field(12, [field(1, name), field(2, [sequence])])]);
}
