/**
 * @module What the ONNX standard says of each operator that is imported: its inputs, outputs and attributes with their
 * types, version by version. A node that says anything else has another meaning than ours, and is refused.
 */
import type { NodeProto } from "onnx-buf";
import { quoteName } from "../errors.ts";
import { ELEMENT, typeName } from "./import-tensor.ts";

/** Operator sets whose meaning the rules know. */
export const OPSETS = { first: 7n, last: 22n } as const;

/** Kinds of attribute, as ONNX numbers them. */
const KIND = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;
type Kind = keyof typeof KIND;

/**
 * One version of an operator: the first operator set that has it, its inputs and outputs, its attributes (`!`: the node
 * must have it). Inputs are letters, by the types that they may have; one letter is one type within a node. `?` may be
 * left out, `*` stands for one or more.
 */
export type Version = readonly [
  since: number,
  inputs: string,
  outputs: string,
  attributes?: Readonly<Record<string, Kind | `${Kind}!`>>,
];

const { float, uint8, int32, int64, bool, float16, double } = ELEMENT;
const WHOLE = [int32, int64];
const FLOATS = [float, double];
const ANY = [...FLOATS, float16, ...WHOLE, bool, uint8];

/** Types that each letter stands for. */
const TYPES: Readonly<Record<string, readonly number[]>> = {
  B: [bool],
  /** What ONNX Runtime compares for equality before operator set 11. */
  E: [...WHOLE, bool],
  /** Not float16, for which there is no arithmetic: such weights are to be converted. */
  F: FLOATS,
  /** Where ONNX Runtime has no kernel for double. */
  H: [float],
  I: [int64],
  J: WHOLE,
  N: [...FLOATS, ...WHOLE],
  P: [...FLOATS, ...WHOLE],
  S: [float],
  /** Whatever is only moved. */
  T: ANY,
  U: ANY,
};

const windows = {
  auto_pad: "string",
  dilations: "ints",
  group: "int",
  kernel_shape: "ints",
  pads: "ints",
  strides: "ints",
} as const;
const pool = { auto_pad: "string", kernel_shape: "ints!", pads: "ints", strides: "ints" } as const;
const unary: readonly Version[] = [[7, "F", "F"]];
const arithmetic: readonly Version[] = [[7, "N N", "N"]];
const order: readonly Version[] = [
  [7, "F F", "B"],
  [9, "N N", "B"],
];
const extremum: readonly Version[] = [
  [7, "F*", "F"],
  [12, "N*", "N"],
];
const reduced = { axes: "ints", keepdims: "int" } as const;
const reducedByInput = { keepdims: "int", noop_with_empty_axes: "int" } as const;
const reduction: readonly Version[] = [
  [7, "F", "F", reduced],
  [18, "F I?", "F", reducedByInput],
];

