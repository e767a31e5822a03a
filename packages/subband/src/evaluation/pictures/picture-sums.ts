/** @module Figures of pictures that are sums over them: one vector of float64, added up in any cut. */
import { UserError } from "onnxgrad";
import type { ImageShape } from "../../systems/system.ts";
import { decodeDoubles, encodeDoubles } from "../metrics/doubles.ts";
import type { Metric } from "../metrics/metric.ts";

/** Adds what one picture has to the sums: `pixels` holds it, [channels, height, width], from `at` on. */
export type AddPicture = (sums: Float64Array, pixels: Float32Array, at: number) => void;

/** A metric whose rows are pictures [channels, height, width], whose state and result are `length` sums. */
export function pictureSums(
  { channels, height, width }: ImageShape,
  length: number,
  addPicture: AddPicture,
): Metric<Float64Array, Float64Array> {
  const size = channels * height * width;
  return {
    start: () => new Float64Array(length),
    add(state, rows, n) {
      if (rows.length !== n * size)
        throw new UserError(
          "metric/size",
          `${rows.length} values; expected ${n} pictures of ${channels} x ${height} x ${width}.`,
        );
      for (let i = 0; i < n; i++) addPicture(state, rows, i * size);
      return state;
    },
    merge(a, b) {
      requireLength(b, length);
      for (let i = 0; i < length; i++) a[i]! += b[i]!;
      return a;
    },
    encode: (state) => new Map([["sums", encodeDoubles(state)]]),
    decode(arrays) {
      const sums = arrays.get("sums");
      if (sums?.data.length !== 3 * length)
        throw new UserError(
          "metric/arrays",
          `Sums of pictures of ${height} x ${width}: "sums" is missing or of another size; count that part again.`,
        );
      return decodeDoubles(sums);
    },
    result: (state) => state,
  };
}

/** @throws UserError `metric/size` unless there are `length` sums. */
export function requireLength(sums: Float64Array, length: number): void {
  if (sums.length !== length)
    throw new UserError(
      "metric/size",
      `${sums.length} sums; expected ${length}. Compare pictures of one size.`,
    );
}
