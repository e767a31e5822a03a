/**
 * @module What each ONNX operator becomes in a trace: the rules of `import-model.ts`, one an operator. Shapes are static
 * in a trace, so what a model computes about them (Shape, Gather, Concat, ...) is folded to constants on the way.
 */
import { quoteName } from "../errors.ts";
import { add, div, maximum, minimum, mul, sub } from "../ops/arithmetic.ts";
import { pow } from "../ops/elementary.ts";
import { broadcastShape, evaluateElementwise } from "../ops/index-arithmetic.ts";
import { broadcastTo, sum } from "../ops/sum.ts";
import { clamp } from "../ops/clamp.ts";
import { cast, equal, greater, greaterEqual, less, lessEqual, where } from "../ops/compare.ts";
import * as unary from "../ops/elementary.ts";
import { matmul } from "../ops/matmul.ts";
import { max, mean, min } from "../ops/reduce.ts";
import { type Reduction } from "../ops/reduction.ts";
import { matrixTranspose, reshape, transpose } from "../ops/reshape.ts";
import { concat } from "../ops/concat.ts";
import { softmax } from "../ops/softmax.ts";
import { constant } from "../ops/source.ts";
import { sizeOf, type Tensor } from "../trace/tensor.ts";
import {
  axisOf,
  type ImportContext,
  intsOf,
  isWhole,
  knownScalar,
  knownValues,
  requireExtents,
  requireWithin,
  type Rule,
} from "./import-node.ts";
import * as normalizations from "./import-normalizations.ts";
import { padRule } from "./import-pad.ts";
import { resizeRule } from "./import-resize.ts";
import * as shapes from "./import-shapes.ts";
import { DTYPES, ELEMENT, typeName } from "./import-tensor.ts";
import * as windows from "./import-windows.ts";

/**
 * A function of whole numbers, element by element: shapes and indices, which must be known while tracing. There is no
 * arithmetic for those that are fed; by way of floats it would be inexact from 2^24 on.
 */
function wholeNumbers(node: ImportContext, f: (...values: number[]) => number): Tensor {
  const operands = node.inputs.map((_, i) => ({
    shape: node.input(i).shape,
    data: Float64Array.from(
      node.values(i) ?? node.fail(`input ${i} depends on the model's inputs; whole numbers must be constant`),
    ),
  }));
  const specs = operands.map(({ shape }) => ({ shape, dtype: "int64" as const }));
  const shape = broadcastShape("whole numbers", specs);
  node.spend(sizeOf(shape));
  const made = evaluateElementwise(operands, shape, f).data;
  const isExact = (n: number) => Number.isSafeInteger(n);
  const fits = (n: number) => isExact(n) && (!node.types.includes(ELEMENT.int32) || n === (n | 0));
  if (!operands.every(({ data }) => data.every(isExact)) || !made.every(fits))
    node.fail("a whole number is too large, or divided by zero");
  return constant(made, shape, "int64");
}

const unaryRule =
  (f: (x: Tensor) => Tensor): Rule =>
  (node) =>
    f(node.input(0));

/** A function of floats, or of whole numbers that are known. */
const numberRule =
  (f: (x: Tensor) => Tensor, whole: (x: number) => number): Rule =>
  (node) =>
    isWhole(node, 0) ? wholeNumbers(node, whole) : f(node.input(0));

/** The same of two. */
const binaryRule =
  (f: (a: Tensor, b: Tensor) => Tensor, whole: (a: number, b: number) => number): Rule =>
  (node) =>
    isWhole(node, 0) ? wholeNumbers(node, whole) : f(node.input(0), node.input(1));

/** Before operator set 8, these took equal shapes alone. */
const variadicRule =
  (f: (a: Tensor, b: Tensor) => Tensor, whole: (...values: number[]) => number): Rule =>
  (node) => {
    const all = node.inputs.map((_, i) => node.input(i));
    if (node.opset < 8 && all.some(({ shape }) => shape.join() !== all[0]!.shape.join()))
      node.fail(`operator set ${node.opset} does not repeat inputs of different shapes`);
    return isWhole(node, 0) ? wholeNumbers(node, whole) : all.reduce(f);
  };

const reduceRule =
  (f: Reduction): Rule =>
  (node) => {
    const x = node.input(0);
    const axes = (intsOf(node, "axes", 1) ?? []).map((axis) => axisOf(node, axis, x.rank));
    if (axes.length === 0 && node.int("noop_with_empty_axes", 0) !== 0) return x;
    return f(x, axes.length === 0 ? undefined : axes, { keepDims: node.int("keepdims", 1) === 1 });
  };

const gemmRule: Rule = (node) => {
  const [a, b, c] = [node.input(0), node.input(1), node.inputs[2]];
  if (a.rank !== 2 || b.rank !== 2)
    node.fail(`takes two matrices, got [${a.shape.join(",")}] and [${b.shape.join(",")}]`);
  const product = matmul(
    node.int("transA", 0) === 0 ? a : matrixTranspose(a),
    node.int("transB", 0) === 0 ? b : matrixTranspose(b),
  );
  const scaled = (t: Tensor, by: number) => (by === 1 ? t : mul(t, by));
  const y = scaled(product, node.float("alpha", 1));
  const beta = node.float("beta", 1);
  if (c === undefined) return y;
  const shift = requireWithin(node, 2, product.shape);
  return beta === 0 ? y : add(y, scaled(shift, beta));
};

