/**
 * @module Bench: convolutions with weights that stay, one after the other with ReLUs between, against ONNX Runtime's own
 * choice for the same graph. Ours make fewer products (packages/onnxgrad/src/passes/convolutions-by-rows.ts); what that
 * costs in accuracy is stated beside.
 */
import { type Backend, compile, constant, conv2d, relu, type Shape } from "onnxgrad";
import { node } from "onnxgrad/node";
import { normals } from "./engine/workload.ts";
import { type Bench, inProcess, interleave, sides, timeRuns } from "./harness.ts";

/** Convolutions in a row. */
const DEPTH = 3;
/** Milliseconds that one side's part of a turn should take. */
const TURN_MS = 500;

/** Images [n, c, h, w]; all convolutions are from c to c channels, 3 x 3. */
const CASES: readonly Shape[] = [
  [16, 64, 64, 64],
  [1, 64, 64, 64],
  [1, 64, 256, 256],
  [16, 64, 32, 32],
  [16, 48, 32, 32],
  [1, 48, 128, 128],
  [16, 128, 32, 32],
  [16, 128, 16, 16],
];

/** The network on `backend`. Features keep about their size. */
function network(backend: Backend, shape: Shape) {
  const c = shape[1]!;
  const weights = Array.from({ length: DEPTH }, (_, i) =>
    constant(
      normals(`weight ${i}`, [c, c, 3, 3]).map((value) => value * Math.sqrt(2 / (9 * c))),
      [c, c, 3, 3],
    ),
  );
  return compile(backend, { inputs: { x: shape } }, ({ x }) => ({
    y: weights.reduce((h, weight) => relu(conv2d(h, weight, { padding: 1 })), x),
  }));
}

export const convolutionsBench: Bench = {
  name: "convolutions",
  summary: `${DEPTH} convolutions 3 x 3 with ReLU, by rows against ONNX Runtime's own`,
  parts: CASES.map((shape) => shape.join("x")),
  async run(report, { turns, threads, only }) {
    const backend = node({ threads, shards: 1 });
    for (const shape of CASES) {
      if (only.length > 0 && !only.includes(shape.join("x"))) continue;
      const byRows = await network(backend, shape);
      const direct = await network({ ...backend, blocks: false }, shape);
      const x = normals("image", shape);
      const [got, want] = [(await byRows.run({ x })).y, (await direct.run({ x })).y];
      const size = Math.sqrt(want.reduce((sum, value) => sum + value ** 2, 0));
      const apart = Math.sqrt(want.reduce((sum, value, i) => sum + (value - got[i]!) ** 2, 0));
      const [once] = await timeRuns(() => direct.run({ x }), 1);
      const repeats = Math.max(2, Math.round(TURN_MS / once!));
      const measured = await interleave(
        inProcess(() => byRows.run({ x }, { reuse: true })),
        inProcess(() => direct.run({ x }, { reuse: true })),
        { turns, repeats },
      );
      report({
        bench: "convolutions",
        name: `${shape[1]} to ${shape[1]} channels, ${shape[0]} x ${shape[2]} x ${shape[3]}`,
        ...sides(measured),
        notes: [
          ...measured.notes,
          `${threads} threads; results differ by ${(apart / size).toExponential(1)} of their size (root mean square)`,
        ],
      });
      await byRows.dispose();
      await direct.dispose();
    }
    return undefined;
  },
};
