/** @module What the directories of a TIFF say of its pages and samples (TIFF 6.0 and BigTIFF). */

/** Pages of a TIFF, and the samples of the first. */
export interface TiffHeader {
  /** Pages that are pictures of their own: neither smaller versions of another nor masks. */
  readonly pages: number;
  /** Whether the first one is. */
  readonly isFirst: boolean;
  /** Bits of a sample, and whether it is a whole number from 0 on, a signed one, a float, ... (tag SampleFormat). */
  readonly bits: number;
  readonly format: number;
  /** Tag PhotometricInterpretation: 8 to 10 are kinds of CIE Lab. */
  readonly photometric: number;
  readonly channels: number;
  /** What channels beyond the colours are: 0 nobody says, 1 premultiplied alpha, 2 alpha. */
  readonly extra: readonly number[];
}

/** Bytes of one value of each type of field. */
const SIZES: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
/** More directories than this, as in a circle of them, are not followed. */
const MOST_PAGES = 100;

/** Reads the directories; undefined of what is no TIFF, or a damaged one. */
export function tiffHeader(bytes: Uint8Array): TiffHeader | undefined {
  const mark = String.fromCharCode(...bytes.subarray(0, 2));
  if (mark !== "II" && mark !== "MM") return undefined;
  try {
    return directories(bytes, mark === "II");
  } catch (error) {
    if (error instanceof RangeError) return undefined; // an offset beyond the end
    throw error;
  }
}

function directories(bytes: Uint8Array, little: boolean): TiffHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(2, little);
  if (version !== 42 && version !== 43) return undefined;
  const big = version === 43;
  const offset = (at: number): number =>
    big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  const value = (at: number, type: number): number => {
    if (SIZES[type] === 1) return view.getUint8(at);
    if (SIZES[type] === 2) return view.getUint16(at, little);
    return SIZES[type] === 8 ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  };

  let first: ReadonlyMap<number, readonly number[]> | undefined;
  let [pages, isFirst] = [0, false];
  let at = offset(big ? 8 : 4);
  for (let n = 0; at !== 0; n++) {
    if (n === MOST_PAGES) return undefined;
    const count = big ? Number(view.getBigUint64(at, little)) : view.getUint16(at, little);
    const [start, size, room] = big ? [at + 8, 20, 8] : [at + 2, 12, 4];
    const tags = new Map<number, readonly number[]>();
    for (let i = 0; i < count; i++) {
      const field = start + i * size;
      const tag = view.getUint16(field, little);
      if (!TAGS.has(tag)) continue;
      const type = view.getUint16(field + 2, little);
      const values = Math.min(offset(field + 4), 8);
      const width = SIZES[type] ?? 0;
      const from = width * values <= room ? field + size - room : offset(field + size - room);
      tags.set(
        tag,
        Array.from({ length: values }, (_, k) => value(from + k * width, type)),
      );
    }
    first ??= tags;
    const isWhole = ((tags.get(254)?.[0] ?? 0) & 5) === 0; // 1: a smaller version, 4: a mask
    if (isWhole) pages++;
    if (n === 0) isFirst = isWhole;
    at = offset(start + count * size);
  }
  if (first === undefined) return undefined;
  return {
    pages,
    isFirst,
    bits: first.get(258)?.[0] ?? 1,
    format: first.get(339)?.[0] ?? 1,
    photometric: first.get(262)?.[0] ?? 0,
    channels: first.get(277)?.[0] ?? 1,
    extra: first.get(338) ?? [],
  };
}

const TAGS: ReadonlySet<number> = new Set([254, 258, 262, 277, 338, 339]);
