/**
 * @module What each ONNX operator becomes in a trace: the rules of `import-model.ts`, one an operator. Shapes are static
 * in a trace, so what a model computes about them (Shape, Gather, Concat, ...) is folded to constants on the way.
 */
import { add, div, maximum, minimum, mul, pow, sub } from "../ops/arithmetic.ts";
import { clamp } from "../ops/clamp.ts";
import { broadcastShape, broadcastTo } from "../ops/broadcast.ts";
import { cast, equal, greater, greaterEqual, less, lessEqual, where } from "../ops/compare.ts";
import * as unary from "../ops/elementary.ts";
import { matmul } from "../ops/matmul.ts";
import { layerNorm } from "../ops/normalization.ts";
import { max, mean, min, type Reduction, sum } from "../ops/reduce.ts";
import { matrixTranspose, reshape, transpose } from "../ops/reshape.ts";
import { concat } from "../ops/slice.ts";
import { softmax } from "../ops/softmax.ts";
import type { Tensor } from "../trace/tensor.ts";
import { axisOf, intsOf, knownValues, type Rule } from "./import-node.ts";
import * as shapes from "./import-shapes.ts";
import * as windows from "./import-windows.ts";

const unaryRule =
  (f: (x: Tensor) => Tensor): Rule =>
  (node) =>
    f(node.input(0));

/** Arithmetic of two; on integers, which are shapes and indices, by way of floats. */
const binaryRule =
  (f: (a: Tensor, b: Tensor) => Tensor): Rule =>
  (node) => {
    const [a, b] = [node.input(0), node.input(1)];
    return a.dtype === "int64" ? cast(f(cast(a, "float32"), cast(b, "float32")), "int64") : f(a, b);
  };

const variadicRule =
  (f: (a: Tensor, b: Tensor) => Tensor): Rule =>
  (node) =>
    node.inputs.map((_, i) => node.input(i)).reduce(f);

const reduceRule =
  (f: Reduction): Rule =>
  (node) => {
    const axes = intsOf(node, "axes", 1);
    if (node.int("noop_with_empty_axes", 0) === 1 && (axes ?? []).length === 0) return node.input(0);
    return f(node.input(0), axes?.length === 0 ? undefined : axes, {
      keepDims: node.int("keepdims", 1) === 1,
    });
  };

/** One value a channel, spread over [n,c,...]. */
const perChannel = (t: Tensor, rank: number): Tensor =>
  reshape(t, [1, t.size, ...new Array<number>(rank - 2).fill(1)]);

