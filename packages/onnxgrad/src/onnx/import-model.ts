/**
 * @module Reads an ONNX inference model and traces it as a function of tensors, its weights frozen as constants: a
 * feature extractor for a loss. What each operator becomes is the table in `import-rules.ts`; the file is not trusted.
 */
import type { NodeProto } from "onnx-buf";
import { didYouMean, GraphError, printable, quoteName, UserError } from "../errors.ts";
import { scope } from "../trace/scope.ts";
import { formatSpec, Tensor } from "../trace/tensor.ts";
import { createFolding, type Folding } from "./import-fold.ts";
import { type ImportedGraph, type ImportedInput, nodeLabel, nodeName, readGraph } from "./import-graph.ts";
import type { ImportContext } from "./import-node.ts";
import {
  isOperator,
  OPERATORS,
  operatorName,
  outputTypes,
  structureFault,
  type Version,
  versionOf,
} from "./import-operators.ts";
import { IMPORT_RULES } from "./import-rules.ts";
import { takesEmpty } from "./import-shapes.ts";
import { ELEMENT, storedTensor, type Typed, typeName } from "./import-tensor.ts";

export type { ImportedInput } from "./import-graph.ts";

/** A model that can be part of a traced function. */
export interface ImportedModel {
  readonly inputs: readonly ImportedInput[];
  readonly outputs: readonly string[];
  /**
   * Traces the model on tensors, one an input, and gives its outputs by name. Gradients pass from the outputs to these
   * tensors; the weights are constants.
   * @throws UserError `import/input` when an input is missing or does not fit, `import/node` when a node has attributes
   * or a use that is not supported, `import/too-large` when what it makes or computes from constants alone passes the
   * bounds of `import-fold.ts`. Names out of the file are printable in every message.
   */
  apply(inputs: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>>;
}

/** Settings of {@link importModel}. */
export interface ImportOptions {
  /** Names of the values to give, any in the graph; default: the model's outputs. What they do not need is left out. */
  readonly outputs?: readonly string[];
}

/**
 * Reads an ONNX model (operator sets 7 to 22, float32 arithmetic, images in two dimensions, no control flow, weights
 * inside the file). Batch normalisation and dropout are those of inference. The file may be anybody's: nothing in it is
 * run, and what it asks for is bounded.
 * @throws UserError `import/format` when the bytes are no such model, `import/unsupported` naming the first node whose
 * operator is not supported, `import/output` when a value asked for is not there.
 * @example
 * const features = importModel(await readFile("vgg.onnx"), { outputs: ["relu2_2"] });
 * const loss = mean(square(sub(features.apply({ image: y })["relu2_2"]!, features.apply({ image: target })["relu2_2"]!)));
 */
export function importModel(bytes: Uint8Array, { outputs }: ImportOptions = {}): ImportedModel {
  const graph = readGraph(bytes, outputs);
  const versions = new Map(graph.nodes.map((node) => [node, requireSupported(node, graph.opset)]));
  const weights = storedWeights(graph);
  return {
    inputs: graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    outputs: graph.outputs,
    apply: (given) => trace(graph, versions, weights, given),
  };
}

/** The stored tensors that are needed, by name. */
function storedWeights({ nodes, outputs, stored }: ImportedGraph): ReadonlyMap<string, Typed> {
  const weights = new Map<string, Typed>();
  for (const name of [...outputs, ...nodes.flatMap(({ input }) => input)]) {
    const proto = stored.get(name);
    if (proto !== undefined && !weights.has(name)) weights.set(name, storedTensor(proto));
  }
  return weights;
}

function requireSupported(node: NodeProto, opset: number): Version {
  if (!isOperator(node))
    throw new UserError(
      "import/unsupported",
      `importModel: ${nodeName(node)} is ${operatorName(node)}, which is not supported. Supported: ${Object.keys(OPERATORS).sort().join(", ")}.`,
    );
  const version = versionOf(node.opType, opset);
  if (version === undefined)
    throw new UserError(
      "import/unsupported",
      `importModel: ${nodeLabel(node)}: operator set ${opset} has no ${node.opType}.`,
    );
  const fault = structureFault(node, opset, version);
  if (fault !== undefined) throw new UserError("import/node", `importModel: ${nodeLabel(node)}: ${fault}.`);
  return version;
}

function trace(
  { opset, inputs, nodes, outputs, declared }: ImportedGraph,
  versions: ReadonlyMap<NodeProto, Version>,
  weights: ReadonlyMap<string, Typed>,
  given: Readonly<Record<string, Tensor>>,
): Readonly<Record<string, Tensor>> {
  const folding = createFolding([...weights.values()].reduce((total, { tensor }) => total + tensor.size, 0));
  const values = new Map<string, Typed>(weights);
  const names = new Set(inputs.map(({ name }) => name));
  const stranger = Object.keys(given).find((name) => !names.has(name));
  if (stranger !== undefined) {
    const known = inputs.map(({ name }) => name);
    const near = didYouMean(stranger, known);
    throw new UserError(
      "import/input",
      `importModel: there is no input ${quoteName(stranger)}.${near === undefined ? "" : ` Did you mean ${quoteName(near)}?`} ` +
        `The model takes ${inputs.length === 0 ? "none" : inputs.map(describe).join(", ")}.`,
    );
  }
  for (const port of inputs) {
    const tensor = Object.hasOwn(given, port.name) ? given[port.name] : undefined;
    if (tensor === undefined) continue;
    values.set(port.name, { tensor: requireFit(port, tensor), type: port.type });
    folding.feed(tensor);
  }
  const valueOf = (name: string): Typed => {
    const value = values.get(name);
    if (value !== undefined) return value;
    if (names.has(name))
      throw new UserError(
        "import/input",
        `importModel: input ${quoteName(name)} is missing. The model takes ${inputs.map(describe).join(", ")}.`,
      );
    const maker = nodes.find(({ output }) => output.includes(name))!;
    throw new UserError(
      "import/node",
      `importModel: ${nodeLabel(maker)}: output ${maker.output.indexOf(name)} (${quoteName(name)}) is not supported.`,
    );
  };
  for (const node of nodes) {
    const taken = node.input.map((name) => (name === "" ? undefined : valueOf(name)));
    const made = scope(printable(node.name === "" ? node.opType : node.name), () =>
      labelled(node, () => applyNode({ node, taken, opset, folding, version: versions.get(node)! })),
    );
    node.output.forEach((name, i) => {
      if (made[i] === undefined || name === "") return;
      const stated = declared.get(name) ?? made[i].type;
      if (stated !== made[i].type)
        throw new UserError(
          "import/format",
          `importModel: ${nodeLabel(node)} makes ${typeName(made[i].type)}, and the model says that ${quoteName(name)} is of ${typeName(stated)}.`,
        );
      values.set(name, made[i]);
    });
  }
  return Object.fromEntries(outputs.map((name) => [name, valueOf(name).tensor]));
}

/** A shape may have any number of extents; a message has an end. */
const LONGEST_PROBLEM = 600;

/** Says of every refusal which node it is about; what a rule did not foresee is a refusal, too. */
function labelled<T>(node: NodeProto, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const problem = said.length > LONGEST_PROBLEM ? `${said.slice(0, LONGEST_PROBLEM)}...` : said;
    const code = error instanceof UserError && !(error instanceof GraphError) ? error.code : "import/node";
    throw new UserError(code, `importModel: ${nodeLabel(node)}: ${problem.replace(/\.?$/, ".")}`, {
      cause: error,
    });
  }
}

