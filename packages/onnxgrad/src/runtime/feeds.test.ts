import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../errors.ts";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { add } from "../ops/arithmetic.ts";
import { cast } from "../ops/compare.ts";
import { gather } from "../ops/gather.ts";
import { sum } from "../ops/sum.ts";
import { reshape } from "../ops/reshape.ts";
import { constant, input } from "../ops/source.ts";
import { ndarray } from "../trace/ndarray.ts";
import { compile } from "./compile.ts";
import { node } from "./node/node.ts";

const backend = node({ threads: 1 });
const opened: { dispose(): Promise<void> }[] = [];
/** {@link compile} on the shared backend, disposed of at the end. */
const build: typeof compile = async (...args) => {
  const program = await compile(...args);
  opened.push(program);
  return program;
};
afterAll(async () => {
  for (const program of opened) await program.dispose();
});

describe("run() with wrong feeds", () => {
  test.each<[name: string, feeds: object, message: string]>([
    ["a missing input", { i: [1, 2] }, 'input "x": needs 3 values for [3], got none.'],
    ["too few values", { x: [1, 2], i: [1, 2] }, 'input "x": needs 3 values for [3], got 2.'],
    ["a number for an array", { x: 1, i: [1, 2] }, 'input "x": needs 3 values for [3], got 1.'],
    ["integers for floats", { x: new BigInt64Array(3), i: [1, 2] }, 'input "x": takes float32, got int64.'],
    ["fractions for integers", { x: [1, 2, 3], i: [1, 0.5] }, 'input "i": takes whole numbers, got 0.5.'],
    ["NaN for integers", { x: [1, 2, 3], i: [NaN, 0] }, 'input "i": takes whole numbers, got NaN.'],
    [
      "another name",
      { x: [1, 2, 3], i: [1, 2], X: [1] },
      'unknown input: "X". Did you mean "x"? Known: x, i, unused.',
    ],
    ["text of the right length", { x: "123", i: [1, 2] }, 'input "x": takes numbers, got the text "123".'],
    [
      "text in a list",
      { x: [1, "2", 3], i: [1, 2] },
      'input "x": takes numbers, got the text "2" among them.',
    ],
    [
      "a gap in a list",
      { x: [1, undefined, 3], i: [1, 2] },
      'input "x": takes numbers, got undefined undefined',
    ],
    ["null", { x: null, i: [1, 2] }, 'input "x": needs 3 values for [3], got none.'],
    [
      "an array with its shape",
      { x: ndarray([3], [1, 2, 3]), i: [1, 2] },
      'input "x": takes numbers, got an object of type Object. Feed a Float32Array, or a list of numbers.',
    ],
    ["bytes without a type", { x: new ArrayBuffer(12), i: [1, 2] }, "an object of type ArrayBuffer"],
    ["a view of bytes", { x: new DataView(new ArrayBuffer(3)), i: [1, 2] }, "an object of type DataView"],
    [
      "unsigned 64-bit integers",
      { x: [1, 2, 3], i: new BigUint64Array(2) },
      "an object of type BigUint64Array",
    ],
    [
      "text for an integer",
      { x: [1, 2, 3], i: [1, "2"] },
      'input "i": takes whole numbers, got the text "2".',
    ],
    [
      "a wrong length of what is not used",
      { x: [1, 2, 3], i: [1, 2], unused: [1] },
      'input "unused": needs 2 values',
    ],
  ])("refuses %s", async (_, feeds, message) => {
    const program = await build(
      backend,
      { inputs: { x: [3], i: { shape: [2], dtype: "int64" }, unused: [2] } },
      ({ x, i }) => ({
        y: add(sum(x), sum(cast(i, "float32"))),
      }),
    );
    await expect(program.run(feeds as never)).rejects.toThrow(UserError);
    await expect(program.run(feeds as never)).rejects.toThrow(message);
  });
  test("takes numbers of any kind, as float32 or as whole numbers", async () => {
    const program = await build(
      backend,
      { inputs: { x: [2], i: { shape: [2], dtype: "int64" } } },
      ({ x, i }) => ({ y: add(x, cast(i, "float32")) }),
    );
    for (const Kind of [
      Float64Array,
      Int8Array,
      Uint8Array,
      Uint8ClampedArray,
      Int16Array,
      Int32Array,
      Uint32Array,
    ])
      expect([...(await program.run({ x: Kind.of(1, 2), i: Kind.of(10, 20) })).y], Kind.name).toEqual([
        11, 22,
      ]);
    expect([...(await program.run({ x: Float64Array.of(0.1, 1e39), i: [0, 0] })).y]).toEqual([
      Math.fround(0.1),
      Infinity,
    ]);
  });
  test("refuses an index beyond the table, whichever way it is read, in one line", async () => {
    const inputs = { x: [3, 2], i: { shape: [1], dtype: "int64" } } as const;
    const rows = await build(backend, { inputs }, ({ x, i }) => ({ y: gather(x, i) }));
    const slope = await build(backend, { inputs }, ({ x, i }) => ({
      y: gradients(sum(gather(x, i)), [x])[0]!,
    }));
    const x = [1, 2, 3, 4, 5, 6];
    for (const program of [rows, slope])
      for (const i of [3, -4]) {
        const message = `gather: index ${i} is outside a table of 3 rows. Feed -3 to 2.`;
        await expect(program.run({ x, i: [i] })).rejects.toThrow(UserError);
        await expect(program.run({ x, i: [i] })).rejects.toThrow(message);
        const given = input("x", [3, 2]);
        const index = input("i", [1], "int64");
        const traced =
          program === rows ? gather(given, index) : gradients(sum(gather(given, index)), [given])[0]!;
        expect(() => interpret([traced], { x, i: [i] })).toThrow(message);
      }
    expect([...(await rows.run({ x, i: [-1] })).y]).toEqual([5, 6]);
  });
  test("tears no state by an index beyond the table, of which it is told before anything runs", async () => {
    const step = await build(
      backend,
      { state: { table: ndarray([3], [1, 2, 3]) }, inputs: { i: { shape: [2, 1], dtype: "int64" } } },
      ({ state, i }) => {
        const picked = gather(state.table, reshape(i, [2]));
        return { state: { table: add(state.table, sum(picked)) }, picked };
      },
    );
    for (const i of [
      [0, 3],
      [-4, 0],
    ])
      await expect(step.run({ i })).rejects.toThrow("is outside a table of 3 rows. Feed -3 to 2.");
    expect([...step.state.tree().table.data]).toEqual([1, 2, 3]);
    expect([...(await step.run({ i: [-1, 0] })).picked]).toEqual([3, 1]);
    expect([...step.state.tree().table.data]).toEqual([5, 6, 7]);
  });
  test("says the same of an index that is computed", async () => {
    const program = await build(backend, { inputs: { x: [3], at: [1] } }, ({ x, at }) => ({
      y: gather(x, cast(at, "int64")),
    }));
    await expect(program.run({ x: [1, 2, 3], at: 3 })).rejects.toThrow(
      "gather: index 3 is outside a table of 3 rows. Feed -3 to 2.",
    );
    expect([...(await program.run({ x: [1, 2, 3], at: -3 })).y]).toEqual([1]);
  });
  test("takes no feeds for none", async () => {
    const none = await build(backend, { inputs: {} }, () => ({ y: constant(7) }));
    expect([...(await none.run(undefined as never)).y]).toEqual([7]);
    await expect(none.run({ x: 1 } as never)).rejects.toThrow(
      'unknown input: "x". This program has none: feed {}.',
    );
    const one = await build(backend, { inputs: { x: [1] } }, ({ x }) => ({ y: add(x, 1) }));
    await expect(one.run(undefined as never)).rejects.toThrow('input "x": needs 1 values for [1], got none.');
  });
  test("does not find an input of the name of a method", async () => {
    const program = await build(backend, { inputs: { constructor: [1] } }, (args) => ({
      y: add(reshape(args.constructor as never, []), 1),
    }));
    await expect(program.run({} as never)).rejects.toThrow('input "constructor": needs 1 values');
  });
});
