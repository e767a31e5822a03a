import { describe, expect, test } from "vitest";
import { op, pickleOf } from "../../../../tests/support/torch-file.ts";
import { type PickleHooks, unpickle } from "./pickle.ts";

const hooks: PickleHooks = {
  global: (module, name) => (given: unknown) => ({ made: `${module}.${name}`, given }),
  persistent: (id) => ({ persistent: id }),
};
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const load = (value: Buffer | Uint8Array): unknown => unpickle(pickleOf(Buffer.from(value)), hooks);

describe("unpickle()", () => {
  // Written by Python: pickle.dumps(value, protocol=2).
  test("reads what Python writes: numbers, text, lists, tuples, dicts, shared values", () => {
    const python =
      "\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01M\xe8\x03J\xff\xff\xff\xff\x8a\x05\x00\x00\x00\x00\x01e" +
      "X\x01\x00\x00\x00bq\x03(\x88\x89Ntq\x04X\x01\x00\x00\x00cq\x05G?\xf8\x00\x00\x00\x00\x00\x00" +
      "X\x03\x00\x00\x00\xc3\xa4!q\x06h\x02u.";
    const list = [1, 1000, -1, 2 ** 32];
    const found = unpickle(bytes(python), hooks) as Map<string, unknown>;
    expect(found).toEqual(
      new Map<string, unknown>([
        ["a", list],
        ["b", [true, false, null]],
        ["c", 1.5],
        ["ä!", list],
      ]),
    );
    expect(found.get("ä!")).toBe(found.get("a"));
  });

  test("gives globals, calls and persistent ids the meaning of the hooks", () => {
    expect(load(op.call(op.global("a.b", "c"), op.int(7)))).toEqual({ made: "a.b.c", given: [7] });
    expect(load(op.persistent(op.tuple(op.text("x"))))).toEqual({ persistent: ["x"] });
  });

  test("drops the attributes of a dict", () => {
    expect(load(Buffer.concat([op.dict(), op.dict([op.text("_metadata"), op.int(1)]), bytes("b")]))).toEqual(
      new Map(),
    );
  });

  test("tells in one line what is damaged", () => {
    const cases: [name: string, pickle: Uint8Array, message: RegExp][] = [
      ["empty", bytes(""), /it ends at byte 0/],
      ["cut off in a text", bytes("\x80\x02X\xff\xff\xff\x7fabc"), /it ends at byte 10/],
      ["no end of a name", bytes("\x80\x02cos"), /a name has no end/],
      ["no value", bytes("\x80\x02."), /a value is missing/],
      ["two values", bytes("\x80\x02NN."), /left over/],
      ["an open mark", bytes("\x80\x02N(."), /a value is missing/],
      ["no mark", bytes("\x80\x02Nt."), /no beginning/],
      ["a value below the mark", bytes("\x80\x02N(Ra."), /a value is missing/],
      ["an unknown memo", bytes("\x80\x02h\x05."), /value 5 is used before/],
      ["no UTF-8", bytes("\x80\x02X\x01\x00\x00\x00\xff."), /no UTF-8/],
      ["a huge integer", bytes("\x80\x02\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x01."), /beyond 2\^53/],
      ["appending to a dict", bytes("\x80\x02}Na."), /no list/],
      [
        "a key twice",
        pickleOf(op.dict([op.text("w"), op.int(1)], [op.text("w"), op.int(2)])),
        /"w" comes twice/,
      ],
      ["calling a text", pickleOf(op.call(op.text("system"), op.int(1))), /calls what is no function/],
    ];
    for (const [name, pickle, message] of cases) {
      const act = () => unpickle(pickle, hooks);
      expect(act, name).toThrow(message);
      expect(act, name).toThrow(expect.objectContaining({ code: "pickle/damaged" }));
    }
  });

  test("refuses what data do not need", () => {
    const cases: [name: string, pickle: Uint8Array, message: RegExp][] = [
      ["other operations", bytes("\x80\x02(ios\nsystem\n."), /operation "i" at byte 3/],
      ["an operation that a terminal would obey", bytes("\x80\x02N\x9b."), /operation "\\u009b" at byte 3/],
      ["an object built by its class", bytes("\x80\x02N\x81."), /operation/],
      ["extensions", bytes("\x80\x02\x82\x01."), /operation/],
      ["other protocols", bytes("\x80\x04N."), /protocol 4/],
      [
        "the state of an object",
        pickleOf(Buffer.concat([op.tuple(), op.dict(), bytes("b")])),
        /state of an object/,
      ],
      ["deep nesting", bytes(`\x80\x02${"]".repeat(100_000)}`), /nests over 65536/],
      ["deep marks", bytes(`\x80\x02${"(".repeat(100_000)}`), /nests over 65536/],
      ["a huge pickle", new Uint8Array(2 ** 24 + 1), /16777217 bytes/],
    ];
    for (const [name, pickle, message] of cases) {
      const act = () => unpickle(pickle, hooks);
      expect(act, name).toThrow(message);
      expect(act, name).toThrow(expect.objectContaining({ code: "pickle/refused" }));
    }
  });

  test("survives every cut and every changed byte of a good pickle", () => {
    const good = pickleOf(op.dict([op.text("w"), op.tuple(op.int(5), op.call(op.global("a", "b")))]));
    for (let i = 0; i < good.length; i++) {
      expect(() => unpickle(good.subarray(0, i), hooks), `cut at ${i}`).toThrow(/^its pickle /);
      for (let value = 0; value < 256; value++) {
        const changed = Buffer.from(good);
        changed[i] = value;
        try {
          unpickle(changed, hooks);
        } catch (error) {
          expect((error as Error).message, `byte ${i} = ${value}`).toMatch(/^its pickle [^\n]*$/);
        }
      }
    }
  });
});
