/** @module Elementary functions, element by element, and activations. */
import { apply1, type Tensor } from "../trace/tensor.ts";
import { add, binary, div, mul, type Operand, square, sub } from "./arithmetic.ts";
import { cast, equal, greaterEqual, ONNX_TYPE, where } from "./compare.ts";
import {
  defineOp,
  type LowerContext,
  type NoAttrs,
  type OpDefinition,
  requireFloat,
  type Traits,
} from "./define-op.ts";
import { emit1 } from "./emit.ts";
import { evaluateElementwise } from "./index-arithmetic.ts";
import { elementwise } from "./placement.ts";
import { constant, lift, scalarValue } from "./source.ts";
import { broadcastTo } from "./sum.ts";

interface UnaryRule {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly grad: Tensor;
}

function unary(
  name: string,
  lowering: string | ((context: LowerContext, x: string) => string[]),
  evaluate: (x: number) => number,
  vjp: null | ((rule: UnaryRule) => Tensor),
  traits: Omit<Traits, "elementwise">,
): OpDefinition<NoAttrs> {
  return defineOp<NoAttrs>({
    name,
    infer(inputs) {
      requireFloat(name, inputs);
      return [{ shape: inputs[0]!.shape, dtype: "float32" }];
    },
    vjp: vjp === null ? null : ({ inputs, outputs, grad }) => [vjp({ x: inputs[0]!, y: outputs[0]!, grad })],
    lower: (context, [x]) =>
      typeof lowering === "string" ? context.emit(lowering, [x!]) : lowering(context, x!),
    evaluate: (inputs, _, [out]) => [evaluateElementwise(inputs, out!.shape, (x) => evaluate(x!))],
    place: elementwise,
    macs: null,
    traits: { elementwise: true, ...traits },
  });
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  const rounded = rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

const signOf = (x: number): number => Number(x > 0) - Number(x < 0);

/** (x > 0) - (x < 0): ONNX Runtime's own `Sign` has NaN for NaN. */
function lowerSign(context: LowerContext, x: string): string[] {
  const [positive, negative] = ["Greater", "Less"].map((comparison) => {
    const holds = emit1(context, comparison, [x, context.floats([], [0])]);
    return emit1(context, "Cast", [holds], { attrs: { to: ONNX_TYPE.float32 } });
  });
  return context.emit("Sub", [positive!, negative!]);
}

/**
 * 1 / (1 + e^-x), node by node where ONNX Runtime's own kernel for CPUs gives 0 below -18. (silu takes that kernel: there the
 * difference is within the rounding of numbers near 1, and it is in every network's hot loop.)
 */
function lowerSigmoid(context: LowerContext, x: string): string[] {
  if (context.processor !== "cpu") return context.emit("Sigmoid", [x]);
  const decayed = emit1(context, "Exp", [emit1(context, "Neg", [x])]);
  return context.emit("Reciprocal", [emit1(context, "Add", [decayed, context.floats([], [1])])]);
}

/** a^b of IEEE 754, where JavaScript's is NaN for a = 1 with b that is no number, and for |a| = 1 with infinite b. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;
}

/** b a^(b-1), which is 0 for b = 0 even where a^-1 is infinite. */
function powerGradient(grad: Tensor, a: Tensor, b: Tensor): Tensor {
  const exponent = scalarValue(b);
  if (exponent === 0) return broadcastTo(constant(0), grad.shape);
  if (exponent !== undefined) return mul(grad, mul(pow(a, exponent - 1), exponent));
  return where(equal(b, 0), 0, mul(grad, mul(b, pow(a, sub(b, 1)))));
}

/** a^b log a; 0^b stays 0 when b > 0 moves, and is held to be 1 at b = 0. */
function exponentGradient(grad: Tensor, a: Tensor, b: Tensor, y: Tensor): Tensor {
  const inside = mul(grad, mul(y, log(a)));
  return where(equal(a, 0), where(greaterEqual(b, 0), 0, inside), inside);
}

export const expOp: OpDefinition<NoAttrs> = unary("exp", "Exp", Math.exp, ({ grad, y }) => mul(grad, y), {
  cheap: true,
});
export const logOp: OpDefinition<NoAttrs> = unary("log", "Log", Math.log, ({ grad, x }) => div(grad, x), {});
export const powOp: OpDefinition<NoAttrs> = binary(
  "pow",
  "Pow",
  power,
  ({ grad, a, b, y }) => [() => powerGradient(grad, a, b), () => exponentGradient(grad, a, b, y)],
  elementwise,
  {},
);
export const sqrtOp: OpDefinition<NoAttrs> = unary(
  "sqrt",
  "Sqrt",
  Math.sqrt,
  ({ grad, y }) => div(mul(grad, 0.5), y),
  { cheap: true },
);
export const absOp: OpDefinition<NoAttrs> = unary(
  "abs",
  "Abs",
  Math.abs,
  ({ grad, x }) => mul(grad, sign(x)),
  { cheap: true },
);
export const signOp: OpDefinition<NoAttrs> = unary("sign", lowerSign, signOf, null, { cheap: true });
export const roundOp: OpDefinition<NoAttrs> = unary("round", "Round", roundHalfEven, null, {});
export const sinOp: OpDefinition<NoAttrs> = unary(
  "sin",
  "Sin",
  Math.sin,
  ({ grad, x }) => mul(grad, cos(x)),
  {},
);
export const cosOp: OpDefinition<NoAttrs> = unary(
  "cos",
  "Cos",
  Math.cos,
  ({ grad, x }) => mul(mul(grad, -1), sin(x)),
  {},
);
export const tanhOp: OpDefinition<NoAttrs> = unary(
  "tanh",
  "Tanh",
  Math.tanh,
  ({ grad, y }) => mul(grad, sub(1, square(y))),
  { cheap: true, activation: true },
);
export const sigmoidOp: OpDefinition<NoAttrs> = unary(
  "sigmoid",
  lowerSigmoid,
  logistic,
  ({ grad, y }) => mul(grad, mul(y, sub(1, y))),
  { cheap: true, activation: true },
);
export const erfOp: OpDefinition<NoAttrs> = unary(
  "erf",
  "Erf",
  erfReference,
  ({ grad, x }) => mul(grad, mul(exp(mul(square(x), -1)), 2 / Math.sqrt(Math.PI))),
  {},
);
export const reluOp: OpDefinition<NoAttrs> = unary(
  "relu",
  "Relu",
  (x) => (x < 0 ? 0 : x),
  // What is not 0 has passed, NaN too. Casting takes less than half the time of comparing and choosing.
  ({ grad, y }) => mul(grad, cast(cast(y, "bool"), "float32")),
  { cheap: true, activation: true },
);
export const softplusOp: OpDefinition<NoAttrs> = unary(
  "softplus",
  // ONNX Runtime's Softplus overflows for large x on some providers; max(x, 0) + log(1 + u) with u = exp(-|x|) never does.
  // With w = 1 + u as it is rounded, log(1 + u) is log(w) + (u - (w - 1)) / w to second order: right where w is 1, too.
  (context, x) => {
    const one = context.floats([], [1]);
    const u = emit1(context, "Exp", [emit1(context, "Neg", [emit1(context, "Abs", [x])])]);
    const w = emit1(context, "Add", [u, one]);
    const lost = emit1(context, "Sub", [u, emit1(context, "Sub", [w, one])]);
    const tail = emit1(context, "Add", [emit1(context, "Log", [w]), emit1(context, "Div", [lost, w])]);
    return context.emit("Add", [emit1(context, "Relu", [x]), tail]);
  },
  (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  ({ grad, x }) => mul(grad, sigmoid(x)),
  { activation: true },
);

/** e^x. */
export function exp(x: Tensor): Tensor {
  return apply1(expOp, [x], {});
}
/** Natural logarithm; x > 0. */
export function log(x: Tensor): Tensor {
  return apply1(logOp, [x], {});
}
/**
 * a to the power b, 1 for b = 0. The gradient with respect to b needs a > 0, or is 0 for a = 0 and b >= 0; that with respect to
 * a is 0 for b = 0.
 */
export function pow(a: Operand, b: Operand): Tensor {
  const exponent = typeof b === "number" ? b : scalarValue(b);
  if (exponent === 1) return lift(a);
  if (exponent === 2) return mul(a, a);
  return apply1(powOp, [lift(a), lift(b)], {});
}
/** Square root; the gradient is infinite at 0. */
export function sqrt(x: Tensor): Tensor {
  return apply1(sqrtOp, [x], {});
}
/** |x|; the gradient at 0 is 0. */
export function abs(x: Tensor): Tensor {
  return apply1(absOp, [x], {});
}
/** -1, 0 or 1, 0 for NaN; not differentiable. */
export function sign(x: Tensor): Tensor {
  return apply1(signOp, [x], {});
}
/** The nearest whole number, halves to the even one (as ONNX and IEEE 754); not differentiable. */
export function round(x: Tensor): Tensor {
  return apply1(roundOp, [x], {});
}
/** Sine, radians. */
export function sin(x: Tensor): Tensor {
  return apply1(sinOp, [x], {});
}
/** Cosine, radians. */
export function cos(x: Tensor): Tensor {
  return apply1(cosOp, [x], {});
}
/** Hyperbolic tangent. */
export function tanh(x: Tensor): Tensor {
  return apply1(tanhOp, [x], {});
}
/** 1 / (1 + e^-x). */
export function sigmoid(x: Tensor): Tensor {
  return apply1(sigmoidOp, [x], {});
}
/** Error function. */
export function erf(x: Tensor): Tensor {
  return apply1(erfOp, [x], {});
}
/** max(x, 0); the gradient at 0 is 0. */
export function relu(x: Tensor): Tensor {
  return apply1(reluOp, [x], {});
}
/** log(1 + e^x), without overflow. */
export function softplus(x: Tensor): Tensor {
  return apply1(softplusOp, [x], {});
}
/** -x. */
export function neg(x: Tensor): Tensor {
  return mul(x, -1);
}

/**
 * x * sigmoid(x), with sigmoid(x) as a second output that the gradient uses again:
 * d/dx = s + y (1 - s) (Elfwing et al. 2017).
 */
export const siluOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "silu",
  infer(inputs) {
    requireFloat("silu", inputs);
    return [inputs[0]!, inputs[0]!].map(({ shape }) => ({ shape, dtype: "float32" as const }));
  },
  vjp({ inputs: [x], outputs: [y, s], grads: [gradY, gradS] }) {
    const viaY = gradY && mul(gradY, add(s!, mul(y!, sub(1, s!))));
    const viaS = gradS && mul(gradS, sub(s!, square(sigmoid(x!))));
    return [viaY && viaS ? add(viaY, viaS) : (viaY ?? viaS)!];
  },
  lower(context, [x]) {
    const [s] = context.emit("Sigmoid", [x!]);
    return [context.emit("Mul", [x!, s!])[0]!, s!];
  },
  evaluate: ([x]) => [
    { shape: x!.shape, data: x!.data.map((v) => v * logistic(v)) },
    { shape: x!.shape, data: x!.data.map(logistic) },
  ],
  place: elementwise,
  macs: null,
  traits: { elementwise: true, cheap: true, activation: true },
});

