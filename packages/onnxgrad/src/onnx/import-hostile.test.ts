/**
 * @module Models that somebody made to break the importer: each is answered in a second of work, by a refusal that names
 * the node, and nothing of theirs reaches a terminal unescaped.
 */
import { describe, expect, test } from "vitest";
import { GRAPHS } from "../../../../tests/support/hostile-graphs.ts";
import { ints, relu } from "../../../../tests/support/hostile-model.ts";
import { SIZES } from "../../../../tests/support/hostile-sizes.ts";
import { answer } from "../../../../tests/support/import-answer.ts";
import { bytesOf, type ModelCase, modelOf } from "../../../../tests/support/onnx-cases.ts";
import { printable, UserError } from "../errors.ts";
import { importModel } from "./import-model.ts";

const IMAGE = [1, 3, 8, 8];

describe("importModel() of a hostile model", () => {
  test.each([...SIZES, ...GRAPHS])("%s is refused at once, by name", (_, model, code, says) => {
    const { error, took } = answer(model instanceof Uint8Array ? model : bytesOf(modelOf(model)));
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(says);
    expect((error as UserError).code).toBe(code);
    expect(took).toBeLessThan(1000);
  });

  test("control characters of its names are written out, whatever they name", () => {
    const name = "n\n\u001b[2J\u202e\u009b31m";
    const shown = String.raw`n\n\x1b[2J\u202e\x9b31m`;
    const cases: readonly ModelCase[] = [
      { ...relu, nodes: [{ op: `Bogus${name}`, name, in: ["x"], out: ["y"] }] },
      { ...relu, nodes: [{ op: "Relu", domain: name, in: ["x"], out: ["y"] }] },
      { ...relu, nodes: [{ op: "Relu", name, in: [name], out: ["y"] }] },
      { ...relu, nodes: [{ op: "MatMul", name, in: ["x", "x"], out: ["y"] }], inputs: { x: [2, 3] } },
      { ...relu, nodes: [{ op: "Flatten", name, in: ["x"], out: ["y"], attrs: { axis: 99n } }] },
      { ...relu, nodes: [{ op: "Relu", name: "r", in: ["x"], out: ["y"], attrs: { [name]: 1n } }] },
      {
        ...relu,
        nodes: [{ op: "Resize", name: "r", in: ["x", "", "", "z"], out: ["y"], attrs: { mode: name } }],
        stored: { z: ints(1, 3, 4, 4) },
      },
      { ...relu, nodes: [{ op: "Relu", in: [name], out: ["y"] }], inputs: { [name]: [1, 0] } },
      {
        ...relu,
        nodes: [{ op: "Relu", in: [name], out: ["y"] }],
        stored: { [name]: { dims: [-1], values: [] } },
      },
      {
        ...relu,
        nodes: [
          { op: "Relu", in: ["x"], out: [name] },
          { op: "Neg", in: ["x"], out: [name] },
        ],
        outputs: [name],
      },
    ];
    for (const model of cases) {
      const { error } = answer(bytesOf(modelOf(model)));
      const { message } = error as UserError;
      expect(error).toBeInstanceOf(UserError);
      expect(message).toContain(shown);
      expect(printable(message)).toBe(message);
    }
    expect(() => importModel(bytesOf(modelOf(relu)), { outputs: [name] })).toThrow(shown);
    const open = modelOf({
      ...relu,
      inputs: { [name]: IMAGE },
      nodes: [{ op: "Relu", in: [name], out: ["y"] }],
    });
    expect(() => importModel(bytesOf(open)).apply({})).toThrow(shown);
  });
});
