import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  float32Bytes,
  op,
  pickleOf,
  tensorOp,
  torchFile,
  torchZip,
  type WrittenEntry,
  zipOf,
} from "../../../../tests/support/torch-file.ts";
import { readTorchCheckpoint } from "./torch-checkpoint.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-torch-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(bytes: Uint8Array): string {
  const path = join(dir, "net.pt");
  writeFileSync(path, bytes);
  return path;
}

/** The one line of an attempt to read a file. */
async function refusal(path: string): Promise<string> {
  const error = await readTorchCheckpoint(path).then(
    () => new Error("it was read"),
    (thrown: unknown) => thrown as Error,
  );
  expect(error).toMatchObject({ name: "UserError" });
  expect(error.message.startsWith(`cannot load "${path}": `), error.message).toBe(true);
  expect(error.message).not.toContain("\n");
  return error.message.slice(`cannot load "${path}": `.length);
}

const matrix = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };

describe("readTorchCheckpoint()", () => {
  test("reads tensors by name, contiguous or strided", async () => {
    const strided = tensorOp("0", { shape: [3, 2], strides: [1, 3], count: 6 });
    const part = tensorOp("0", { shape: [2], offset: 1, strides: [3], count: 6 });
    const path = file(
      torchZip(
        op.dict([op.text("a"), strided], [op.text("b"), part], [op.text("c"), tensorOp("0", matrix)]),
        [matrix.data],
      ),
    );
    const tensors = await readTorchCheckpoint(path);
    expect([...tensors].map(([name, { shape, type }]) => [name, shape, type])).toEqual([
      ["a", [3, 2], "float32"],
      ["b", [2], "float32"],
      ["c", [2, 3], "float32"],
    ]);
    expect([...tensors.get("a")!.read()]).toEqual([1, 4, 2, 5, 3, 6]);
    expect([...tensors.get("b")!.read()]).toEqual([2, 5]);
    expect([...tensors.get("c")!.read()]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("finds the state dict of a training script, parameters and scalars too", async () => {
    const parameter = op.call(
      op.global("torch._utils", "_rebuild_parameter"),
      tensorOp("0", { shape: [] }),
      op.false,
      op.call(op.global("collections", "OrderedDict")),
    );
    const dict = op.dict([op.text("gain"), parameter]);
    const path = file(torchZip(op.dict([op.text("epoch"), op.int(3)], [op.text("state_dict"), dict]), [[7]]));
    const tensors = await readTorchCheckpoint(path);
    expect([...tensors.get("gain")!.read()]).toEqual([7]);
  });

  test("reads float64 and says which element types it does not read", async () => {
    const doubles = new Uint8Array(Float64Array.of(1.5, -2).buffer);
    const make = (storage: string): Buffer =>
      zipOf([
        {
          name: "x/data.pkl",
          bytes: pickleOf(op.dict([op.text("w"), tensorOp("k", { shape: [2], storage })])),
        },
        { name: "x/data/k", bytes: doubles },
      ]);
    expect([...(await readTorchCheckpoint(file(make("DoubleStorage")))).get("w")!.read()]).toEqual([1.5, -2]);
    const integers = (await readTorchCheckpoint(file(make("LongStorage")))).get("w")!;
    expect(integers.type).toBe("int64");
    expect(() => integers.read()).toThrow(/element type: int64\. Known: float32, float64\./);
  });

  test("runs nothing: a pickle that calls anything else is refused with its name", async () => {
    const touch = join(dir, "touched");
    for (const [module, name] of [
      ["posix", "system"],
      ["os", "system"],
      ["builtins", "eval"],
      ["__builtin__", "exec"],
      ["subprocess", "Popen"],
      ["torch.storage", "_load_from_bytes"],
      ["torch", "FloatStorage\\x"],
      ["collections", "OrderedDict.__init__"],
      ["toString", "constructor"],
    ] as const) {
      const path = file(torchZip(op.call(op.global(module, name), op.text(`touch ${touch}`))));
      const message = await refusal(path);
      expect(message).toContain(`it asks for ${JSON.stringify(`${module}.${name}`)}. Only tensors`);
    }
    // Hidden where a tensor is expected, and in the attributes of the state dict.
    const evil = op.call(op.global("posix", "system"), op.text("true"));
    const hidden = [
      op.dict([op.text("w"), evil]),
      Buffer.concat([op.dict([op.text("w"), tensorOp("0", matrix)]), evil, Buffer.from("b")]),
    ];
    for (const value of hidden)
      expect(await refusal(file(torchZip(value, [matrix.data])))).toContain('"posix.system"');
    // A name may not break the line, nor flood it.
    expect(await refusal(file(torchZip(op.global("a\rb", "c".repeat(1000)))))).toMatch(
      /^it asks for "a\\rb\.c{76}\.\.\."/,
    );
  });

  test("calls only functions: a storage type, a tensor or a dict cannot be called", async () => {
    for (const callee of [op.global("torch", "FloatStorage"), tensorOp("0", matrix), op.dict()])
      expect(await refusal(file(torchZip(op.call(callee), [matrix.data])))).toMatch(
        /calls what is no function/,
      );
  });

  test("checks what tensors and storages announce", async () => {
    const cases: [name: string, tensor: Buffer, message: RegExp][] = [
      ["a missing storage", tensorOp("9", matrix), /storage "9" is missing/],
      ["a path as storage", tensorOp("../version", matrix), /storage "\.\.\/version" is missing/],
      ["a storage too large", tensorOp("0", { shape: [7] }), /has 24 bytes, 7 float32 were announced/],
      [
        "a huge storage",
        tensorOp("0", { ...matrix, count: 2 ** 50 }),
        /1125899906842624 float32 were announced/,
      ],
      ["a negative storage", tensorOp("0", { ...matrix, count: -6 }), /no type, key or size/],
      ["a size beyond the storage", tensorOp("0", { shape: [7], count: 6 }), /\[7\] does not fit/],
      ["a huge size", tensorOp("0", { shape: [2 ** 40, 2 ** 40], count: 6 }), /does not fit/],
      ["repeated values", tensorOp("0", { shape: [1e9], strides: [0], count: 6 }), /does not fit/],
      [
        "a negative size",
        tensorOp("0", { shape: [-2], strides: [1], count: 6 }),
        /no storage, offset, sizes/,
      ],
      ["an offset beyond", tensorOp("0", { shape: [2, 3], offset: 1, count: 6 }), /does not fit/],
      ["a negative offset", tensorOp("0", { shape: [2, 3], offset: -1, count: 6 }), /no storage, offset/],
      ["a stride beyond", tensorOp("0", { shape: [2, 3], strides: [3, 2], count: 6 }), /does not fit/],
      [
        "a negative stride",
        tensorOp("0", { shape: [2, 3], strides: [3, -1], count: 6 }),
        /no storage, offset/,
      ],
      ["a stride missing", tensorOp("0", { shape: [2, 3], strides: [3], count: 6 }), /does not fit/],
      ["many axes", tensorOp("0", { shape: new Array<number>(9).fill(1), count: 6 }), /does not fit/],
      [
        "an unknown element type",
        tensorOp("0", { ...matrix, storage: "EvilStorage" }),
        /"torch\.EvilStorage"/,
      ],
    ];
    for (const [name, tensor, message] of cases)
      expect(await refusal(file(torchZip(op.dict([op.text("w"), tensor]), [matrix.data]))), name).toMatch(
        message,
      );
  });

  test("refuses a file cut off anywhere and a changed byte of the data", async () => {
    const good = torchFile({ w: matrix });
    for (let length = 0; length < good.length; length += 7)
      expect(await refusal(file(good.subarray(0, length))), `cut at ${length}`).toMatch(
        /damaged or cut off|no PyTorch checkpoint/,
      );
    const changed = Buffer.from(good);
    changed[good.indexOf(Buffer.from(float32Bytes(matrix.data)))]! ^= 1;
    expect(await refusal(file(changed))).toBe(
      'checksum of entry "archive/data/0" differs. The file is damaged.',
    );
  });

  test("survives changed bytes anywhere in a zip: the same tensors, or one line", async () => {
    const good = torchFile({ w: matrix });
    for (let at = 0; at < good.length; at += 3) {
      const changed = Buffer.from(good);
      changed[at]! ^= 0xff;
      const tensors = await readTorchCheckpoint(file(changed)).catch((error: Error) => {
        expect(error, `byte ${at}`).toMatchObject({ name: "UserError" });
        expect(error.message, `byte ${at}`).not.toContain("\n");
        return undefined;
      });
      if (tensors !== undefined) expect([...tensors.get("w")!.read()], `byte ${at}`).toEqual(matrix.data);
    }
  });

  test("refuses zips that torch.save does not write", async () => {
    const pickle = pickleOf(op.dict([op.text("w"), tensorOp("0", matrix)]));
    const data: WrittenEntry = { name: "a/data/0", bytes: float32Bytes(matrix.data) };
    const main: WrittenEntry = { name: "a/data.pkl", bytes: pickle };
    const bomb: WrittenEntry = { name: "a/data/0", bytes: new Uint8Array(1e7), compressed: true };
    const cases: [name: string, entries: WrittenEntry[], message: RegExp][] = [
      ["a compressed entry", [main, bomb], /"a\/data\/0" is compressed or encrypted/],
      ["a name twice", [main, data, data], /"a\/data\/0" comes twice/],
      ["two pickles", [main, { ...main, name: "b/data.pkl" }, data], /not one that torch\.save wrote/],
      ["no pickle", [data], /not one that torch\.save wrote/],
      ["an empty zip", [], /no PyTorch checkpoint/],
      [
        "a way out of the folder",
        [main, { ...data, name: "../evil" }],
        /damaged or cut off \(invalid relative path/,
      ],
      ["a program", [main, data, { name: "a/constants.pkl", bytes: pickle }], /TorchScript program/],
      [
        "a program's text",
        [{ name: "a/code/x.py", bytes: pickle, compressed: true }, main],
        /TorchScript program/,
      ],
      [
        "big-endian numbers",
        [main, data, { name: "a/byteorder", bytes: Buffer.from("big") }],
        /not little-endian/,
      ],
    ];
    for (const [name, entries, message] of cases)
      expect(await refusal(file(zipOf(entries))), name).toMatch(message);
  });

  test("refuses many entries over one stretch of bytes", async () => {
    const one = zipOf([{ name: "a/0", bytes: new Uint8Array(5000) }]);
    const end = one.subarray(-22);
    const central = one.subarray(end.readUInt32LE(16), -22);
    const copies = ["0", "1", "2"].map((digit) => {
      const copy = Buffer.from(central);
      copy.write(digit, copy.length - 1);
      return copy;
    });
    end.writeUInt16LE(copies.length, 8);
    end.writeUInt16LE(copies.length, 10);
    end.writeUInt32LE(copies.length * central.length, 12);
    const bytes = Buffer.concat([one.subarray(0, end.readUInt32LE(16)), ...copies, end]);
    expect(await refusal(file(bytes))).toBe("its entries overlap.");
  });

  test("refuses other files by what they are", async () => {
    const legacy = Buffer.from(
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M",
      "latin1",
    );
    expect(await refusal(file(legacy))).toMatch(/torch before 1\.6\. Load and save it again/);
    expect(await refusal(file(Buffer.from("<html>")))).toMatch(/no PyTorch checkpoint/);
    expect(await refusal(join(dir, "absent.pt"))).toBe("there is no such file.");
    expect(await refusal(dir)).toBe("it is no file.");
    const huge = file(Buffer.alloc(1));
    truncateSync(huge, 2 ** 31); // sparse
    expect(await refusal(huge)).toMatch(/2147483648 bytes, over 1073741824/);
  });

  test("refuses what is no state dict", async () => {
    expect(await refusal(file(torchZip(op.int(1))))).toMatch(/no state dict/);
    expect(await refusal(file(torchZip(op.dict())))).toMatch(/no state dict/);
    const mixed = op.dict([op.text("w"), tensorOp("0", matrix)], [op.text("epoch\n"), op.int(3)]);
    expect(await refusal(file(torchZip(mixed, [matrix.data])))).toMatch(/^its "epoch\\n" is no tensor\./);
  });
});
