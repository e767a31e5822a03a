/**
 * @module Damaged ONNX models, for whoever reads them: bits flipped, bytes cut, and fields of the message replaced by
 * what nobody expects there. A mutation is a function of (seed, index) alone.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { readFileSync } from "node:fs";
import { type ModelProto, ModelProtoSchema, NodeProtoSchema, TensorProtoSchema } from "onnx-buf";
import { rng } from "onnxgrad";
import { bytesOf, modelOf } from "./onnx-cases.ts";
import { casesOf, FAMILIES } from "./onnx-grid.ts";

/** Valid models to damage, by name: three small networks, and one model of every family of the grid. */
export function seedModels(): ReadonlyMap<string, Uint8Array> {
  const files = ["seed1", "seed2", "seed3"].map((name) => {
    const url = new URL(`./onnx-seeds/${name}.onnx`, import.meta.url);
    return [name, new Uint8Array(readFileSync(url))] as const;
  });
  const grid = FAMILIES.map((family) => {
    const cases = casesOf(family);
    const { label, model } = cases[Math.floor(cases.length / 2)]!;
    return [label, bytesOf(modelOf(model))] as const;
  });
  return new Map([...files, ...grid]);
}

/** Whole numbers that sizes, axes and indices should not be. */
const ODD: readonly bigint[] = [
  0n,
  -1n,
  1n,
  2n,
  -(2n ** 31n),
  2n ** 16n,
  2n ** 24n,
  2n ** 29n,
  2n ** 31n,
  2n ** 32n,
  2n ** 40n,
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const WORDS = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "x",
  "y0",
  "\u001b[2J",
  "a\nb",
  "\u202e",
  "NOTSET",
  "Relu",
];

type Pick = <T>(list: readonly T[]) => T;

/** Changes something of the model, in place; does nothing where there is nothing of that kind. */
type Change = (model: ModelProto, pick: Pick) => void;

const nodesOf = (model: ModelProto) => model.graph?.node ?? [];
const some = <T>(list: readonly T[], pick: Pick): T | undefined =>
  list.length === 0 ? undefined : pick(list);
function replace<T>(list: T[] | undefined, value: T, pick: Pick): void {
  if (list !== undefined && list.length > 0) list[pick([...list.keys()])] = value;
}

const CHANGES: readonly Change[] = [
  (model, pick) => replace(some(model.graph!.initializer, pick)?.dims, pick(ODD), pick),
  (model, pick) => void some(model.graph!.initializer, pick)?.dims.push(pick(ODD)),
  (model, pick) => replace(some(model.graph!.initializer, pick)?.int64Data, pick(ODD), pick),
  (model, pick) =>
    replace(some(model.graph!.initializer, pick)?.floatData, pick([NaN, Infinity, -1e38, 0]), pick),
  (model, pick) => void some(model.graph!.initializer, pick)?.floatData.pop(),
  (model, pick) => {
    const tensor = some(model.graph!.initializer, pick);
    if (tensor) tensor.rawData = new Uint8Array(pick([1, 3, 4, 8, 1000]));
  },
  (model, pick) => {
    const tensor = some(model.graph!.initializer, pick);
    if (tensor) tensor.dataType = pick([0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 16, 99]);
  },
  (model, pick) => {
    const tensor = some(model.graph!.initializer, pick);
    if (tensor) tensor.dataLocation = 1;
  },
  (model, pick) => {
    const dims = some(model.graph!.input, pick)?.type?.value;
    if (dims?.case === "tensorType") {
      const dim = some(dims.value.shape?.dim ?? [], pick);
      if (dim) dim.value = { case: "dimValue", value: pick(ODD) };
    }
  },
  (model, pick) => {
    const port = some(model.graph!.input, pick);
    if (port) delete port.type;
  },
  (model, pick) => replace(some(nodesOf(model), pick)?.input, pick(WORDS), pick),
  (model, pick) => replace(some(nodesOf(model), pick)?.output, pick(WORDS), pick),
  (model, pick) => void some(nodesOf(model), pick)?.input.push(pick(WORDS)),
  (model, pick) => void some(nodesOf(model), pick)?.input.pop(),
  (model, pick) => void some(nodesOf(model), pick)?.output.push(pick(WORDS)),
  (model, pick) => {
    const node = some(nodesOf(model), pick);
    if (node) node.opType = pick([...WORDS, ...FAMILIES.map(({ op }) => op)]);
  },
  (model, pick) => {
    const node = some(nodesOf(model), pick);
    if (node) node.name = pick(WORDS);
  },
  (model, pick) => void some(nodesOf(model), pick)?.attribute.pop(),
  (model, pick) => {
    const node = some(nodesOf(model), pick);
    const attribute = node && some(node.attribute, pick);
    if (attribute) node.attribute.push(attribute);
  },
  (model, pick) => {
    const attribute = some(
      nodesOf(model).flatMap(({ attribute: each }) => each),
      pick,
    );
    if (attribute) attribute.i = pick(ODD);
  },
  (model, pick) =>
    replace(
      some(
        nodesOf(model).flatMap(({ attribute: each }) => each),
        pick,
      )?.ints,
      pick(ODD),
      pick,
    ),
  (model, pick) => {
    const attribute = some(
      nodesOf(model).flatMap(({ attribute: each }) => each),
      pick,
    );
    attribute?.ints.push(...new Array<bigint>(pick([1, 5, 1000])).fill(pick(ODD)));
  },
  (model, pick) => {
    const attribute = some(
      nodesOf(model).flatMap(({ attribute: each }) => each),
      pick,
    );
    if (attribute) attribute.type = pick([0, 1, 2, 3, 4, 5, 6, 7, 14]);
  },
  (model, pick) => {
    const attribute = some(
      nodesOf(model).flatMap(({ attribute: each }) => each),
      pick,
    );
    if (attribute) attribute.s = new TextEncoder().encode(pick(WORDS));
  },
  (model, pick) => {
    const set = some(model.opsetImport, pick);
    if (set) set.version = pick([...ODD, 7n, 9n, 11n, 13n, 18n, 22n, 23n]);
  },
  (model) => void model.graph!.node.reverse(),
  (model, pick) => {
    const node = some(nodesOf(model), pick);
    if (node)
      model.graph!.node.push(
        create(NodeProtoSchema, { ...node, input: [...node.output], output: [...node.input] }),
      );
  },
  (model, pick) => {
    const tensor = some(model.graph!.initializer, pick);
    if (tensor) model.graph!.initializer.push(create(TensorProtoSchema, { ...tensor }));
  },
  (model, pick) => {
    const port = some(model.graph!.output, pick);
    if (port) port.name = pick(WORDS);
  },
];

/** Damage number `index` of a model. */
export function mutated(bytes: Uint8Array, seed: number, index: number): Uint8Array {
  const random = rng(seed, "mutation", index);
  const below = (n: number) => random.below(n);
  const pick: Pick = (list) => list[below(list.length)]!;
  if (index % 3 === 0) {
    const damaged = Uint8Array.from(bytes);
    for (let k = 0; k <= below(4); k++) damaged[below(damaged.length)]! ^= 1 << below(8);
    return below(8) === 0 ? damaged.subarray(0, below(damaged.length)) : damaged;
  }
  const model = fromBinary(ModelProtoSchema, bytes);
  for (let k = 0; k <= below(3); k++) pick(CHANGES)(model, pick);
  return toBinary(ModelProtoSchema, model);
}
