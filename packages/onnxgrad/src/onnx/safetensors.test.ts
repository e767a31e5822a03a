import { describe, expect, test } from "vitest";
import { UserError } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors, type Safetensors, safetensorsPieces } from "./safetensors.ts";

/** A file from a header (text, or an object that becomes JSON) and data bytes, as the format's definition builds it. */
function file(header: unknown, data: Uint8Array | number = 0): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

const tensor = (shape: unknown, offsets: unknown, dtype: unknown = "F32") => ({
  dtype,
  shape,
  data_offsets: offsets,
});

const example = () =>
  encodeSafetensors({
    tensors: new Map([
      ["conv.weight", { shape: [2, 1], data: Float32Array.of(1.5, -2) }],
      ["empty", { shape: [0, 3], data: new Float32Array(0) }],
      ["step", { shape: [], data: Float32Array.of(7) }],
    ]),
    metadata: { note: 'línea "1"\n', config: "{}" },
  });

test("safetensorsPieces() are the header and the arrays where they lie, of whole files and of parts of buffers", () => {
  const whole = Float32Array.of(9, 1.5, -2, 9);
  const [header, ...arrays] = safetensorsPieces({
    tensors: new Map([
      ["a", { shape: [2], data: whole.subarray(1, 3) }],
      ["b", { shape: [], data: Float32Array.of(7) }],
    ]),
    metadata: {},
  });
  expect(arrays.map(({ length }) => length)).toEqual([8, 4]);
  whole[1] = 3;
  const { tensors } = decodeSafetensors(Buffer.concat([header, ...arrays]));
  expect([...tensors.get("a")!.data, ...tensors.get("b")!.data]).toEqual([3, -2, 7]);
});

describe("encodeSafetensors()", () => {
  test("gives, byte by byte, the file of the reference implementation's own test", () => {
    const bytes = encodeSafetensors({
      tensors: new Map([["attn.0", { shape: [1, 2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) }]]),
      metadata: {},
    });
    const header = '{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}';
    const floats = [0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64, 0, 0, 160, 64];
    expect([...bytes]).toEqual([64, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(header), ...floats]);
  });

  test("aligns the data to 8 bytes with spaces after the header, whatever the names", () => {
    for (let length = 1; length <= 9; length++) {
      const bytes = encodeSafetensors({
        tensors: new Map([["é".repeat(length), { shape: [1], data: Float32Array.of(length) }]]),
        metadata: {},
      });
      const headerLength = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      expect(headerLength % 8, `${length} letters`).toBe(0);
      expect(new DataView(bytes.buffer).getFloat32(8 + headerLength, true)).toBe(length);
    }
  });

  test("gives equal bytes for equal contents", () => {
    expect(example()).toEqual(example());
  });

  test("refuses the reserved name and a wrong number of values", () => {
    const one = { shape: [1], data: Float32Array.of(1) };
    expect(() => encodeSafetensors({ tensors: new Map([["__metadata__", one]]), metadata: {} })).toThrow(
      '"__metadata__" is reserved',
    );
    expect(() =>
      encodeSafetensors({ tensors: new Map([["x", { ...one, shape: [2] }]]), metadata: {} }),
    ).toThrow('internal: "x": 1 values for [2]');
  });

  test.each<[name: string, data: unknown, shape: unknown, metadata: unknown, message: string]>([
    [
      "float64",
      Float64Array.of(1),
      [1],
      {},
      '"x" is of type Float64Array, only Float32Array is written. Convert',
    ],
    ["integers", Int32Array.of(1), [1], {}, '"x" is of type Int32Array'],
    ["a list", [1], [1], {}, '"x" is of type Array'],
    ["no values", undefined, [1], {}, '"x" is undefined'],
    ["negative extents", Float32Array.of(1), [-1, -1], {}, '"x" has the shape [-1,-1]'],
    ["broken extents", Float32Array.of(1), [0.5, 2], {}, '"x" has the shape [0.5,2]'],
    ["no shape", Float32Array.of(1), undefined, {}, '"x" has the shape [undefined]'],
    [
      "a number in the metadata",
      Float32Array.of(1),
      [1],
      { step: 7 },
      'metadata "step" is number. Write text',
    ],
    ["null in the metadata", Float32Array.of(1), [1], { step: null }, 'metadata "step" is object'],
  ])("refuses to write %s, which would not be read", (_, data, shape, metadata, message) => {
    const write = () =>
      encodeSafetensors({ tensors: new Map([["x", { shape, data }]]), metadata } as unknown as Safetensors);
    expect(write).toThrow(UserError);
    expect(write).toThrow(message);
  });
});

