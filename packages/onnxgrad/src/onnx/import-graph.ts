/**
 * @module The graph of an ONNX file, before anything of it is traced: what is needed, in an order in which it can be
 * computed, and nothing in it that has two meanings or none.
 */
import { fromBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "onnx-buf";
import { didYouMean, quoteName, UserError } from "../errors.ts";
import type { DType } from "../trace/tensor.ts";
import { operatorName, OPSETS } from "./import-operators.ts";
import { DTYPES, ELEMENT, MOST_DIMENSIONS, typeName } from "./import-tensor.ts";

/** Characters of a name that is compared with others, at most. */
const LONGEST_NAME = 120;
/** Names that a message lists, at most. */
const MOST_LISTED = 5;

/** Nodes of a model, at most. */
const MOST_NODES = 16_384;

/** An input of an imported model. */
export interface ImportedInput {
  readonly name: string;
  readonly dtype: DType;
  /** Extents; undefined where the model leaves one open. */
  readonly shape: readonly (number | undefined)[];
}

/** What is needed of a model. */
export interface ImportedGraph {
  readonly opset: number;
  readonly inputs: readonly (ImportedInput & { readonly type: number })[];
  readonly stored: ReadonlyMap<string, TensorProto>;
  /** Each after the nodes that it takes something from. */
  readonly nodes: readonly NodeProto[];
  readonly outputs: readonly string[];
  /** Element types that the file states of its values. */
  readonly declared: ReadonlyMap<string, number>;
}

const formatError = (problem: string): UserError => new UserError("import/format", `importModel: ${problem}`);

/** `node "conv1"`, or by what it makes where it has no name: `node of "y"`. */
export function nodeName({ name, output }: NodeProto): string {
  if (name !== "") return `node ${quoteName(name)}`;
  const made = output.find((each) => each !== "");
  return made === undefined ? "a node" : `node of ${quoteName(made)}`;
}

/** Says which node is meant: `node "conv1" (Conv)`. */
export function nodeLabel(node: NodeProto): string {
  return `${nodeName(node)} (${operatorName(node)})`;
}

/**
 * Reads the bytes of a model and finds what `wanted` (default: its outputs) needs.
 * @throws UserError `import/format` when the bytes are no model or contradict themselves, `import/output` when a wanted
 * value is not there, `import/unsupported` for inputs that are no tensors.
 */
export function readGraph(bytes: Uint8Array, wanted: readonly string[] | undefined): ImportedGraph {
  const model = decode(bytes);
  const graph = model.graph!;
  const opset = opsetOf(model);
  if (graph.node.length > MOST_NODES)
    throw new UserError(
      "import/too-large",
      `importModel: the model has ${graph.node.length} nodes; at most ${MOST_NODES} are supported.`,
    );
  const stored = onlyOnce(graph.initializer, "stored tensors");
  const inputs = [...onlyOnce(graph.input, "inputs").values()].filter(({ name }) => !stored.has(name));
  const outputs = [...new Set(wanted ?? graph.output.map(({ name }) => name))];
  if (wanted?.length === 0)
    throw new UserError(
      "import/output",
      "importModel: no outputs are asked for. Name some, or leave them out.",
    );
  if (outputs.length === 0) throw formatError("the model has no outputs.");
  const sparse = new Set(graph.sparseInitializer.map(({ values }) => values?.name ?? ""));
  const given = new Set([...inputs.map(({ name }) => name), ...stored.keys()]);
  const makers = makersOf(graph, given);
  const known = (name: string) => makers.has(name) || given.has(name);
  const absent = outputs.find((name) => !known(name) && !sparse.has(name));
  if (absent !== undefined) {
    const short = [...outputsOf(graph), ...makers.keys()].filter(({ length }) => length <= LONGEST_NAME);
    const near = absent.length <= LONGEST_NAME ? didYouMean(absent, short) : undefined;
    throw new UserError(
      "import/output",
      `importModel: the model has no value ${quoteName(absent)}.${near === undefined ? "" : ` Did you mean ${quoteName(near)}?`} ` +
        `Its nodes' outputs can be asked for; it gives ${listed(outputsOf(graph))}.`,
    );
  }
  const nodes = inOrder(outputs, makers);
  for (const node of nodes)
    for (const name of node.input)
      if (name !== "" && !known(name))
        throw sparse.has(name)
          ? new UserError(
              "import/unsupported",
              `importModel: tensor ${quoteName(name)} is stored as a sparse one, which is not supported.`,
            )
          : formatError(`${nodeLabel(node)} takes ${quoteName(name)}, which nothing in the model makes.`);
  refuseFunctions(model, nodes);
  return {
    opset,
    inputs: inputs.map(portOf),
    stored,
    nodes,
    outputs,
    declared: new Map(
      [...graph.valueInfo, ...graph.output].flatMap(({ name, type }) =>
        type?.value.case === "tensorType" && type.value.value.elemType !== 0
          ? [[name, type.value.value.elemType] as const]
          : [],
      ),
    ),
  };
}

const outputsOf = ({ output }: GraphProto): readonly string[] => output.map(({ name }) => name);

/** The names, quoted; of many the first. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_LISTED).map(quoteName).join(", ");
  return names.length === 0 ? "none by itself" : names.length > MOST_LISTED ? `${shown}, ...` : shown;
}

function decode(bytes: Uint8Array): ModelProto {
  let model: ModelProto | undefined;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new UserError("import/format", "importModel: these bytes are no ONNX model.", { cause });
  }
  if (model.graph === undefined || model.opsetImport.length === 0)
    throw formatError("these bytes are no ONNX model, or an empty one.");
  return model;
}

function opsetOf({ opsetImport }: ModelProto): number {
  const versions = new Set(
    opsetImport.filter(({ domain }) => domain === "" || domain === "ai.onnx").map(({ version }) => version),
  );
  const [version] = versions;
  if (versions.size > 1) throw formatError(`operator sets ${[...versions].join(" and ")} at the same time.`);
  if (version === undefined || version < OPSETS.first || version > OPSETS.last)
    throw formatError(
      `operator set ${version ?? "of ONNX is missing"}. Supported are ${OPSETS.first} to ${OPSETS.last}: convert the model.`,
    );
  return Number(version);
}

function onlyOnce<T extends { readonly name: string }>(list: readonly T[], what: string): Map<string, T> {
  const found = new Map(list.map((each) => [each.name, each]));
  if (found.size === list.length) return found;
  const twice = list.find((each) => found.get(each.name) !== each)!;
  throw formatError(`two ${what} are named ${quoteName(twice.name)}.`);
}

/** The node that makes each value. */
function makersOf({ node: nodes }: GraphProto, given: Iterable<string>): ReadonlyMap<string, NodeProto> {
  const taken = new Set(given);
  const makers = new Map<string, NodeProto>();
  for (const node of nodes)
    for (const name of node.output) {
      if (name === "") continue;
      if (taken.has(name))
        throw formatError(`two values are named ${quoteName(name)}; ${nodeLabel(node)} makes the second.`);
      taken.add(name);
      makers.set(name, node);
    }
  return makers;
}

/** What `outputs` need, each node after those that it takes something from, whatever their order in the file. */
function inOrder(outputs: readonly string[], makers: ReadonlyMap<string, NodeProto>): readonly NodeProto[] {
  const sorted = new Set<NodeProto>();
  const open = new Set<NodeProto>();
  const stack: { readonly node: NodeProto; next: number }[] = [];
  const enter = (name: string): void => {
    const node = makers.get(name);
    if (node === undefined || sorted.has(node)) return;
    if (open.has(node)) throw formatError(`${nodeLabel(node)} takes what it makes: the graph has a cycle.`);
    open.add(node);
    stack.push({ node, next: 0 });
  };
  for (const output of outputs) {
    enter(output);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.next < top.node.input.length) {
        enter(top.node.input[top.next++]!);
        continue;
      }
      stack.pop();
      sorted.add(top.node);
    }
  }
  return [...sorted];
}

