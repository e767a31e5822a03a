/** @module Fuzzed ONNX models: one of every operation, imported and traced. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { importModel, input, toOnnx } from "onnxgrad";
import { caseGraph, opCases } from "onnxgrad/testing";
import { readFile } from "node:fs/promises";
import { seedModels } from "../support/onnx-mutations.ts";
import { EDGES, leavesOf, pick, WORDS } from "./mutations.ts";
import type { Mutation, Target } from "./target.ts";

/** Changes numbers, names and lists of the message itself, so that it stays one. */
const lieInModel: Mutation = (bytes, random, others) => {
  let model;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch {
    return Buffer.from(pick(others, random));
  }
  const places = leavesOf(model.graph).filter(({ key }) => !key.startsWith("$"));
  for (let left = 1 + random.below(2); left > 0 && places.length > 0; left--) {
    const { owner, key } = pick(places, random);
    const old = owner[key];
    if (typeof old === "bigint") owner[key] = BigInt(pick([...EDGES, -2, -8, 2 ** 40], random));
    else if (typeof old === "number")
      owner[key] = pick([...EDGES.filter((n) => Math.abs(n) < 2 ** 31), 3], random);
    else if (typeof old === "string")
      owner[key] = pick(
        [...WORDS.filter((word) => word.length < 100 && word !== "\ud800"), "Conv", "Resize", "Pad", "x0"],
        random,
      );
    else if (old instanceof Uint8Array) owner[key] = old.subarray(0, random.below(old.length + 1));
    else if (Array.isArray(old) && old.length > 0)
      owner[key] =
        random.below(2) === 0
          ? old.slice(1)
          : [...(old as unknown[]), old[random.below(old.length)] as unknown];
  }
  try {
    return Buffer.from(toBinary(ModelProtoSchema, model));
  } catch {
    return Buffer.from(bytes); // a number that its field cannot hold
  }
};

/** Target of `npm run fuzz -- --only models`. */
export const target: Target = {
  name: "models",
  about: "ONNX models of every operation and of every operator, imported and traced",
  mutations: [lieInModel],
  seconds: 20,
  megabytes: 1500,
  async seeds() {
    const imported = [...seedModels().values()].map((bytes, i) => ({
      name: `imported-${i}.onnx`,
      bytes: Buffer.from(bytes),
    }));
    const written = Object.entries(opCases).flatMap(([subject, cases]) => {
      const { feeds, trace } = caseGraph(subject, cases[0]);
      const traced = Object.entries(feeds).map(
        ([name, { spec }]) => [name, input(name, spec.shape, spec.dtype)] as const,
      );
      const { forward } = trace(Object.fromEntries(traced));
      return [{ name: `${subject}.onnx`, bytes: Buffer.from(toOnnx(forward).bytes) }];
    });
    return [...written, ...imported];
  },
  async read(path) {
    const model = importModel(await readFile(path));
    const inputs = model.inputs.map(
      ({ name, shape, dtype }) =>
        [
          name,
          input(
            name,
            shape.map((n) => n ?? 2),
            dtype,
          ),
        ] as const,
    );
    const outputs = model.apply(Object.fromEntries(inputs));
    return Object.keys(outputs).length > 0 ? "traced" : "nothing to give";
  },
};