describe("decodeSafetensors()", () => {
  test("gives back what was written", () => {
    const { tensors, metadata } = decodeSafetensors(example());
    expect([...tensors.keys()]).toEqual(["conv.weight", "empty", "step"]);
    expect(tensors.get("conv.weight")).toEqual({ shape: [2, 1], data: Float32Array.of(1.5, -2) });
    expect(tensors.get("empty")).toEqual({ shape: [0, 3], data: new Float32Array(0) });
    expect(tensors.get("step")).toEqual({ shape: [], data: Float32Array.of(7) });
    expect(metadata).toEqual({ note: 'línea "1"\n', config: "{}" });
  });

  test("keeps every bit pattern: infinities, NaN, -0, subnormals", () => {
    const data = Float32Array.of(Infinity, -Infinity, NaN, -0, 1e-45, 3.4028234663852886e38);
    const { tensors } = decodeSafetensors(
      encodeSafetensors({ tensors: new Map([["x", { shape: [6], data }]]), metadata: {} }),
    );
    expect(new Uint8Array(tensors.get("x")!.data.buffer)).toEqual(new Uint8Array(data.buffer));
  });

  test("reads a window of a larger buffer, unaligned and of Node's kind, and copies out of it", () => {
    const bytes = example();
    const pool = Buffer.alloc(bytes.length + 64, 0xff);
    pool.set(bytes, 13);
    const { tensors } = decodeSafetensors(pool.subarray(13, 13 + bytes.length));
    pool.fill(0);
    expect([...tensors.get("conv.weight")!.data]).toEqual([1.5, -2]);
    expect([...tensors.get("step")!.data]).toEqual([7]);
  });

  test("reads arrays in any order of their offsets", () => {
    const data = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    const { tensors } = decodeSafetensors(file({ b: tensor([2], [4, 12]), a: tensor([1], [0, 4]) }, data));
    expect([...tensors.get("a")!.data, ...tensors.get("b")!.data]).toEqual([1, 2, 3]);
  });

  test("takes names of Object.prototype for names", () => {
    const tensors = new Map(
      ["__proto__", "constructor", "hasOwnProperty", "7"].map((name, i) => [
        name,
        { shape: [1], data: Float32Array.of(i) },
      ]),
    );
    const metadata = JSON.parse('{"__proto__": "p", "toString": "t"}') as Record<string, string>;
    const read = decodeSafetensors(encodeSafetensors({ tensors, metadata }));
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
    expect(Object.entries(read.metadata)).toEqual([
      ["__proto__", "p"],
      ["toString", "t"],
    ]);
    expect(({} as Record<string, unknown>)["p"]).toBeUndefined();
  });

  test.each<[name: string, bytes: Uint8Array, reason: string]>([
    ["no bytes", new Uint8Array(0), "0 bytes are too few"],
    ["a header longer than the file", file("{}").fill(9, 0, 1), "header of 9 bytes"],
    ["a header of 2^64 - 1 bytes", new Uint8Array(64).fill(255), "does not fit"],
    ["an empty header", file(""), "begin with {"],
    ["a header that is an array", file([]), "begin with {"],
    ["a header that is a number", file("7"), "begin with {"],
    ["a byte-order mark", file("\ufeff{}"), "begin with {"],
    ["half a header", file('{"x":'), "no JSON"],
    ["a header that is no UTF-8", file("{}").fill(0xff, 9, 10), "no JSON"],
    ["another element type", file({ x: tensor([1], [0, 2], "F16") }, 2), '"x" has element type F16'],
    ["no element type", file({ x: {} }), "undefined"],
    ["null for an array", file({ x: null }), "undefined"],
    ["a number for an array", file({ x: 5 }), "undefined"],
    ["no shape", file({ x: { dtype: "F32", data_offsets: [0, 4] } }, 4), "no valid shape"],
    ["a negative extent", file({ x: tensor([-1], [0, 4]) }, 4), "no valid shape"],
    ["a broken extent", file({ x: tensor([0.5, 2], [0, 4]) }, 4), "no valid shape"],
    ["an extent beyond 2^53", file({ x: tensor([2 ** 54], [0, 4]) }, 4), "no valid shape"],
    [
      "extents whose product overflows",
      file({ x: tensor([2 ** 52, 2 ** 52], [0, 4]) }, 4),
      "outside the data",
    ],
    ["one offset", file({ x: tensor([1], [0]) }, 4), "no valid shape or offsets"],
    ["offsets as text", file({ x: tensor([1], ["0", "4"]) }, 4), "no valid shape or offsets"],
    ["offsets backwards", file({ x: tensor([1], [4, 0]) }, 4), "outside the data"],
    ["offsets that disagree with the shape", file({ x: tensor([2], [0, 4]) }, 4), "outside the data"],
    ["offsets beyond the data", file({ x: tensor([2], [0, 8]) }, 4), "outside the data"],
    ["overlapping arrays", file({ x: tensor([2], [0, 8]), y: tensor([2], [4, 12]) }, 12), '"y" begins at 4'],
    ["the same bytes twice", file({ x: tensor([1], [0, 4]), y: tensor([1], [0, 4]) }, 4), '"y" begins at 0'],
    ["a hole", file({ x: tensor([1], [0, 4]), y: tensor([1], [8, 12]) }, 12), '"y" begins at 8'],
    ["data before the first array", file({ x: tensor([1], [4, 8]) }, 8), '"x" begins at 4'],
    [
      "data after the last array",
      file({ x: tensor([1], [0, 4]) }, 8),
      "8 bytes of data, the header describes 4",
    ],
    ["metadata that are null", file({ __metadata__: null }), "metadata"],
    ["metadata that are text", file({ __metadata__: "abc" }), "metadata"],
    ["metadata that are a list", file({ __metadata__: ["a"] }), "metadata"],
    ["metadata that hold a number", file({ __metadata__: { a: 1 } }), "metadata"],
  ])("refuses %s", (_, bytes, reason) => {
    expect(() => decodeSafetensors(bytes)).toThrow(reason);
    expect(() => decodeSafetensors(bytes)).toThrow(UserError);
  });

  test("refuses a file truncated at any length or grown by a byte", () => {
    const bytes = example();
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeSafetensors(bytes.subarray(0, length)), `${length} bytes`).toThrow(UserError);
    const grown = new Uint8Array(bytes.length + 1);
    grown.set(bytes);
    expect(() => decodeSafetensors(grown)).toThrow(UserError);
  });

  test("with any one byte of length or header changed, refuses or reads, but never fails otherwise", () => {
    const bytes = example();
    const end = bytes.length - 12;
    for (let at = 0; at < end; at++)
      for (const value of [0, 0x20, 0x22, 0x2d, 0x30, 0x39, 0x5d, 0x7d, 0xff]) {
        const damaged = bytes.slice();
        damaged[at] = value;
        try {
          decodeSafetensors(damaged);
        } catch (error) {
          expect(error, `byte ${at} = ${value}`).toBeInstanceOf(UserError);
        }
      }
  });
});
