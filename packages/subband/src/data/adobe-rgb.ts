/**
 * @module Adobe RGB (1998) where a camera states it and embeds no profile: the statement in EXIF (DCF 2.0, section 4.3),
 * and a profile to convert by.
 */

/** Tags of EXIF: the directory of its own, the one of interoperability, and the space of colours. */
const [EXIF_IFD, INTEROPERABILITY_IFD, COLOUR_SPACE] = [0x8769, 0xa005, 0xa001];
const INTEROPERABILITY_INDEX = 1;

/** Whether EXIF data (`Exif\0\0` and a TIFF, or the TIFF alone) say that samples without a profile are in Adobe RGB. */
export function statesAdobeRgb(exif: Uint8Array): boolean {
  const file = Buffer.from(exif.buffer, exif.byteOffset, exif.length);
  const tiff = file.toString("latin1", 0, 4) === "Exif" ? file.subarray(6) : file;
  const little = tiff.toString("latin1", 0, 2) === "II";
  const u16 = (at: number): number => (little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const u32 = (at: number): number => (little ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  /** Where the value of a tag lies, in a directory. */
  const find = (directory: number, tag: number): number | undefined => {
    for (let i = 0, n = u16(directory); i < n; i++)
      if (u16(directory + 2 + 12 * i) === tag) return directory + 2 + 12 * i + 8;
    return undefined;
  };
  try {
    const own = find(u32(4), EXIF_IFD);
    if (own === undefined) return false;
    const space = find(u32(own), COLOUR_SPACE);
    if (space !== undefined && u16(space) === 2) return true;
    const other = find(u32(own), INTEROPERABILITY_IFD);
    const index = other === undefined ? undefined : find(u32(other), INTEROPERABILITY_INDEX);
    return index !== undefined && tiff.toString("latin1", index, index + 3) === "R03";
  } catch (error) {
    if (error instanceof RangeError) return false; // an offset beyond the end
    throw error;
  }
}

/** A JPEG with a profile of Adobe RGB (1998) put behind its first marker, and that profile. */
export function withAdobeRgb(jpeg: Uint8Array): { readonly bytes: Uint8Array; readonly profile: Uint8Array } {
  const profile = adobeRgbProfile();
  const head = Buffer.from("\xff\xe2\0\0ICC_PROFILE\0\x01\x01", "latin1");
  head.writeUInt16BE(head.length - 2 + profile.length, 2);
  return { bytes: Buffer.concat([jpeg.subarray(0, 2), head, profile, jpeg.subarray(2)]), profile };
}

/** The profile (ICC.1:2001): primaries adapted to D50, and a gamma of 563 / 256. */
function adobeRgbProfile(): Uint8Array {
  const number = (v: number): Buffer => {
    const out = Buffer.alloc(4);
    out.writeInt32BE(Math.round(v * 65536));
    return out;
  };
  const text = (s: string): Buffer => Buffer.from(s, "latin1");
  const xyz = (...v: readonly number[]): Buffer => Buffer.concat([text("XYZ \0\0\0\0"), ...v.map(number)]);
  const name = "Compatible with Adobe RGB (1998)\0";
  const gamma = text("curv\0\0\0\0\0\0\0\x01\x02\x33\0\0");
  const white = [0.9642, 1, 0.8249];
  const tags: readonly (readonly [string, Buffer])[] = [
    ["desc", text(`desc\0\0\0\0\0\0\0${String.fromCharCode(name.length)}${name}${"\0".repeat(78)}`)],
    ["cprt", text("text\0\0\0\0CC0\0")],
    ["wtpt", xyz(...white)],
    ["rXYZ", xyz(0.60974, 0.31111, 0.01947)],
    ["gXYZ", xyz(0.20528, 0.62567, 0.06087)],
    ["bXYZ", xyz(0.14919, 0.06332, 0.74457)],
    ["rTRC", gamma],
    ["gTRC", gamma],
    ["bTRC", gamma],
  ];
  const table = Buffer.alloc(4 + 12 * tags.length);
  table.writeUInt32BE(tags.length);
  const bodies: Buffer[] = [];
  let at = 128 + table.length;
  for (const [i, [tag, data]] of tags.entries()) {
    const padded = Buffer.concat([data, Buffer.alloc(-data.length & 3)]);
    table.write(tag, 4 + 12 * i, "latin1");
    table.writeUInt32BE(at, 8 + 12 * i);
    table.writeUInt32BE(data.length, 12 + 12 * i);
    bodies.push(padded);
    at += padded.length;
  }
  const header = Buffer.alloc(128);
  header.writeUInt32BE(at);
  header.write("\x02\x10\0\0mntrRGB XYZ ", 8, "latin1");
  header.write("acsp", 36, "latin1");
  Buffer.concat(white.map(number)).copy(header, 68);
  return Buffer.concat([header, table, ...bodies]);
}