/** A file may define operators of its own, even over the names of ONNX's. */
function refuseFunctions({ functions }: ModelProto, nodes: readonly NodeProto[]): void {
  const own = new Set(functions.map((each) => `${each.domain}\0${each.name}`));
  const node = nodes.find(
    ({ domain, opType, overload }) => overload !== "" || own.has(`${domain}\0${opType}`),
  );
  if (node !== undefined)
    throw new UserError(
      "import/unsupported",
      `importModel: ${nodeLabel(node)} calls a function that the file defines, which is not supported. Inline it.`,
    );
}

function portOf({ name, type }: ValueInfoProto): ImportedInput & { readonly type: number } {
  const refuse = (problem: string): never => {
    throw new UserError("import/unsupported", `importModel: input ${quoteName(name)} ${problem}.`);
  };
  const tensor = type?.value.case === "tensorType" ? type.value.value : undefined;
  if (tensor === undefined) return refuse("is no tensor");
  const dtype = DTYPES.get(tensor.elemType);
  if (dtype === undefined || tensor.elemType === ELEMENT.float16)
    return refuse(`is of ${typeName(tensor.elemType)}, which is not supported. Convert the model to float32`);
  const dims = tensor.shape?.dim;
  if (dims === undefined) return refuse("has no shape. Give it one, with names for dimensions that are open");
  if (dims.length > MOST_DIMENSIONS)
    refuse(`has ${dims.length} dimensions; at most ${MOST_DIMENSIONS} are supported`);
  const shape = dims.map(({ value }) => {
    // Files say -1 for an open dimension, too, and so does ONNX Runtime read it.
    if (value.case !== "dimValue" || value.value < 0n) return undefined;
    if (value.value === 0n || value.value > BigInt(2 ** 31)) refuse(`has a dimension of ${value.value}`);
    return Number(value.value);
  });
  return { name, dtype, shape, type: tensor.elemType };
}