const batchNormRule: Rule = (node) => {
  if (node.int("training_mode", 0) === 1 || node.outputs > 1) node.fail("training mode is not supported");
  const [x, scale, shift, average, variance] = [0, 1, 2, 3, 4].map((i) => node.input(i)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const factor = mul(scale, pow(add(variance, node.float("epsilon", 1e-5)), -0.5));
  return add(mul(x, perChannel(factor, x.rank)), perChannel(sub(shift, mul(average, factor)), x.rank));
};

const gemmRule: Rule = (node) => {
  const [a, b, c] = [node.input(0), node.input(1), node.inputs[2]];
  const product = matmul(
    node.int("transA", 0) === 1 ? matrixTranspose(a) : a,
    node.int("transB", 0) === 1 ? matrixTranspose(b) : b,
  );
  const scaled = (t: Tensor, by: number) => (by === 1 ? t : mul(t, by));
  const y = scaled(product, node.float("alpha", 1));
  return c === undefined ? y : add(y, scaled(c, node.float("beta", 1)));
};

const layerNormRule: Rule = (node) => {
  const [x, scale, shift] = [node.input(0), node.input(1), node.inputs[2]];
  if (axisOf(node.int("axis", -1), x.rank) !== x.rank - 1) node.fail("only the last axis is supported");
  const y = mul(layerNorm(x, undefined, node.float("epsilon", 1e-5)), scale);
  return shift === undefined ? y : add(y, shift);
};

const softmaxRule: Rule = (node) => {
  const x = node.input(0);
  const axis = axisOf(node.int("axis", node.opset < 13 ? 1 : -1), x.rank);
  // Before 13 all axes from the given one on counted as one.
  if (node.opset < 13 && axis !== x.rank - 1) node.fail(`operator set ${node.opset} and not the last axis`);
  const order = x.shape.map((_, i) => (i === axis ? x.rank - 1 : i === x.rank - 1 ? axis : i));
  return transpose(softmax(transpose(x, order)), order);
};

const clipRule: Rule = (node) => {
  const bound = (i: number, name: string, otherwise: number) =>
    node.inputs[i] === undefined ? node.float(name, otherwise) : knownValues(node, i)[0]!;
  return clamp(node.input(0), bound(1, "min", -3.4e38), bound(2, "max", 3.4e38));
};

const identity: Rule = (node) => node.input(0);
const spatial = (x: Tensor): readonly number[] => x.shape.map((_, i) => i).slice(2);

/** Every supported operator. */
export const IMPORT_RULES: Readonly<Record<string, Rule>> = {
  Abs: unaryRule(unary.abs),
  Add: binaryRule(add),
  AveragePool: windows.averagePoolRule,
  BatchNormalization: batchNormRule,
  Cast: (node) =>
    cast(
      node.input(0),
      shapes.TYPES[node.int("to", 1)] ?? node.fail(`converts to element type ${node.int("to", 1)}`),
    ),
  Clip: clipRule,
  Concat: (node) =>
    concat(
      node.inputs.map((_, i) => node.input(i)),
      axisOf(node.int("axis", 0), node.input(0).rank),
    ),
  Constant: shapes.constantRule,
  ConstantOfShape: shapes.constantOfShapeRule,
  Conv: windows.convRule,
  ConvTranspose: windows.convTransposeRule,
  Cos: unaryRule(unary.cos),
  Div: binaryRule(div),
  Dropout: identity,
  Equal: (node) => equal(node.input(0), node.input(1)),
  Erf: unaryRule(unary.erf),
  Exp: unaryRule(unary.exp),
  Expand: (node) => {
    const to = { shape: knownValues(node, 1) as readonly number[], dtype: node.input(0).dtype };
    return broadcastTo(node.input(0), broadcastShape("Expand", [node.input(0), to]));
  },
  Flatten: (node) => {
    const x = node.input(0);
    const axis = axisOf(node.int("axis", 1), x.rank);
    return reshape(x, [x.shape.slice(0, axis).reduce((a, b) => a * b, 1), -1]);
  },
  Gather: shapes.gatherRule,
  Gelu: (node) =>
    node.string("approximate", "none") === "none" ? unary.gelu(node.input(0)) : node.fail("approximate"),
  Gemm: gemmRule,
  GlobalAveragePool: (node) => mean(node.input(0), spatial(node.input(0)), { keepDims: true }),
  GlobalMaxPool: (node) => max(node.input(0), spatial(node.input(0)), { keepDims: true }),
  Greater: (node) => greater(node.input(0), node.input(1)),
  GreaterOrEqual: (node) => greaterEqual(node.input(0), node.input(1)),
  HardSigmoid: (node) =>
    clamp(add(mul(node.input(0), node.float("alpha", 0.2)), node.float("beta", 0.5)), 0, 1),
  HardSwish: (node) => mul(node.input(0), clamp(add(mul(node.input(0), 1 / 6), 0.5), 0, 1)),
  Identity: identity,
  InstanceNormalization: (node) => {
    const x = node.input(0);
    const rows = layerNorm(
      reshape(x, [x.shape[0]!, x.shape[1]!, -1]),
      undefined,
      node.float("epsilon", 1e-5),
    );
    const y = mul(reshape(rows, x.shape), perChannel(node.input(1), x.rank));
    return add(y, perChannel(node.input(2), x.rank));
  },
  LayerNormalization: layerNormRule,
  LeakyRelu: (node) => unary.leakyRelu(node.input(0), node.float("alpha", 0.01)),
  Less: (node) => less(node.input(0), node.input(1)),
  LessOrEqual: (node) => lessEqual(node.input(0), node.input(1)),
  Log: unaryRule(unary.log),
  MatMul: (node) => matmul(node.input(0), node.input(1)),
  Max: variadicRule(maximum),
  MaxPool: windows.maxPoolRule,
  Min: variadicRule(minimum),
  Mul: binaryRule(mul),
  Neg: unaryRule(unary.neg),
  Pad: shapes.padRule,
  Pow: (node) => pow(node.input(0), node.input(1)),
  PRelu: (node) => sub(unary.relu(node.input(0)), mul(node.input(1), unary.relu(unary.neg(node.input(0))))),
  Reciprocal: (node) => pow(node.input(0), -1),
  ReduceMax: reduceRule(max),
  ReduceMean: reduceRule(mean),
  ReduceMin: reduceRule(min),
  ReduceSum: reduceRule(sum),
  Relu: unaryRule(unary.relu),
  Reshape: shapes.reshapeRule,
  Resize: windows.resizeRule,
  Shape: shapes.shapeRule,
  Sigmoid: unaryRule(unary.sigmoid),
  Sin: unaryRule(unary.sin),
  Slice: shapes.sliceRule,
  Softmax: softmaxRule,
  Softplus: unaryRule(unary.softplus),
  Split: shapes.splitRule,
  Sqrt: unaryRule(unary.sqrt),
  Squeeze: shapes.squeezeRule,
  Sub: binaryRule(sub),
  Sum: variadicRule(add),
  Tanh: unaryRule(unary.tanh),
  Transpose: (node) => transpose(node.input(0), node.ints("perm")),
  Unsqueeze: shapes.unsqueezeRule,
  Where: (node) => where(node.input(0), node.input(1), node.input(2)),
};