/** Every operator that is imported. */
export const OPERATORS: Readonly<Record<string, readonly Version[]>> = {
  Abs: [[7, "N", "N"]],
  Add: arithmetic,
  AveragePool: [
    [7, "H", "H", { ...pool, count_include_pad: "int" }],
    [10, "H", "H", { ...pool, count_include_pad: "int", ceil_mode: "int" }],
    [19, "H", "H", { ...pool, count_include_pad: "int", ceil_mode: "int", dilations: "ints" }],
  ],
  BatchNormalization: [
    [7, "H H H H H", "H H? H? H? H?", { epsilon: "float", momentum: "float", spatial: "int" }],
    [9, "H H H H H", "H H? H? H? H?", { epsilon: "float", momentum: "float" }],
    [14, "H H H H H", "H H? H?", { epsilon: "float", momentum: "float", training_mode: "int" }],
  ],
  Cast: [
    [7, "T", "to", { to: "int!" }],
    [19, "T", "to", { to: "int!", saturate: "int" }],
  ],
  Clip: [
    [7, "F", "F", { max: "float", min: "float" }],
    [11, "F F? F?", "F"],
  ],
  Concat: [[7, "T*", "T", { axis: "int!" }]],
  Constant: [
    [7, "", "value", { value: "tensor!" }],
    [11, "", "value", { value: "tensor" }],
    [
      12,
      "",
      "value",
      {
        value: "tensor",
        value_float: "float",
        value_floats: "floats",
        value_int: "int",
        value_ints: "ints",
      },
    ],
  ],
  ConstantOfShape: [[9, "I", "value", { value: "tensor" }]],
  Conv: [[7, "H H H?", "H", windows]],
  ConvTranspose: [[7, "H H H?", "H", { ...windows, output_padding: "ints", output_shape: "ints" }]],
  Cos: unary,
  Div: arithmetic,
  Dropout: [
    [7, "F", "F U?", { ratio: "float" }],
    [12, "F P? B?", "F U?", { seed: "int" }],
  ],
  Equal: [
    [7, "E E", "B"],
    [11, "T T", "B"],
  ],
  Erf: [[9, "F", "F"]],
  Exp: unary,
  Expand: [[8, "T I", "T"]],
  Flatten: [[7, "T", "T", { axis: "int" }]],
  Gather: [[7, "T J", "T", { axis: "int" }]],
  Gelu: [[20, "F", "F", { approximate: "string" }]],
  Gemm: [
    [7, "F F F", "F", { alpha: "float", beta: "float", transA: "int", transB: "int" }],
    [11, "F F F?", "F", { alpha: "float", beta: "float", transA: "int", transB: "int" }],
  ],
  GlobalAveragePool: [[7, "H", "H"]],
  GlobalMaxPool: [[7, "H", "H"]],
  Greater: order,
  GreaterOrEqual: [[12, "N N", "B"]],
  HardSigmoid: [[7, "H", "H", { alpha: "float", beta: "float" }]],
  HardSwish: [[14, "H", "H"]],
  Identity: [[7, "T", "T"]],
  InstanceNormalization: [[7, "H H H", "H", { epsilon: "float" }]],
  LayerNormalization: [[7, "F F F?", "F S? S?", { axis: "int", epsilon: "float", stash_type: "int" }]],
  LeakyRelu: [[7, "H", "H", { alpha: "float" }]],
  Less: order,
  LessOrEqual: [[12, "N N", "B"]],
  Log: unary,
  MatMul: [[7, "F F", "F"]],
  Max: extremum,
  MaxPool: [
    [7, "H", "H", pool],
    [8, "H", "H I?", { ...pool, storage_order: "int" }],
    [10, "H", "H I?", { ...pool, storage_order: "int", ceil_mode: "int", dilations: "ints" }],
  ],
  Min: extremum,
  Mul: arithmetic,
  Neg: [[7, "N", "N"]],
  Pad: [
    [7, "H", "H", { mode: "string", pads: "ints!", value: "float" }],
    [11, "F I F?", "F", { mode: "string" }],
    [18, "F I F? I?", "F", { mode: "string" }],
  ],
  Pow: [
    [7, "F F", "F"],
    [12, "F P", "F"],
  ],
  PRelu: [[7, "H H", "H"]],
  Reciprocal: unary,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceSum: [
    [7, "F", "F", reduced],
    [13, "F I?", "F", reducedByInput],
  ],
  Relu: unary,
  Reshape: [
    [7, "T I", "T"],
    [14, "T I", "T", { allowzero: "int" }],
  ],
  Resize: [
    [10, "H S", "H", { mode: "string" }],
    [
      11,
      "H S S I?",
      "H",
      {
        coordinate_transformation_mode: "string",
        cubic_coeff_a: "float",
        exclude_outside: "int",
        extrapolation_value: "float",
        mode: "string",
        nearest_mode: "string",
      },
    ],
    [
      13,
      "H S? S? I?",
      "H",
      {
        coordinate_transformation_mode: "string",
        cubic_coeff_a: "float",
        exclude_outside: "int",
        extrapolation_value: "float",
        mode: "string",
        nearest_mode: "string",
      },
    ],
    [
      18,
      "H S? S? I?",
      "H",
      {
        antialias: "int",
        axes: "ints",
        coordinate_transformation_mode: "string",
        cubic_coeff_a: "float",
        exclude_outside: "int",
        extrapolation_value: "float",
        keep_aspect_ratio_policy: "string",
        mode: "string",
        nearest_mode: "string",
      },
    ],
  ],
  Shape: [
    [7, "T", "I"],
    [15, "T", "I", { start: "int", end: "int" }],
  ],
  Sigmoid: unary,
  Sin: unary,
  Slice: [
    [7, "T", "T", { axes: "ints", ends: "ints!", starts: "ints!" }],
    [10, "T J J J? J?", "T"],
  ],
  Softmax: [[7, "F", "F", { axis: "int" }]],
  Softplus: unary,
  Split: [
    [7, "T", "T*", { axis: "int", split: "ints" }],
    [13, "T I?", "T*", { axis: "int" }],
    [18, "T I?", "T*", { axis: "int", num_outputs: "int" }],
  ],
  Sqrt: unary,
  Squeeze: [
    [7, "T", "T", { axes: "ints" }],
    [13, "T I?", "T"],
  ],
  Sub: arithmetic,
  Sum: [[7, "F*", "F"]],
  Tanh: unary,
  Transpose: [[7, "T", "T", { perm: "ints" }]],
  Unsqueeze: [
    [7, "T", "T", { axes: "ints!" }],
    [13, "T I", "T"],
  ],
  Where: [[9, "B T T", "T"]],
};