/** x * sigmoid(x), also known as swish. */
export function silu(x: Tensor): Tensor {
  return apply1(siluOp, [x], {});
}

interface LeakyReluAttrs {
  readonly slope: number;
}

/** As large as a float32 may be: times the smallest normal one it is still over 1. */
const HUGE = 3e38;

/**
 * The derivative of a leaky ReLU: 1 for x > 0, `slope` elsewhere, NaN included. Comparing and choosing takes ONNX Runtime
 * twice as long as the form for slopes in [0, 1].
 */
export const slopesOp: OpDefinition<LeakyReluAttrs> = defineOp<LeakyReluAttrs>({
  name: "slopes",
  infer(inputs) {
    requireFloat("slopes", inputs);
    return [{ shape: inputs[0]!.shape, dtype: "float32" }];
  },
  vjp: null,
  lower(context, [x], { attrs: { slope } }) {
    if (slope >= 0 && slope <= 1) {
      const positive = emit1(context, "ThresholdedRelu", [x!], { attrs: { alpha: 0 } });
      return context.emit("HardSigmoid", [positive], { attrs: { alpha: HUGE, beta: slope } }); // min(1, huge x + slope)
    }
    const condition = emit1(context, "Greater", [x!, context.floats([], [0])]);
    return context.emit("Where", [condition, context.floats([], [1]), context.floats([], [slope])]);
  },
  evaluate: ([x], { slope }) => [{ shape: x!.shape, data: x!.data.map((v) => (v > 0 ? 1 : slope)) }],
  place: elementwise,
  macs: null,
  traits: { elementwise: true, cheap: true },
});