interface Application {
  readonly node: NodeProto;
  /** What the node takes. */
  readonly taken: readonly (Typed | undefined)[];
  readonly opset: number;
  readonly folding: Folding;
  readonly version: Version;
}

function applyNode({ node, taken, opset, folding, version }: Application): readonly Typed[] {
  const fail = (problem: string): never => {
    throw new UserError("import/node", problem);
  };
  const attributes = new Map(node.attribute.map((each) => [each.name, each]));
  const inputs = taken.map((each) => each?.tensor);
  const types = taken.map((each) => each?.type);
  const empty = inputs.findIndex((each, i) => each?.size === 0 && !takesEmpty(node.opType, i));
  if (empty >= 0) fail(`input ${empty} [${inputs[empty]!.shape.join(",")}] is empty`);
  const tensor = (name: string): Typed | undefined => {
    const proto = attributes.get(name)?.t;
    return proto && storedTensor(proto);
  };
  const context: ImportContext = {
    opset,
    inputs,
    types,
    outputs: node.output.length,
    input: (i) => inputs[i] ?? fail(`input ${i} is missing`),
    int: (name, otherwise) => Number(attributes.get(name)?.i ?? otherwise),
    ints: (name) => attributes.get(name)?.ints.map(Number),
    float: (name, otherwise) => attributes.get(name)?.f ?? otherwise,
    floats: (name) => attributes.get(name)?.floats,
    string: (name, otherwise) => {
      const s = attributes.get(name)?.s;
      return s === undefined ? otherwise : new TextDecoder().decode(s);
    },
    tensor,
    has: (name) => attributes.has(name),
    values: (i) => folding.values(inputs[i] ?? fail(`input ${i} is missing`))?.data,
    reserve: folding.reserve,
    spend: folding.spend,
    fail,
  };
  const special = node.opType === "Cast" ? context.int("to", ELEMENT.float) : valueType(node.opType, context);
  const made = outputTypes(version, types, special, node.output.length);
  if (typeof made === "string") return fail(made);
  const result = IMPORT_RULES[node.opType]!(context);
  return (result instanceof Tensor ? [result] : result).map((each, i) => ({
    tensor: folding.fold(each),
    type: made[i]!,
  }));
}

/** The element type of a constant that a node holds. */
function valueType(opType: string, { tensor, has }: ImportContext): number | undefined {
  if (opType !== "Constant" && opType !== "ConstantOfShape") return undefined;
  if (has("value")) return tensor("value")?.type;
  return has("value_int") || has("value_ints") ? ELEMENT.int64 : ELEMENT.float;
}

const describe = ({ name, shape }: ImportedInput) =>
  `${quoteName(name)} [${shape.map((n) => n ?? "any").join(",")}]`;

function requireFit<T extends ImportedInput>(port: T, tensor: Tensor): Tensor {
  const { shape, dtype } = port;
  if (
    tensor.dtype === dtype &&
    tensor.rank === shape.length &&
    tensor.size > 0 &&
    shape.every((n, i) => n === undefined || n === tensor.shape[i])
  )
    return tensor;
  throw new UserError(
    "import/input",
    `importModel: input ${describe(port)} of ${dtype} got ${formatSpec(tensor)}.`,
  );
}
