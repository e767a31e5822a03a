/** @module What the boxes of an AVIF say of motion and colours (ISO/IEC 14496-12 and 23008-12). */

/** Motion and colours of an AVIF. */
export interface HeifHeader {
  /** Whether it holds a sequence of pictures. */
  readonly isSequence: boolean;
  /** Code points of ITU-T H.273 of the main picture. */
  readonly codes?: { readonly primaries: number; readonly transfer: number };
  /** Whether the main picture has an ICC profile, which is above the code points. */
  readonly hasProfile: boolean;
  /** Whether colours have been multiplied by alpha. */
  readonly isPremultiplied: boolean;
}

/** More boxes than this in one are not looked at. */
const MOST_BOXES = 10_000;

type Colour = "profile" | { readonly primaries: number; readonly transfer: number };

interface Box {
  readonly type: string;
  /** Where its content begins and ends. */
  readonly from: number;
  readonly to: number;
}

/** Reads the boxes; undefined of what is none of these files, or a damaged one. */
export function heifHeader(bytes: Uint8Array): HeifHeader | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (file.toString("latin1", 4, 8) !== "ftyp") return undefined;
  try {
    const top = boxes(file, 0, file.length);
    const meta = top.find(({ type }) => type === "meta");
    const isSequence = top.some(({ type }) => type === "moov");
    const colours = meta === undefined ? [] : coloursOf(file, meta);
    const references = meta && boxes(file, meta.from + 4, meta.to).find(({ type }) => type === "iref");
    const isPremultiplied =
      references !== undefined &&
      boxes(file, references.from + 4, references.to).some(({ type }) => type === "prem");
    const codes = colours.find((each) => each !== "profile");
    return { isSequence, isPremultiplied, hasProfile: colours.includes("profile"), ...(codes && { codes }) };
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a box that ends beyond the file
    throw error;
  }
}

function boxes(file: Buffer, from: number, to: number): Box[] {
  const found: Box[] = [];
  for (let at = from; at + 8 <= to && found.length < MOST_BOXES;) {
    const size32 = file.readUInt32BE(at);
    const size = size32 === 0 ? to - at : size32 === 1 ? Number(file.readBigUInt64BE(at + 8)) : size32;
    if (size < 8) break;
    const head = size32 === 1 ? 16 : 8;
    found.push({
      type: file.toString("latin1", at + 4, at + 8),
      from: at + head,
      to: Math.min(at + size, to),
    });
    at += size;
  }
  return found;
}

/** Statements of colour that belong to the main picture. */
function coloursOf(file: Buffer, meta: Box): Colour[] {
  const inside = (box: Box | undefined, skip: number, type: string): Box | undefined =>
    box && boxes(file, box.from + skip, box.to).find((each) => each.type === type);
  const main = inside(meta, 4, "pitm");
  const properties = inside(meta, 4, "iprp");
  const container = inside(properties, 0, "ipco");
  const links = inside(properties, 0, "ipma");
  if (main === undefined || container === undefined || links === undefined) return [];
  const item = file[main.from] === 0 ? file.readUInt16BE(main.from + 4) : file.readUInt32BE(main.from + 4);
  const all = boxes(file, container.from, container.to);
  return propertiesOf(file, links, item).flatMap((index): Colour[] => {
    const box = all[index - 1];
    if (box?.type !== "colr") return [];
    const kind = file.toString("latin1", box.from, box.from + 4);
    if (kind === "prof" || kind === "rICC") return ["profile"];
    if (kind !== "nclx") return [];
    return [{ primaries: file.readUInt16BE(box.from + 4), transfer: file.readUInt16BE(box.from + 6) }];
  });
}

/** Numbers, from 1 on, of the properties of an item. */
function propertiesOf(file: Buffer, { from }: Box, item: number): number[] {
  const wideItems = file[from]! >= 1;
  const wideIndices = (file[from + 3]! & 1) === 1;
  let at = from + 8;
  for (let left = file.readUInt32BE(from + 4); left > 0; left--) {
    const id = wideItems ? file.readUInt32BE(at) : file.readUInt16BE(at);
    at += wideItems ? 4 : 2;
    const count = file.readUInt8(at++);
    const indices = Array.from({ length: count }, (_, i) =>
      wideIndices ? file.readUInt16BE(at + 2 * i) & 0x7fff : file.readUInt8(at + i) & 0x7f,
    );
    at += count * (wideIndices ? 2 : 1);
    if (id === item) return indices;
  }
  return [];
}
