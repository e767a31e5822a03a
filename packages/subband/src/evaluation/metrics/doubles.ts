/** @module Float64 numbers in arrays of float32, to the bit, for files that hold nothing else. */
import type { NamedArray } from "onnxgrad";

/** Every number as three integers below 2^22, which float32 holds exactly: [n, 3], its lowest bits first. */
export function encodeDoubles(values: Float64Array): NamedArray {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  const data = new Float32Array(3 * values.length);
  for (let i = 0; i < values.length; i++) {
    const [low, high] = [words[2 * i]!, words[2 * i + 1]!];
    data[3 * i] = low & 0x3fffff;
    data[3 * i + 1] = ((high & 0xfff) << 10) | (low >>> 22);
    data[3 * i + 2] = high >>> 12;
  }
  return { shape: [values.length, 3], data };
}

/** The numbers that {@link encodeDoubles} wrote. */
export function decodeDoubles({ data }: NamedArray): Float64Array {
  const values = new Float64Array(data.length / 3);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < values.length; i++) {
    const [low, middle, high] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
    words[2 * i] = low | (middle << 22);
    words[2 * i + 1] = (high << 12) | (middle >>> 10);
  }
  return values;
}