/** The operator's name with its domain, as a message shows it. */
export function operatorName({ domain, opType }: Pick<NodeProto, "domain" | "opType">): string {
  const name = quoteName(opType).slice(1, -1);
  return domain === "" || domain === "ai.onnx" ? name : `${quoteName(domain).slice(1, -1)}.${name}`;
}

/** Whether the operator is one of those imported. */
export function isOperator({ domain, opType }: NodeProto): boolean {
  return (domain === "" || domain === "ai.onnx") && Object.hasOwn(OPERATORS, opType);
}

/** The version of a node's operator in this operator set; undefined where the set has none. */
export function versionOf(opType: string, opset: number): Version | undefined {
  return OPERATORS[opType]!.findLast(([since]) => since <= opset);
}

const withoutMark = (letter: string) => letter.replace(/[?*]$/, "");

/** What is wrong with the node's attributes, and with the number of its inputs and outputs; undefined: nothing. */
export function structureFault(
  { input, output, attribute }: NodeProto,
  opset: number,
  [, inputs, outputs, attributes = {}]: Version,
): string | undefined {
  const allowed = new Map(Object.entries(attributes));
  const seen = new Set<string>();
  for (const { name, type, refAttrName, t } of attribute) {
    const kind = allowed.get(name)?.replace("!", "") as Kind | undefined;
    const shown = `attribute ${quoteName(name)}`;
    if (kind === undefined) return `${shown} is not supported in operator set ${opset}`;
    if (type !== KIND[kind] || refAttrName !== "" || (kind === "tensor" && t === undefined))
      return `${shown} must be of kind ${kind}`;
    if (seen.has(name)) return `${shown} is there twice`;
    seen.add(name);
  }
  for (const [name, kind] of allowed)
    if (kind.endsWith("!") && !seen.has(name)) return `attribute "${name}" is missing`;
  return countFault("input", inputs, input) ?? countFault("output", outputs, output);
}

function countFault(what: string, declared: string, names: readonly string[]): string | undefined {
  const letters = declared === "" ? [] : declared.split(" ");
  const many = letters.at(-1)?.endsWith("*") === true;
  if (names.length > letters.length && !many)
    return `${what} ${letters.length} is one more than operator and operator set have`;
  for (const [i, letter] of letters.entries())
    if (!letter.endsWith("?") && (names[i] ?? "") === "") return `${what} ${i} is missing`;
  const empty = many ? names.indexOf("") : -1;
  return empty < 0 ? undefined : `${what} ${empty} is missing`;
}

/**
 * Element types of the outputs of a node with inputs of these types (undefined: left out); `special` is what the node
 * itself says of its output. Or what is wrong with the inputs.
 */
export function outputTypes(
  [, inputs, outputs]: Version,
  types: readonly (number | undefined)[],
  special: number | undefined,
  count: number,
): readonly number[] | string {
  const letters = inputs.split(" ");
  const bound = new Map<string, number>();
  for (const [i, type] of types.entries()) {
    if (type === undefined) continue;
    const letter = withoutMark(letters[i] ?? letters.at(-1)!);
    if (!TYPES[letter]!.includes(type))
      return `input ${i} is of ${typeName(type)}, and may be of ${TYPES[letter]!.map(typeName).join(", ")}`;
    const before = bound.get(letter) ?? type;
    if (before !== type)
      return `input ${i} is of ${typeName(type)}, and another of ${typeName(before)}: they must be the same`;
    bound.set(letter, type);
  }
  const made = outputs.split(" ");
  return Array.from({ length: count }, (_, i) => {
    const letter = withoutMark(made[i] ?? made.at(-1)!);
    if (letter === "B") return bool;
    if (letter === "I") return int64;
    return special ?? bound.get(letter) ?? float;
  });
}