const slopes = (x: Tensor, slope: number): Tensor => apply1(slopesOp, [x], { slope });

/** x for x > 0, slope * x below. */
export const leakyReluOp: OpDefinition<LeakyReluAttrs> = defineOp<LeakyReluAttrs>({
  name: "leakyRelu",
  infer(inputs) {
    requireFloat("leakyRelu", inputs);
    return [{ shape: inputs[0]!.shape, dtype: "float32" }];
  },
  vjp: ({ grad, inputs: [x], attrs: { slope } }) => [mul(grad, slopes(x!, slope))],
  lower: (context, [x], { attrs }) => context.emit("LeakyRelu", [x!], { attrs: { alpha: attrs.slope } }),
  evaluate: ([x], { slope }) => [{ shape: x!.shape, data: x!.data.map((v) => (v > 0 ? v : slope * v)) }],
  place: elementwise,
  macs: null,
  traits: { elementwise: true, cheap: true, activation: true },
});

/** x for x > 0, slope * x below (default slope 0.01). */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return apply1(leakyReluOp, [x], { slope });
}

/** x * Phi(x) with the exact normal distribution function (Hendrycks and Gimpel 2016). */
export function gelu(x: Tensor): Tensor {
  return mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));
}

/**
 * Error function to double precision: the Maclaurin series below |x| = 2.5, the continued fraction of erfc above
 * (Abramowitz and Stegun 7.1.6 and 7.1.14).
 */
function erfReference(x: number): number {
  const z = Math.abs(x);
  if (z < 2.5) {
    let term = z;
    let total = z;
    for (let n = 1; term > 1e-17 * total; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      total += term;
    }
    return (Math.sign(x) * 2 * total * Math.exp(-z * z)) / Math.sqrt(Math.PI);
  }
  let fraction = z;
  for (let k = 60; k > 0; k--) fraction = z + k / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction));
}