/** A vector is a row on the left and a column on the right, and its dimension is not in the result. */
const matMulRule: Rule = (node) => {
  const [a, b] = [node.input(0), node.input(1)];
  if (a.rank === 0 || b.rank === 0) node.fail("takes no scalars");
  const product = matmul(a.rank === 1 ? reshape(a, [1, -1]) : a, b.rank === 1 ? reshape(b, [-1, 1]) : b);
  const rows = a.rank === 1 ? product.shape.slice(0, -2) : product.shape.slice(0, -1);
  const columns = b.rank === 1 ? [] : product.shape.slice(-1);
  return reshape(product, [...rows, ...columns]);
};

/** Before operator set 13 all axes from the given one on counted as one. */
const softmaxRule: Rule = (node) => {
  const x = node.input(0);
  const axis = axisOf(node, node.int("axis", node.opset < 13 ? 1 : -1), x.rank);
  if (node.opset < 13) {
    const rows = reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
    return reshape(softmax(rows), x.shape);
  }
  const order = x.shape.map((_, i) => (i === axis ? x.rank - 1 : i === x.rank - 1 ? axis : i));
  return transpose(softmax(transpose(x, order)), order);
};

/** Largest finite float32. */
const LARGEST = 3.4028234663852886e38;

const clipRule: Rule = (node) => {
  const bound = (i: number, name: string, otherwise: number): number => {
    if (node.inputs[i] === undefined) return node.float(name, otherwise);
    if (node.input(i).size !== 1) node.fail(`input ${i} (${name}) must be one number`);
    return knownScalar(node, i);
  };
  const [low, high] = [bound(1, "min", -LARGEST), bound(2, "max", LARGEST)];
  if (Number.isNaN(low) || Number.isNaN(high)) node.fail("a bound is no number");
  if (node.opset < 11 && low > high) node.fail(`attribute "min" ${low} is above "max" ${high}`);
  return clamp(node.input(0), low, high);
};

/** The nearest float16; ties go to the even one. */
function toHalf(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -14) - 10);
  const [steps, rest] = [Math.floor(value / step), (value / step) % 1];
  const up = Math.abs(rest) === 0.5 ? steps % 2 !== 0 : value / step - steps > 0.5;
  const rounded = (up ? steps + 1 : steps) * step;
  return Math.abs(rounded) > 65_504 ? Math.sign(value) * Infinity : rounded;
}

