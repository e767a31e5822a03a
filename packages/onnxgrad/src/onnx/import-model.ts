/**
 * @module Reads an ONNX inference model and traces it as a function of tensors, its weights frozen as constants: a
 * feature extractor for a loss. What each operator becomes is the table in `import-rules.ts`.
 */
import { fromBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "onnx-buf";
import { UserError } from "../errors.ts";
import type { RefArray } from "../ops/define-op.ts";
import { constant } from "../ops/source.ts";
import { scope } from "../trace/scope.ts";
import { type DType, formatSpec, Tensor } from "../trace/tensor.ts";
import { type ImportContext, OPSETS } from "./import-node.ts";
import { IMPORT_RULES } from "./import-rules.ts";

/** An input of an imported model. */
export interface ImportedInput {
  readonly name: string;
  readonly dtype: DType;
  /** Extents; undefined where the model leaves one open. */
  readonly shape: readonly (number | undefined)[];
}

/** A model that can be part of a traced function. */
export interface ImportedModel {
  readonly inputs: readonly ImportedInput[];
  readonly outputs: readonly string[];
  /**
   * Traces the model on tensors, one an input, and gives its outputs by name. Gradients pass from the outputs to these
   * tensors; the weights are constants.
   * @throws UserError `import/input` when an input is missing or does not fit, `import/node` when a node has attributes
   * or a use that is not supported.
   */
  apply(inputs: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>>;
}

/** Settings of {@link importModel}. */
export interface ImportOptions {
  /** Names of the values to give, any in the graph; default: the model's outputs. What they do not need is left out. */
  readonly outputs?: readonly string[];
}

const ELEMENTS: Readonly<Record<number, DType>> = {
  1: "float32",
  2: "uint8",
  6: "int64",
  7: "int64",
  9: "bool",
  10: "float32",
  11: "float32",
};

/**
 * Reads an ONNX model (operator sets 7 to 22, float32 arithmetic, images in two dimensions, no control flow, weights
 * inside the file). Batch normalisation and dropout are those of inference.
 * @throws UserError `import/format` when the bytes are no such model, `import/unsupported` naming the first node whose
 * operator is not supported.
 * @example
 * const features = importModel(await readFile("vgg.onnx"), { outputs: ["relu2_2"] });
 * const loss = mean(square(sub(features.apply({ image: y })["relu2_2"]!, features.apply({ image: target })["relu2_2"]!)));
 */
export function importModel(bytes: Uint8Array, { outputs }: ImportOptions = {}): ImportedModel {
  const { graph, opset } = parse(bytes);
  const weights = new Map<string, Tensor>();
  const stored = new Map(graph.initializer.map((each) => [each.name, each]));
  const wanted = outputs ?? graph.output.map(({ name }) => name);
  const nodes = needed(graph, wanted);
  for (const node of nodes) requireSupported(node);
  const inputs = graph.input.filter(({ name }) => !stored.has(name)).map(portOf);
  const weightOf = (name: string): Tensor | undefined => {
    const proto = stored.get(name);
    if (proto === undefined) return undefined;
    if (!weights.has(name)) weights.set(name, tensorOf(proto));
    return weights.get(name);
  };
  return {
    inputs,
    outputs: wanted,
    apply(given) {
      const values = new Map<string, Tensor>();
      for (const port of inputs) {
        const tensor = given[port.name];
        if (tensor !== undefined) values.set(port.name, requireFit(port, tensor));
      }
      const valueOf = (name: string): Tensor => {
        const value = values.get(name) ?? weightOf(name);
        if (value === undefined)
          throw new UserError(
            "import/input",
            `importModel: input "${name}" is missing. The model takes ${inputs.map(describe).join(", ")}.`,
          );
        return value;
      };
      for (const node of nodes) {
        const made = scope(node.name === "" ? node.opType : node.name, () => applyNode(node, valueOf, opset));
        node.output.forEach((name, i) => {
          if (made[i] !== undefined) values.set(name, made[i]);
        });
      }
      return Object.fromEntries(wanted.map((name) => [name, valueOf(name)]));
    },
  };
}

function parse(bytes: Uint8Array): { readonly graph: GraphProto; readonly opset: number } {
  let graph: GraphProto | undefined;
  let opset: bigint | undefined;
  try {
    const model = fromBinary(ModelProtoSchema, bytes);
    graph = model.graph;
    opset = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version;
  } catch (cause) {
    throw new UserError("import/format", "importModel: these bytes are no ONNX model.", { cause });
  }
  if (graph === undefined || opset === undefined)
    throw new UserError("import/format", "importModel: these bytes are no ONNX model, or an empty one.");
  if (opset < OPSETS.first || opset > OPSETS.last)
    throw new UserError(
      "import/format",
      `importModel: operator set ${opset}. Supported are ${OPSETS.first} to ${OPSETS.last}: convert the model.`,
    );
  return { graph, opset: Number(opset) };
}

/** The nodes that `outputs` depend on, in the order of the file, which is topological. */
function needed(
  { node: nodes, input, initializer }: GraphProto,
  outputs: readonly string[],
): readonly NodeProto[] {
  const known = new Set(
    [...input, ...initializer, ...nodes.flatMap(({ output }) => output.map((name) => ({ name })))].map(
      ({ name }) => name,
    ),
  );
  const missing = outputs.find((name) => !known.has(name));
  if (missing !== undefined)
    throw new UserError(
      "import/output",
      `importModel: the model has no value "${missing}". Its nodes' outputs can be asked for.`,
    );
  const open = new Set(outputs);
  return nodes
    .toReversed()
    .filter(({ output, input: from }) => {
      if (!output.some((name) => open.has(name))) return false;
      for (const name of from) open.add(name);
      return true;
    })
    .toReversed();
}

function requireSupported(node: NodeProto): void {
  if ((node.domain === "" || node.domain === "ai.onnx") && Object.hasOwn(IMPORT_RULES, node.opType)) return;
  const type = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
  throw new UserError(
    "import/unsupported",
    `importModel: node "${node.name}" is ${type}, which is not supported. Supported: ${Object.keys(IMPORT_RULES).sort().join(", ")}.`,
  );
}

function applyNode(node: NodeProto, valueOf: (name: string) => Tensor, opset: number): readonly Tensor[] {
  const fail = (problem: string): never => {
    throw new UserError("import/node", `importModel: node "${node.name}" (${node.opType}): ${problem}.`);
  };
  const attributes = new Map(node.attribute.map((each) => [each.name, each]));
  const inputs = node.input.map((name) => (name === "" ? undefined : valueOf(name)));
  const context: ImportContext = {
    opset,
    inputs,
    outputs: node.output.length,
    input: (i) => inputs[i] ?? fail(`input ${i} is missing`),
    int: (name, otherwise) => Number(attributes.get(name)?.i ?? otherwise),
    ints: (name) => attributes.get(name)?.ints.map(Number),
    float: (name, otherwise) => attributes.get(name)?.f ?? otherwise,
    string: (name, otherwise) => {
      const s = attributes.get(name)?.s;
      return s === undefined ? otherwise : new TextDecoder().decode(s);
    },
    tensor: (name) => {
      const proto = attributes.get(name)?.t;
      return proto && tensorOf(proto);
    },
    has: (name) => attributes.has(name),
    fail,
  };
  const made = IMPORT_RULES[node.opType]!(context);
  return (made instanceof Tensor ? [made] : made).map(folded);
}

function portOf({ name, type }: ValueInfoProto): ImportedInput {
  const tensor = type?.value.case === "tensorType" ? type.value.value : undefined;
  const dtype = ELEMENTS[tensor?.elemType ?? 0];
  if (tensor === undefined || dtype === undefined)
    throw new UserError(
      "import/unsupported",
      `importModel: input "${name}" is of a type that is not supported.`,
    );
  const shape = tensor.shape?.dim.map(({ value }) =>
    value.case === "dimValue" ? Number(value.value) : undefined,
  );
  return { name, dtype, shape: shape ?? [] };
}

const describe = ({ name, shape }: ImportedInput) => `"${name}" [${shape.map((n) => n ?? "any").join(",")}]`;

function requireFit(port: ImportedInput, tensor: Tensor): Tensor {
  const { shape, dtype } = port;
  if (
    tensor.dtype === dtype &&
    tensor.rank === shape.length &&
    shape.every((n, i) => n === undefined || n === tensor.shape[i])
  )
    return tensor;
  throw new UserError(
    "import/input",
    `importModel: input ${describe(port)} of ${dtype} got ${formatSpec(tensor)}.`,
  );
}

/** A stored tensor as a constant. */
function tensorOf({
  name,
  dataType,
  dims,
  rawData,
  floatData,
  int32Data,
  int64Data,
  doubleData,
  dataLocation,
}: TensorProto): Tensor {
  const shape = dims.map(Number);
  const fail = (problem: string): never => {
    throw new UserError("import/unsupported", `importModel: tensor "${name}" ${problem}.`);
  };
  if (dataLocation === 1) fail("is stored in another file. Save the model with its weights inside");
  // A copy, also of a Buffer, whose slice() is a view.
  const raw = new Uint8Array(rawData).buffer;
  const isRaw = rawData.length > 0;
  switch (dataType) {
    case 1:
      return constant(isRaw ? new Float32Array(raw) : floatData, shape);
    case 6:
      return constant(isRaw ? Array.from(new Int32Array(raw)) : int32Data, shape, "int64");
    case 7:
      return constant(Array.from(isRaw ? new BigInt64Array(raw) : int64Data, Number), shape, "int64");
    case 10:
      return constant(Array.from(isRaw ? new Uint16Array(raw) : int32Data, halfToNumber), shape);
    case 11:
      return constant(isRaw ? new Float64Array(raw) : doubleData, shape);
    default:
      return fail(
        `has element type ${dataType}. Floats and integers of 32 or 64 bits and float16 are supported`,
      );
  }
}

/** The value of 16 bits as IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Values that depend on nothing fed, by tensor; undefined for those that do. */
const known = new WeakMap<Tensor, RefArray | undefined | null>();

/** The value of a tensor that only constants reach, by the reference evaluation. */
function valueOfConstant(tensor: Tensor): RefArray | undefined {
  const before = known.get(tensor);
  if (before !== undefined) return before ?? undefined;
  const { node, index } = tensor;
  let value: RefArray | undefined;
  if (node.op.name === "constant")
    value = { shape: tensor.shape, data: (node.attrs as { readonly values: Float64Array }).values };
  else if (node.op.name !== "input") {
    const inputs = node.inputs.map(valueOfConstant);
    if (inputs.every((each) => each !== undefined))
      value = node.op.evaluate(inputs, node.attrs, node.outputs)[index];
  }
  known.set(tensor, value ?? null);
  return value;
}

/** The same tensor, as one constant where nothing that is fed reaches it. */
function folded(tensor: Tensor): Tensor {
  const { dtype } = tensor;
  if (tensor.node.op.name === "constant" || (dtype !== "float32" && dtype !== "int64")) return tensor;
  const value = valueOfConstant(tensor);
  return value === undefined ? tensor : constant(value.data, value.shape, dtype);
}
