import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import { oneHot } from "./compare.ts";
import { gather } from "./gather.ts";
import { sum } from "./sum.ts";
import { input } from "./source.ts";

describe("oneHot()", () => {
  test("counts negative labels from the end, and has zeros for those beyond, on both", async () => {
    const labels = [0, 2, -1, -3, 3, -4, 2 ** 40];
    const expected = [0, 2, 2, 0, -1, -1, -1].flatMap((at) => [0, 1, 2].map((i) => Number(i === at)));
    const spec = { shape: [labels.length], dtype: "int64" } as const;
    const program = await compile(node({ threads: 1 }), { inputs: { i: spec } }, ({ i }) => ({
      y: oneHot(i, 3),
    }));
    expect([...(await program.run({ i: labels })).y]).toEqual(expected);
    await program.dispose();
    const y = oneHot(input("i", spec.shape, "int64"), 3);
    expect([...interpret([y], { i: labels })[0]!.data]).toEqual(expected);
  });
});

describe("gather()", () => {
  test("its gradient counts every repeated row, on several threads too", async () => {
    const rows = 4;
    const width = 64;
    const picks = 20_000;
    const program = await compile(
      node({ threads: 2 }),
      { inputs: { x: [rows, width], i: { shape: [picks], dtype: "int64" } } },
      ({ x, i }) => ({ grad: gradients(sum(gather(x, i)), [x])[0]! }),
    );
    const i = BigInt64Array.from({ length: picks }, (_, k) => BigInt(k % rows));
    for (let run = 0; run < 5; run++) {
      const { grad } = await program.run({ x: new Float32Array(rows * width), i });
      expect(new Set(grad), `run ${run}`).toEqual(new Set([picks / rows]));
    }
    await program.dispose();
  });
});
