/** @module Short ways to write a model that is wrong in one way. */
import { bytesOf, type ModelCase, modelOf, type Stored } from "./onnx-cases.ts";
import type { ModelProto } from "onnx-buf";

/** What is wrong, the model, and the code and a part of the refusal. */
export type Hostile = readonly [what: string, model: ModelCase | Uint8Array, code: string, says: string];

export const IMAGE = [1, 3, 8, 8];
export const big = (...values: number[]) => values.map(BigInt);
export const ints = (...values: number[]): Stored => ({ dims: [values.length], type: "int64", values });
export const floats = (...dims: number[]): Stored => ({ dims, values: [0.5, -1, 2] });

/** The model of one node on x [1,3,8,8]. */
export const node = (
  op: string,
  {
    stored = {},
    attrs = {},
    opset = 17,
    out = ["y"],
  }: {
    stored?: Record<string, Stored>;
    attrs?: ModelCase["nodes"][number]["attrs"] & {};
    opset?: number;
    out?: string[];
  } = {},
  x: readonly string[] = ["x"],
): ModelCase => ({
  opset,
  inputs: { x: IMAGE },
  stored,
  nodes: [{ op, name: "bad", in: [...x, ...Object.keys(stored)], out, attrs }],
  outputs: [out[0]!],
});

/** `op` on what ConstantOfShape makes, `times` times. */
export const chain = (op: string, times: number, shape: readonly number[], twice = false): ModelCase => ({
  stored: { s: ints(...shape) },
  nodes: [
    { op: "ConstantOfShape", name: "ones", in: ["s"], out: ["t0"] },
    ...Array.from({ length: times }, (_, i) => ({
      op,
      name: `step${i}`,
      in: twice ? [`t${i}`, `t${i}`] : [`t${i}`],
      out: [`t${i + 1}`],
      ...(op === "Concat" && { attrs: { axis: 0n } }),
    })),
  ],
  outputs: [`t${times}`],
});

export const damaged = (model: ModelCase, damage: (model: ModelProto) => void): Uint8Array => {
  const made = modelOf(model);
  damage(made);
  return bytesOf(made);
};
export const relu = node("Relu");
export const add = node("Add", { stored: { w: floats(8) } });
