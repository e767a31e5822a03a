import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node.ts";
import { gather } from "./gather.ts";
import { sum } from "./reduce.ts";

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
