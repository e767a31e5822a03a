/**
 * @module Images one batch after the other, of a set or freshly drawn: what is measured on many images sees each once and keeps
 * none, so memory does not grow with their number.
 */
import type { CompiledDraw } from "../drawing/compile-draw.ts";
import { networkCalls } from "../drawing/network-calls.ts";
import type { ImageSource } from "../images/image-source.ts";
import type { ImageShape } from "../systems/system.ts";

/** Images at a time. */
export const BATCH = 64;

/** Images of one shape, each exactly once. */
export interface ImageStream {
  readonly image: ImageShape;
  readonly count: number;
  /** [n, channels, height, width] in about [-1, 1], at most {@link BATCH} at a time. */
  batches(): AsyncIterable<Float32Array>;
}

/** Images that are drawn as they are asked for. */
export interface DrawnStream extends ImageStream {
  /** What those so far took. */
  spent(): {
    readonly nfeLow: number;
    readonly nfeDetail: number;
    /** Of drawing alone, at batch {@link BATCH}. */
    readonly msPerImage: number;
  };
}

/** The images `indices` of a source, in that order. */
export function sourceStream(source: ImageSource, indices: Uint32Array): ImageStream {
  const { channels, height, width } = source;
  return {
    image: { channels, height, width },
    count: indices.length,
    async *batches() {
      for (let first = 0; first < indices.length; first += BATCH)
        yield readImages(source, indices.subarray(first, first + BATCH));
    },
  };
}

/** Images of a source by number, [n, channels, height, width]. */
export function readImages(source: ImageSource, indices: Uint32Array): Float32Array {
  const size = source.channels * source.height * source.width;
  const out = new Float32Array(indices.length * size);
  for (const [i, index] of indices.entries()) source.read(index, false, out, i * size);
  return out;
}

/** Images `first`, `first + 1`, ... of a seed; `drawing` is compiled for batches of {@link BATCH}. */
export function drawnStream(
  drawing: CompiledDraw,
  image: ImageShape,
  { seed, first, count }: { readonly seed: number; readonly first: number; readonly count: number },
): DrawnStream {
  const totals = drawing.steps.map(() => 0);
  let milliseconds = 0;
  let done = 0;
  return {
    image,
    count,
    async *batches() {
      while (done < count) {
        const some = Math.min(BATCH, count - done);
        const began = performance.now();
        const { data, calls } = await drawing.run({ seed, first: first + done, count: some });
        milliseconds += performance.now() - began;
        for (const [i, each] of calls.entries()) totals[i]! += each * some;
        done += some;
        yield data;
      }
    },
    spent: () => ({
      ...networkCalls(totals.map((total) => total / done)),
      msPerImage: milliseconds / done,
    }),
  };
}