/** Numbers that a whole type holds: from, and below. */
const RANGES: Readonly<Record<number, readonly [number, number]>> = {
  [ELEMENT.uint8]: [0, 256],
  [ELEMENT.int32]: [-(2 ** 31), 2 ** 31],
  [ELEMENT.int64]: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

const castRule: Rule = (node) => {
  const [x, to] = [node.input(0), node.int("to", ELEMENT.float)];
  const dtype = DTYPES.get(to) ?? node.fail(`converts to ${typeName(to)}`);
  if (node.int("saturate", 1) !== 1) node.fail('attribute "saturate" other than 1 is for float8 alone');
  const known = node.types[0] === to ? undefined : node.values(0);
  if (to === ELEMENT.float16 && node.types[0] !== to) {
    if (known === undefined)
      return node.fail(
        "converts to float16, whose arithmetic is not supported. Convert the model to float32",
      );
    node.reserve(known.length, "numbers of float16");
    return constant(Array.from(known, toHalf), x.shape);
  }
  const range = RANGES[to];
  if (range !== undefined && known !== undefined)
    for (const v of Array.from(known, Math.trunc))
      if (!(v >= range[0] && v < range[1])) node.fail(`converts ${v}, which ${typeName(to)} does not hold`);
  return cast(x, dtype);
};

const dropoutRule: Rule = (node) => {
  if (node.inputs[2] !== undefined && knownScalar(node, 2) !== 0) node.fail("training mode is not supported");
  return node.input(0);
};

const geluRule: Rule = (node) => {
  const approximate = node.string("approximate", "none");
  if (approximate === "none") return unary.gelu(node.input(0));
  if (approximate !== "tanh") node.fail(`attribute "approximate" has no value ${quoteName(approximate)}`);
  const x = node.input(0);
  const inner = mul(add(x, mul(pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(unary.tanh(inner), 1));
};

/** The exponent may be whole where the base is not. */
const powRule: Rule = (node) => {
  if (!isWhole(node, 1)) return pow(node.input(0), node.input(1));
  const known = node.values(1);
  if (known === undefined) return pow(node.input(0), cast(node.input(1), "float32"));
  node.reserve(known.length, "exponents");
  return pow(node.input(0), constant(known, node.input(1).shape));
};

const whereRule: Rule = (node) =>
  isWhole(node, 1)
    ? wholeNumbers(node, (condition, a, b) => (condition === 0 ? b! : a!))
    : where(node.input(0), node.input(1), node.input(2));

const expandRule: Rule = (node) => {
  const x = node.input(0);
  const to = { shape: requireExtents(node, knownValues(node, 1)), dtype: x.dtype };
  if (to.shape.includes(0)) node.fail(`an empty shape [${to.shape.join(",")}] is not supported`);
  return broadcastTo(x, broadcastShape("Expand", [x, to]));
};

const globalRule =
  (f: Reduction): Rule =>
  (node) => {
    const x = node.input(0);
    if (x.rank < 3) node.fail(`takes images [n,c,h,w] or signals [n,c,...], got [${x.shape.join(",")}]`);
    return f(x, x.shape.map((_, i) => i).slice(2), { keepDims: true });
  };

/** The inputs that a comparison takes: bool as the whole numbers that they are. */
const comparison =
  (f: (a: Tensor, b: Tensor) => Tensor): Rule =>
  (node) => {
    const [a, b] = [0, 1].map((i) => {
      const tensor = node.input(i);
      return tensor.dtype === "bool" || tensor.dtype === "uint8" ? cast(tensor, "int64") : tensor;
    }) as [Tensor, Tensor];
    return f(a, b);
  };

/** Every supported operator. */
export const IMPORT_RULES: Readonly<Record<string, Rule>> = {
  Abs: numberRule(unary.abs, Math.abs),
  Add: binaryRule(add, (a, b) => a + b),
  AveragePool: windows.averagePoolRule,
  BatchNormalization: normalizations.batchNormRule,
  Cast: castRule,
  Clip: clipRule,
  Concat: (node) =>
    concat(
      node.inputs.map((_, i) => node.input(i)),
      axisOf(node, node.int("axis", 0), node.input(0).rank),
    ),
  Constant: shapes.constantRule,
  ConstantOfShape: shapes.constantOfShapeRule,
  Conv: windows.convRule,
  ConvTranspose: windows.convTransposeRule,
  Cos: unaryRule(unary.cos),
  Div: binaryRule(div, (a, b) => Math.trunc(a / b)),
  Dropout: dropoutRule,
  Equal: comparison(equal),
  Erf: unaryRule(unary.erf),
  Exp: unaryRule(unary.exp),
  Expand: expandRule,
  Flatten: shapes.flattenRule,
  Gather: shapes.gatherRule,
  Gelu: geluRule,
  Gemm: gemmRule,
  GlobalAveragePool: globalRule(mean),
  GlobalMaxPool: globalRule(max),
  Greater: comparison(greater),
  GreaterOrEqual: comparison(greaterEqual),
  HardSigmoid: (node) =>
    clamp(add(mul(node.input(0), node.float("alpha", 0.2)), node.float("beta", 0.5)), 0, 1),
  HardSwish: (node) => mul(node.input(0), clamp(add(mul(node.input(0), 1 / 6), 0.5), 0, 1)),
  Identity: (node) => node.input(0),
  InstanceNormalization: normalizations.instanceNormRule,
  LayerNormalization: normalizations.layerNormRule,
  LeakyRelu: (node) => unary.leakyRelu(node.input(0), node.float("alpha", 0.01)),
  Less: comparison(less),
  LessOrEqual: comparison(lessEqual),
  Log: unaryRule(unary.log),
  MatMul: matMulRule,
  Max: variadicRule(maximum, Math.max),
  MaxPool: windows.maxPoolRule,
  Min: variadicRule(minimum, Math.min),
  Mul: binaryRule(mul, (a, b) => a * b),
  Neg: numberRule(unary.neg, (x) => 0 - x),
  Pad: padRule,
  Pow: powRule,
  PRelu: (node) => {
    const x = node.input(0);
    const slope = requireWithin(node, 1, x.shape);
    return sub(unary.relu(x), mul(slope, unary.relu(unary.neg(x))));
  },
  Reciprocal: (node) => pow(node.input(0), -1),
  ReduceMax: reduceRule(max),
  ReduceMean: reduceRule(mean),
  ReduceMin: reduceRule(min),
  ReduceSum: reduceRule(sum),
  Relu: unaryRule(unary.relu),
  Reshape: shapes.reshapeRule,
  Resize: resizeRule,
  Shape: shapes.shapeRule,
  Sigmoid: unaryRule(unary.sigmoid),
  Sin: unaryRule(unary.sin),
  Slice: shapes.sliceRule,
  Softmax: softmaxRule,
  Softplus: unaryRule(unary.softplus),
  Split: shapes.splitRule,
  Sqrt: unaryRule(unary.sqrt),
  Squeeze: shapes.squeezeRule,
  Sub: binaryRule(sub, (a, b) => a - b),
  Sum: variadicRule(add, (a, b) => a + b),
  Tanh: unaryRule(unary.tanh),
  Transpose: (node) => transpose(node.input(0), node.ints("perm")),
  Unsqueeze: shapes.unsqueezeRule,
  Where: whereRule,
};
